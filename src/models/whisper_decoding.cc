#include "models/whisper_decoding.h"

#include <algorithm>
#include <utility>

#include "models/compression_ratio.h"
#include "models/whisper.h"

namespace tutti {
namespace {

// Of one worker's hypotheses. A window's five beams of whisper-base can come to 25 MiB.
constexpr int64_t kMaxCacheBytes = int64_t{256} << 20;
// Windows that run through the encoder together; their rows do not share products beyond a row block anyway.
constexpr size_t kGroup = 2;

}  // namespace

WhisperDecoding::WhisperDecoding(const Whisper& model)
    : model_(model), batch_(model.decoder(), model.vocabulary(), kMaxCacheBytes) {}

void WhisperDecoding::Admit(std::span<const Utterance> utterances, Workspace& workspace) {
  for (; !utterances.empty(); utterances = utterances.subspan(std::min(kGroup, utterances.size()))) {
    Encode(utterances.first(std::min(kGroup, utterances.size())), workspace);
  }
}

void WhisperDecoding::Encode(std::span<const Utterance> group, Workspace& workspace) {
  std::vector<int64_t> offsets = {0}, windows;
  std::vector<const float*> starts;
  int64_t rows = 0;
  for (const Utterance& utterance : group) {
    offsets.push_back(offsets.back() + utterance.rows);
    starts.push_back(utterance.features);
    windows.push_back(model_.WindowFrames(utterance.rows));
    rows += WhisperEncoder::Rows(windows.back());
  }
  const WhisperDims& dims = model_.decoder().dims();
  Workspace::Scope scope(workspace);
  float* encoded = scope.Floats(rows * dims.width);
  model_.encoder().Run({starts, dims.mels, offsets}, windows, workspace, encoded);
  for (size_t i = 0; i < group.size(); ++i) {
    const int64_t own = WhisperEncoder::Rows(windows[i]);
    waiting_.push_back(
        {group[i].id, model_.Translate(*group[i].options), model_.decoder().Listen(encoded, own, workspace)});
    live_.push_back({group[i].id, group[i].options});
    encoded += own * dims.width;
  }
}

void WhisperDecoding::LetIn(std::vector<Finished>& finished) {
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    absl::Status admitted = next.options.status();
    if (admitted.ok()) admitted = batch_.Admit(next.id, next.memory, *next.options);
    if (absl::IsResourceExhausted(admitted)) return;
    if (!admitted.ok()) {
      finished.push_back({next.id, admitted});
      Forget(next.id);
    }
    waiting_.pop_front();
  }
}

void WhisperDecoding::Step(Workspace& workspace, std::vector<Finished>& finished) {
  LetIn(finished);
  batch_.Step(workspace);
  for (const auto& [id, result, memory] : batch_.TakeFinished()) {
    const auto live = std::ranges::find(live_, id, &Live::id);
    finished.push_back({id, ToHypothesis(result, *live->options)});
    live_.erase(live);
  }
}

Hypothesis WhisperDecoding::ToHypothesis(const WhisperResult& result, const SearchOptions& options) const {
  const WhisperSequence& best = result.sequences.front();
  Hypothesis hypothesis;
  hypothesis.avg_logprob = best.mean_log_prob();
  hypothesis.no_speech_prob = result.no_speech_prob;
  hypothesis.temperature = 0;
  hypothesis.compression_ratio = CompressionRatio(model_.PlainText(best.tokens));
  hypothesis.language = model_.LanguageOf(result, options);
  hypothesis.language_probability = result.language < 0 ? 1 : result.language_prob;
  const bool silent =
      result.no_speech_prob > options.no_speech_threshold && best.mean_log_prob() < options.log_prob_threshold;
  if (silent) return hypothesis;
  hypothesis.ids = best.tokens;
  hypothesis.scores.assign(best.tokens.size(), best.mean_log_prob());
  return hypothesis;
}

void WhisperDecoding::Remove(int64_t id) {
  std::erase_if(waiting_, [id](const Waiting& one) { return one.id == id; });
  batch_.Remove(id);
  Forget(id);
}

void WhisperDecoding::Clear() {
  waiting_.clear();
  for (const Live& one : live_) batch_.Remove(one.id);
  live_.clear();
}

void WhisperDecoding::Forget(int64_t id) {
  std::erase_if(live_, [id](const Live& one) { return one.id == id; });
}

}  // namespace tutti

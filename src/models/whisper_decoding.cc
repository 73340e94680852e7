#include "models/whisper_decoding.h"

#include <algorithm>
#include <string>
#include <utility>

#include "models/compression_ratio.h"
#include "models/token_loop.h"
#include "models/whisper.h"
#include "models/whisper_times.h"

namespace tutti {
namespace {

// Windows that run through the encoder together; their rows do not share products beyond a row block anyway.
constexpr size_t kGroup = 2;

}  // namespace

WhisperDecoding::WhisperDecoding(const Whisper& model)
    : model_(model),
      batch_(model.decoder(), model.vocabulary(),
             MaxCacheBytes(model.decoder().dims().decoder_layers, model.decoder().dims().width,
                           model.decoder().dims().text_positions)) {}

int64_t WhisperDecoding::MaxCacheBytes(int64_t layers, int64_t width, int64_t text_positions) {
  constexpr int64_t kLeast = int64_t{256} << 20, kWindows = 4, kBeams = 5, kPromptTokens = 16;
  const int64_t pages = KvPool::PagesFor(kBeams, text_positions / 2 + kPromptTokens);
  return std::max(kLeast, kWindows * pages * KvPool(layers, width, 0).page_bytes());
}

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
    windows.push_back(model_.windows().Heard(utterance.rows, utterance.options->window_seconds));
    rows += WhisperEncoder::Rows(windows.back());
  }
  const WhisperDims& dims = model_.decoder().dims();
  Workspace::Scope scope(workspace);
  float* encoded = scope.Floats(rows * dims.width);
  model_.encoder().Run({starts, dims.mels, offsets}, windows, workspace, encoded);
  for (size_t i = 0; i < group.size(); ++i) {
    const auto& [id, features, frames, options, previous, language] = group[i];
    const int64_t own = WhisperEncoder::Rows(windows[i]);
    absl::StatusOr<WhisperDecodeOptions> decode = model_.Translate(*options, previous, language);
    Live& live = live_.emplace_back(Live{id, frames, options, std::string(language), nullptr});
    if (decode.ok()) {
      live.fallback = std::make_unique<WhisperFallback>(
          *options, *std::move(decode), model_.vocabulary().start,
          static_cast<double>(frames) / static_cast<double>(LogMel::kFramesPerSecond));
      decode = live.fallback->decode();
    }
    waiting_.push_back({id, std::move(decode), model_.decoder().Listen(encoded, own, workspace)});
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
  for (auto& [id, result, memory] : batch_.TakeFinished()) {
    const auto live = std::ranges::find(live_, id, &Live::id);
    WhisperFallback& fallback = *live->fallback;
    const std::string text = model_.PlainText(result.sequences.front().tokens);
    if (fallback.Take(std::move(result), text)) {
      waiting_.push_front({id, fallback.decode(), std::move(memory)});
      continue;
    }
    Hypothesis hypothesis = ToHypothesis(*live);
    AddTimes(model_, memory, live->frames, *live->options, workspace, hypothesis);
    finished.push_back({id, std::move(hypothesis)});
    live_.erase(live);
  }
}

Hypothesis WhisperDecoding::ToHypothesis(const Live& live) const {
  WhisperFallback& fallback = *live.fallback;
  WhisperFallback::Found found = fallback.TakeBest();
  const float mean = found.sequence.mean_log_prob();
  Hypothesis hypothesis;
  hypothesis.avg_logprob = mean;
  hypothesis.no_speech_prob = fallback.no_speech_prob();
  hypothesis.compression_ratio = found.compression_ratio;
  hypothesis.temperature = fallback.temperature();
  hypothesis.language = live.language.empty() ? model_.LanguageOf(fallback.language(), *live.options) : live.language;
  hypothesis.language_probability = fallback.language() < 0 ? 1 : fallback.language_prob();
  if (found.is_silence) return hypothesis;
  hypothesis.ids = std::move(found.sequence.tokens);
  if (found.runs_away) {
    hypothesis.ids = CutLoops(hypothesis.ids, model_.vocabulary().end);
    hypothesis.compression_ratio = CompressionRatio(model_.PlainText(hypothesis.ids));
  }
  hypothesis.scores.assign(hypothesis.ids.size(), mean);
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

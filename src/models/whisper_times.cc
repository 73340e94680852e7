#include "models/whisper_times.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/text.h"
#include "models/whisper.h"
#include "models/whisper_align.h"
#include "models/whisper_segments.h"
#include "models/whisper_words.h"

namespace tutti {
namespace {

constexpr float kLeastProbability = 1e-30F;  // whose logarithm is a number

// Takes the times out of the ids.
void KeepWords(int32_t end, Hypothesis& hypothesis) {
  size_t kept = 0;
  for (size_t i = 0; i < hypothesis.ids.size(); ++i) {
    if (hypothesis.ids[i] >= end) continue;
    hypothesis.ids[kept] = hypothesis.ids[i];
    hypothesis.scores[kept++] = hypothesis.scores[i];
  }
  hypothesis.ids.resize(kept);
  hypothesis.scores.resize(kept);
}

// What the decoder was told before the text, up to the task.
std::vector<int32_t> StartOf(const WhisperPackage& package, const Hypothesis& hypothesis, Task task) {
  std::vector<int32_t> start = {package.tokens.start};
  if (!package.is_multilingual) return start;
  if (const WhisperLanguage* language = package.FindLanguage(hypothesis.language)) start.push_back(language->token);
  start.push_back(task == Task::kTranslate ? package.tokens.translate : package.tokens.transcribe);
  return start;
}

std::vector<WhisperWord> WordsOf(const Whisper& model, const CrossMemory& memory, int64_t frames,
                                 const SearchOptions& options, const Hypothesis& hypothesis, Workspace& workspace) {
  const WhisperPackage& package = model.package();
  std::vector<std::pair<int64_t, int64_t>> heads;
  for (const WhisperHead& head : package.alignment_heads) heads.emplace_back(head.layer, head.head);
  const std::vector<int32_t> start = StartOf(package, hypothesis, options.task);
  const WhisperAlignment alignment =
      AlignWhisper(model.decoder(), model.vocabulary(), heads, memory, start, hypothesis.ids, frames, workspace);
  // What is written in English tells nothing of how the language that is spoken is written.
  const std::string_view written = options.task == Task::kTranslate ? "en" : std::string_view(hypothesis.language);
  return FindWords(package.bpe, written, hypothesis.ids, alignment);
}

}  // namespace

void AddTimes(const Whisper& model, const CrossMemory& memory, int64_t frames, const SearchOptions& options,
              Workspace& workspace, Hypothesis& hypothesis) {
  if (options.without_timestamps && !options.word_timestamps) return;
  const int64_t window_ms = frames * 1000 / LogMel::kFramesPerSecond;
  std::vector<WhisperStretch> stretches = DivideByTimes(hypothesis.ids, model.vocabulary(), window_ms);
  KeepWords(model.vocabulary().end, hypothesis);
  std::vector<std::vector<WhisperWord>> words(stretches.size());
  if (options.word_timestamps) {
    words = WordsOfStretches(WordsOf(model, memory, frames, options, hypothesis, workspace), stretches);
  }
  for (size_t i = 0; i < stretches.size(); ++i) {
    const size_t before = hypothesis.words.size();
    for (const WhisperWord& word : words[i]) {
      const std::string_view text = WithoutSpacesAround(word.text);
      if (text.empty()) continue;
      hypothesis.words.push_back(
          {std::string(text), word.start_ms, word.end_ms, std::log(std::max(word.probability, kLeastProbability))});
    }
    hypothesis.parts.push_back(
        {stretches[i].words.size(), hypothesis.words.size() - before, stretches[i].start_ms, stretches[i].end_ms});
  }
}

}  // namespace tutti

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "checkpoint/model_package.h"
#include "engine/parts.h"
#include "engine/recognizer_impl.h"
#include "tutti/recognizer.h"

namespace tutti::testing {

inline const std::string kModelDirectory = TUTTI_SOURCE_DIR "/models/demo-paraformer";
inline const std::string kVadDirectory = TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad";
inline const std::string kAudioDirectory = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/";

inline std::shared_ptr<const FsmnVad> RealVad() {
  const auto package = ModelPackage::Open(kVadDirectory);
  const auto vad = package.ok() ? FsmnVad::Load(*package) : package.status();
  if (!vad.ok()) ADD_FAILURE() << vad.status() << "\nThe VAD model comes with `make models`.";
  return vad.ok() ? *vad : nullptr;
}

// The demo model and FSMN-VAD, loaded once for all tests.
inline const RecognizerParts& RealParts() {
  static const RecognizerParts* const parts = [] {
    const auto package = ModelPackage::Open(kModelDirectory);
    const auto asr = package.ok() ? AsrModel::Load(*package) : package.status();
    if (!asr.ok()) ADD_FAILURE() << asr.status();
    return new RecognizerParts{asr.ok() ? *asr : nullptr, RealVad(), "demo-paraformer"};
  }();
  return *parts;
}

inline std::unique_ptr<Recognizer> RealRecognizer(const RecognizerOptions& options) {
  return *CreateRecognizer(options, RealParts());
}

// All of a transcript but its timings, to the last bit of its scores.
inline std::string Dump(const absl::StatusOr<Transcript>& result) {
  if (!result.ok()) return result.status().ToString();
  std::string out = fmt::format("{} {} ms, {} channels, {}{}: {}\n", result->file, result->duration_ms,
                                result->channels, result->model, result->truncated ? ", truncated" : "", result->text);
  out += fmt::format("{} {:a}\n", result->language, result->language_probability.value_or(-1));
  for (const Segment& segment : result->segments) {
    out += fmt::format("{}-{} #{} {}\n", segment.start_ms, segment.end_ms, segment.channel, segment.text);
    out += fmt::format("  {} {:a} {:a} {:a} {:a} {:a}\n", segment.language, segment.language_probability.value_or(-1),
                       segment.avg_logprob.value_or(1), segment.no_speech_prob.value_or(-1),
                       segment.compression_ratio.value_or(-1), segment.temperature.value_or(-1));
    for (const Token& token : segment.tokens) {
      out += fmt::format("  {} {}-{} {:a}\n", token.text, token.start_ms.value_or(-1), token.end_ms.value_or(-1),
                         token.score);
    }
  }
  return out;
}

}  // namespace tutti::testing

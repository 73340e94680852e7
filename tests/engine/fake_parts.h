#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/parts.h"
#include "engine/recognizer_impl.h"
#include "frontend/frontend.h"

namespace tutti::testing {

// A recogniser network that needs no weights: the text of a segment is its rows and a checksum of its features, so any
// mix-up of segments or neighbours shows. `on_batch` runs before each batch and may block or throw.
class FakeAsrModel : public AsrModel {
 public:
  explicit FakeAsrModel(std::function<void(const ScatteredBatch&)> on_batch = nullptr)
      : frontend_(*Frontend::Create(FrontendOptions{}, Cmvn{})), on_batch_(std::move(on_batch)) {}

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "fake"; }
  ComputeType compute_type() const override { return ComputeType::kF32; }

  void Recognise(const ScatteredBatch& features, Workspace&, std::span<Hypothesis> hypotheses) const override {
    if (on_batch_) on_batch_(features);
    for (int64_t i = 0; i < features.segments(); ++i) {
      uint32_t checksum = 0;
      for (int64_t j = 0; j < features.rows(i) * features.width(); ++j) {
        checksum = checksum * 31 + static_cast<uint32_t>(std::lround(features.segment(i)[j] * 1000));
      }
      Hypothesis& hypothesis = hypotheses[static_cast<size_t>(i)];
      hypothesis.ids = {static_cast<int32_t>(features.rows(i)), static_cast<int32_t>(checksum & 0xFFFFFF)};
      hypothesis.scores = {-0.5F, -0.25F};
      hypothesis.times = {{0, 60}, {60, 120}};
    }
  }

  SegmentText Text(const Hypothesis& hypothesis) const override {
    SegmentText text;
    for (size_t i = 0; i < hypothesis.ids.size(); ++i) {
      text.units.push_back({std::to_string(hypothesis.ids[i]), hypothesis.times[i].first, hypothesis.times[i].second,
                            hypothesis.scores[i]});
      text.text += (i > 0 ? "-" : "") + text.units.back().text;
    }
    return text;
  }

 private:
  const std::shared_ptr<const Frontend> frontend_;
  const std::function<void(const ScatteredBatch&)> on_batch_;
};

inline std::unique_ptr<Recognizer> FakeRecognizer(const RecognizerOptions& options,
                                                  std::function<void(const ScatteredBatch&)> on_batch = nullptr) {
  auto recognizer = CreateRecognizer(options, {std::make_shared<FakeAsrModel>(std::move(on_batch)), nullptr, "fake"});
  return *std::move(recognizer);
}

inline RecognizerOptions Threads(int threads) {
  RecognizerOptions options;
  options.threads = threads;
  return options;
}

inline TranscribeOptions Interactive() {
  TranscribeOptions options;
  options.priority = Priority::kInteractive;
  return options;
}

inline std::string TextOrError(const absl::StatusOr<Transcript>& result) {
  return result.ok() ? result->text : "error: " + std::string(result.status().message());
}

// A tone whose pitch and length tell recordings apart.
inline AudioInput Tone(int number, int64_t ms) {
  std::vector<float> samples(static_cast<size_t>(ms * 16));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = 0.3F * std::sin(0.01F * static_cast<float>(number + 3) * static_cast<float>(i));
  }
  return AudioInput::Samples(std::move(samples), 16000, 1, "tone " + std::to_string(number));
}

}  // namespace tutti::testing

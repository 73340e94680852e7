#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "frontend/feature_extractor.h"

namespace tutti {

struct LogMelTables;

// Samples → Whisper's log-mel features (whisper spec §3): frames of 25 ms every 10 ms, centred on their time, Slaney's
// mel filters, a range of eight decades below the loudest of the whole input.
//
// What pads a window behind its audio is zeros of the features, not of the samples; nobody makes them here.
//
// Immutable after Create; safe from any thread.
class LogMel final : public FeatureExtractor {
 public:
  static constexpr int64_t kHop = 160;  // samples of a frame's step, at 16 kHz
  static constexpr int64_t kFramesPerSecond = 100;

  // InvalidArgument unless `mels` is 80 or 128, as the models have it.
  static absl::StatusOr<std::shared_ptr<const LogMel>> Create(int64_t mels);
  ~LogMel() override;

  int64_t mels() const { return mels_; }
  int64_t width() const override { return mels_; }
  double row_ms() const override { return 1000.0 / kFramesPerSecond; }
  int64_t Rows(int64_t samples) const override { return Frames(samples); }
  // Frames that so many samples have: those that begin before the last whole hop.
  static int64_t Frames(int64_t samples) { return samples / kHop; }

  void Compute(std::span<const float> samples, std::vector<float>& rows) const override;

 private:
  explicit LogMel(int64_t mels);

  const int64_t mels_;
  const std::unique_ptr<const LogMelTables> tables_;
};

}  // namespace tutti

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "checkpoint/model_package.h"
#include "frontend/feature_extractor.h"

namespace tutti {

struct FbankTables;

struct FrontendOptions {
  int sample_rate = 16000;  // Hz; only 16000 is supported
  int mels = 80;
  int frame_length = 400;       // samples (25 ms)
  int frame_shift = 160;        // samples (10 ms)
  int lfr_m = 7;                // frames stacked into one row
  int lfr_n = 6;                // frames between rows
  bool upscale_samples = true;  // × 32768 before the filter bank

  // From `frontend_conf` of a model package, with FunASR's defaults for missing keys. dither is ignored: an exact
  // engine uses none.
  static absl::StatusOr<FrontendOptions> FromConfig(const Config& config);
};

// Samples → rows of log-mel filter bank energies, stacked (LFR) and normalised (CMVN): spec §2.1–2.4.
//
// Immutable after Create; safe from any thread.
class Frontend final : public FeatureExtractor {
 public:
  // InvalidArgument for options out of range, or when cmvn is not empty and its width is not lfr_m · mels.
  static absl::StatusOr<std::shared_ptr<const Frontend>> Create(const FrontendOptions& options, Cmvn cmvn);
  static absl::StatusOr<std::shared_ptr<const Frontend>> FromPackage(const ModelPackage& package);
  ~Frontend() override;

  const FrontendOptions& options() const { return options_; }
  int64_t width() const override { return static_cast<int64_t>(options_.lfr_m) * options_.mels; }
  double row_ms() const override { return 1000.0 * options_.frame_shift * options_.lfr_n / options_.sample_rate; }

  // Whole 25 ms frames in `samples` samples; below 25 ms: 0.
  int64_t Frames(int64_t samples) const;
  // LFR rows for so many samples: ceil(Frames / lfr_n).
  int64_t Rows(int64_t samples) const override { return (Frames(samples) + options_.lfr_n - 1) / options_.lfr_n; }

  void Compute(std::span<const float> samples, std::vector<float>& rows) const override;

  // Appends Frames(samples.size()) rows of `mels` log energies: the filter bank alone.
  void ComputeFbank(std::span<const float> samples, std::vector<float>& frames) const;

  // Row i of the LFR with CMVN (spec §2.2) of a recording of `total` frames, of which `frames` holds those that the row
  // needs, from frame `first` on; written to `row` [width()].
  void StackRow(const float* frames, int64_t first, int64_t total, int64_t i, float* row) const;

 private:
  friend class FrontendStream;
  Frontend(const FrontendOptions& options, Cmvn cmvn);

  int64_t left() const { return (options_.lfr_m - 1) / 2; }  // frames of a row before its own

  const FrontendOptions options_;
  const Cmvn cmvn_;
  const std::unique_ptr<const FbankTables> tables_;
};

// The same rows for audio that arrives in pieces (spec §2.5): the concatenation over all calls equals Compute of the
// whole. Holds one stream's carry; not thread-safe.
class FrontendStream {
 public:
  explicit FrontendStream(std::shared_ptr<const Frontend> frontend) : frontend_(std::move(frontend)) {}

  // Appends the rows that are complete now; with `is_final` all that remain, after which the stream is as new.
  // Returns how many rows were appended.
  int64_t Accept(std::span<const float> samples, bool is_final, std::vector<float>& rows);

 private:
  void AcceptPiece(std::span<const float> samples, std::vector<float>& rows);
  // Appends rows up to `end`, of a recording that has `total` frames so far, and drops frames no later row needs.
  void Emit(int64_t end, int64_t total, std::vector<float>& rows);

  const std::shared_ptr<const Frontend> frontend_;
  std::vector<float> samples_;  // not yet consumed by the filter bank
  std::vector<float> frames_;   // filter bank frames still needed by a coming row
  int64_t first_frame_ = 0;     // absolute index of frames_[0]
  int64_t total_frames_ = 0;    // computed so far
  int64_t next_row_ = 0;
};

}  // namespace tutti

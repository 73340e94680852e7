#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "checkpoint/config.h"
#include "models/layers.h"
#include "models/position_encoding.h"
#include "models/sanm_layer.h"
#include "models/weight_source.h"
#include "nn/ragged_batch.h"
#include "nn/workspace.h"

namespace tutti {

struct SanmEncoderOptions {
  int64_t in = 560;
  int64_t width = 512;
  int64_t heads = 4;
  int64_t hidden = 2048;
  int64_t blocks = 50;
  int64_t tp_blocks = 0;  // further layers behind the first norm (spec §9)
  int64_t taps = 11;
  int64_t shift = 0;
  float norm_eps = 1e-12F;
  ComputeType compute_type = ComputeType::kF32;  // of the linear layers

  // `encoder_conf` of a model package, with FunASR's defaults for missing keys. Unimplemented for a graph that is not
  // spec §5 (SANMEncoder) or §9 (SenseVoiceEncoderSmall).
  static absl::StatusOr<SanmEncoderOptions> FromConfig(const Config& config, int64_t in);
};

// The SAN-M encoder (spec §5), and SenseVoice's with its tp blocks (§9): features → one vector of `width` per row.
//
// Immutable after Load; safe from any thread, each with its own Workspace.
class SanmEncoder {
 public:
  // Takes encoder.* from `source`; every shape must be what the options say.
  static absl::StatusOr<SanmEncoder> Load(const WeightSource& source, const SanmEncoderOptions& options);

  const SanmEncoderOptions& options() const { return options_; }

  // encoded is [rows, width].
  void Run(const ScatteredBatch& features, Workspace& workspace, float* encoded) const;

  // Floating-point operations (two a multiply-add) of the products for one segment of `rows` rows: linear layers and
  // attention.
  double Operations(int64_t rows) const;

 private:
  explicit SanmEncoder(const SanmEncoderOptions& options) : options_(options), positions_(options.in) {}

  // Rows [first, first + count) of the batch with positions, to `rows`.
  void AddPositions(const ScatteredBatch& features, int64_t first, int64_t count, float* rows) const;

  SanmEncoderOptions options_;
  PositionEncoding positions_;
  std::vector<SanmLayer> layers_;
  Norm after_norm_;
  std::vector<SanmLayer> tp_layers_;
  Norm tp_norm_;
};

}  // namespace tutti

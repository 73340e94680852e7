#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "checkpoint/config.h"
#include "models/layers.h"
#include "models/output_layer.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/ragged_batch.h"
#include "nn/workspace.h"

namespace tutti {

struct ParaformerDecoderOptions {
  int64_t width = 512;
  int64_t heads = 4;
  int64_t hidden = 2048;
  int64_t attention_layers = 16;  // "decoders": feed-forward, FSMN, attention to the encoder
  int64_t plain_layers = 0;       // "decoders2": the same without attention
  int64_t taps = 11;
  int64_t shift = 0;
  int64_t vocabulary = 8404;
  float norm_eps = 1e-12F;
  ComputeType compute_type = ComputeType::kF32;  // of the linear layers but the output layer, which stays f32

  // `decoder_conf` of a model package, with FunASR's defaults for missing keys. Unimplemented for a graph that is not
  // spec §7.
  static absl::StatusOr<ParaformerDecoderOptions> FromConfig(const Config& config, int64_t width, int64_t vocabulary);
};

// The Paraformer decoder (spec §7): acoustic embeddings, one a token, to log-probabilities of the vocabulary, all
// tokens at once.
//
// Immutable after Load; safe from any thread, each with its own Workspace.
class ParaformerDecoder {
 public:
  // Takes decoder.* from `source`; every shape must be what the options say.
  static absl::StatusOr<ParaformerDecoder> Load(const WeightSource& source, const ParaformerDecoderOptions& options);

  const ParaformerDecoderOptions& options() const { return options_; }

  // Segment i of `acoustic` listens to segment i of `encoded`. decoded is [tokens, width] and may be acoustic's rows.
  void Run(const RaggedBatch& acoustic, const RaggedBatch& encoded, Workspace& workspace, float* decoded) const;

  // What makes words of `decoded`.
  const OutputLayer& output() const { return output_; }

 private:
  struct FeedForward {
    Norm norm1;
    Linear up;
    Norm inner;
    Linear down;
  };
  struct Layer {
    FeedForward feed_forward;
    Norm norm2;
    Fsmn fsmn;
    // Attention layers only.
    Norm norm3;
    Linear q, kv, out;
  };

  explicit ParaformerDecoder(const ParaformerDecoderOptions& options) : options_(options) {}

  static absl::StatusOr<FeedForward> LoadFeedForward(const WeightSource& source, std::string_view name,
                                                     const ParaformerDecoderOptions& options);
  static absl::StatusOr<Layer> LoadLayer(const WeightSource& source, std::string_view name, bool attention,
                                         const ParaformerDecoderOptions& options);
  // x == y is allowed.
  void RunFeedForward(const FeedForward& block, const float* x, int64_t rows, float* y, Workspace& workspace) const;
  // x += attention to `encoded`; `normed` is scratch memory of x's size.
  void Attend(const Layer& layer, std::span<const int64_t> offsets, const RaggedBatch& encoded, float* x, float* normed,
              Workspace& workspace) const;

  ParaformerDecoderOptions options_;
  std::vector<Layer> layers_;  // the attention layers first
  FeedForward last_;           // "decoders3"
  Norm after_norm_;
  OutputLayer output_;
};

}  // namespace tutti

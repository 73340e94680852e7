#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "models/embedding_table.h"
#include "models/layers.h"
#include "models/weight_source.h"
#include "models/whisper_layers.h"
#include "nn/cross_attention.h"
#include "nn/kv_pool.h"
#include "nn/linear.h"
#include "nn/workspace.h"

namespace tutti {

// Tokens that a hypothesis is about to hear: all of its prompt, or the one that was found last.
struct WhisperInput {
  KvSequence* cache = nullptr;  // of the tokens before them
  const CrossMemory* memory = nullptr;
  std::span<const int32_t> tokens;
};

// Cross-attention to look at: of layer and head pairs, of the tokens of one input.
struct WhisperProbe {
  std::span<const std::pair<int64_t, int64_t>> heads;  // layer, head
  float* weights = nullptr;                            // receives [heads, tokens, rows of the memory]
};

// Whisper's decoder (whisper spec §4), a step at a time over the hypotheses of any number of utterances.
//
// A row's result depends on its own hypothesis and utterance alone, to the last bit. Immutable after Load; safe from
// any thread, each with its own Workspace.
class WhisperDecoder {
 public:
  // Takes decoder/… from `source`; every shape must be what `dims` says.
  static absl::StatusOr<WhisperDecoder> Load(const WeightSource& source, const WhisperDims& dims);

  const WhisperDims& dims() const { return dims_; }
  KvPool MakePool(int64_t max_bytes) const { return {dims_.decoder_layers, dims_.width, max_bytes}; }

  // What the decoder wants of an utterance's encoding [rows, width], for all its steps.
  CrossMemory Listen(const float* encoded, int64_t rows, Workspace& workspace) const;

  // Adds the tokens of each input to its cache, no two of which may be the same; ids are within the vocabulary and a
  // cache holds text_positions tokens at most. Inputs of one utterance read its memory together where they are
  // neighbours. hidden [all tokens, width], input after input, is what Logits takes. With a probe there is one input.
  void Run(std::span<const WhisperInput> inputs, Workspace& workspace, float* hidden,
           const WhisperProbe* probe = nullptr) const;

  // hidden [rows, width] → logits [rows, vocabulary].
  void Logits(const float* hidden, int64_t rows, Workspace& workspace, float* logits) const;

 private:
  struct Layer {
    WhisperNorm norm;
    Linear qkv, out;
    WhisperNorm cross_norm;
    Linear q, kv, cross_out;
    WhisperFeedForward feed_forward;
  };
  // A token on its way through the layers.
  struct Row {
    KvSequence* cache;
    int64_t position;
  };
  // Consecutive rows that attend to the same memory.
  struct Group {
    const CrossMemory* memory;
    int64_t first, rows;
  };

  explicit WhisperDecoder(const WhisperDims& dims) : dims_(dims) {}

  static absl::StatusOr<Layer> LoadLayer(const WeightSource& source, std::string_view name, const WhisperDims& dims);
  void Embed(std::span<const WhisperInput> inputs, float* x) const;
  // x += attention of each row to the tokens before it, and of each to its memory; `scratch` has 3 · width floats a
  // row.
  void Attend(int64_t layer, std::span<const Row> rows, float* x, float* scratch, Workspace& workspace) const;
  void AttendToMemory(int64_t layer, std::span<const Group> groups, int64_t rows, float* x, float* scratch,
                      const WhisperProbe* probe, Workspace& workspace) const;
  AttentionShape attention_shape() const { return {dims_.decoder_heads, dims_.width / dims_.decoder_heads}; }
  float attention_scale() const;

  WhisperDims dims_;
  EmbeddingTable embeddings_;     // empty where output_, which has the same weights, can be asked for them
  std::vector<float> positions_;  // [text_positions, width]
  std::vector<Layer> layers_;
  WhisperNorm norm_;
  Linear output_;
};

}  // namespace tutti

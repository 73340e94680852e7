#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "checkpoint/tensor.h"

namespace tutti {

// Whose names the tensors of a Whisper have.
enum class WhisperNames {
  kHuggingFace,  // model.encoder.layers.0.self_attn.q_proj.weight
  kOpenAi,       // encoder.blocks.0.attn.query.weight
};

// The same weights under CTranslate2's names (whisper spec §2), in which queries, keys and values are one matrix. Views
// only: what is joined is so when it is read. `source` is kept.
//
// Names may begin with `model.` in either format. A tensor that the network needs and `source` lacks is NotFound by its
// name there; one whose rows do not fit beside those that it is joined with is InvalidArgument.
absl::StatusOr<std::shared_ptr<const Checkpoint>> RenameWhisper(WhisperNames names,
                                                                const std::shared_ptr<const Checkpoint>& source);

}  // namespace tutti

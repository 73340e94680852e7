#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "checkpoint/model_package.h"

namespace tutti {

// A whole model in a GGUF file, in one of three dialects that general.architecture tells apart (docs/models.md):
//   tutti        what `tutti models convert` writes
//   paraformer   what FunASR's runtime/llama.cpp exports, f32, f16 or q8_0
//   fsmn-vad     the same for the VAD
//
// In all of them tensors have the checkpoint's names, cmvn.shift and cmvn.scale are the feature statistics, and FSMN
// kernels lie tap by tap. In the package they are as a model directory would have them.
//
// `path` is for errors. Unimplemented for another architecture.
absl::StatusOr<ModelPackage> OpenGgufPackage(const std::string& path);
// The same of bytes in memory, which must outlive the package.
absl::StatusOr<ModelPackage> ParseGgufPackage(const std::string& path, std::span<const std::byte> bytes);

// Names in the tutti dialect.
namespace gguf {
inline constexpr char kArchitecture[] = "tutti";
inline constexpr char kFormatKey[] = "tutti.format";  // u32
inline constexpr uint32_t kFormat = 1;
inline constexpr char kComputeTypeKey[] = "tutti.compute_type";  // "f32", "bf16" or "int8"
inline constexpr char kConfigPrefix[] = "tutti.config.";
inline constexpr char kTokensKey[] = "tutti.tokens";           // id → token
inline constexpr char kWordsKey[] = "tutti.seg_dict.words";    // as long as the pieces
inline constexpr char kPiecesKey[] = "tutti.seg_dict.pieces";  // of each word, with a space between two
inline constexpr char kMergesKey[] = "tutti.bpe.merges";       // "left right" each
inline constexpr char kAddedTokensKey[] = "tutti.bpe.added";   // tokens that are taken whole
inline constexpr char kShift[] = "cmvn.shift";
inline constexpr char kScale[] = "cmvn.scale";
// An int8 matrix that divides into panels is in that order (DType::kI8Panels), any other row by row.
inline constexpr int64_t kPanelColumns = 32;
inline constexpr int64_t kPanelWord = 4;
}  // namespace gguf

// Whether a tensor of this name is an FSMN kernel: [width, 1, taps] or [width, 1, taps, 1] in a checkpoint, [taps,
// width] in a GGUF file.
bool IsFsmnKernel(std::string_view name);

}  // namespace tutti

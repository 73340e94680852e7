#include "cli/serve_command.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/print.h"
#include "cli/default_models.h"
#include "cli/exit_codes.h"
#include "cli/isolation_flags.h"
#include "cli/model_registry.h"
#include "cli/repair_hint.h"
#include "cli/usage_error.h"
#include "pool/forker.h"
#include "pool/process_pool.h"
#include "server/listener.h"
#include "server/server.h"
#include "service/config.h"
#include "service/log.h"

namespace tutti {
namespace {

// Where recordings run in processes, which a forker makes.
absl::StatusOr<std::shared_ptr<Recognizer>> MakePool(const ServeOptions::Models& models, RecognizerOptions recognizer,
                                                     Forker& forker, const Log& log) {
  PoolOptions options;
  options.recognizer = std::move(recognizer);
  options.streams = true;
  options.processes = models.processes;
  options.retries = models.retries;
  const ProcessLimits limits = {.memory_mb = models.process_memory,
                                .recycle_after = models.recycle_after,
                                .recycle_minutes = models.recycle_minutes,
                                .recycle_memory_mb = models.recycle_memory};
  limits.ApplyTo(options);
  // Recordings that are made to end processes may come without end; they shall not end the service.
  options.max_deaths_in_a_row = std::numeric_limits<int>::max();
  options.quote_workers = false;
  options.on_log = [&log](std::string_view line) {
    log.Write(LogLevel::kWarning, "process", {{"what", std::string(line)}});
  };
  TUTTI_ASSIGN_OR_RETURN(std::shared_ptr<Recognizer> pool, ProcessPool::Create(std::move(options), &forker));
  return pool;
}

// The name or path in "NAME=PATH", "NAME" or "PATH".
std::string PlaceOf(const std::string& given) {
  const size_t equals = given.find('=');
  return equals == std::string::npos ? given : given.substr(equals + 1);
}

// "NAME=PATH", a registered name, or a path, whose last part is the name then.
absl::StatusOr<LoadedModel> Load(const ServeOptions& options, const std::string& given, const RecognizerMaker& make) {
  TUTTI_ASSIGN_OR_RETURN(const ModelRegistry registry, ModelRegistry::Load(ModelRegistry::SearchFolders()));
  const size_t equals = given.find('=');
  const std::string where = PlaceOf(given);
  std::string name =
      equals == std::string::npos ? std::filesystem::path(given).filename().string() : given.substr(0, equals);
  if (name.empty()) name = std::filesystem::path(given).parent_path().filename().string();
  const auto model = registry.Find(where);
  if (!model.ok()) return WithContext(model.status(), "models.model");
  std::string vad;
  if (options.models.vad != "none") {
    const auto found = registry.Find(options.models.vad);
    if (!found.ok()) return WithContext(found.status(), "models.vad");
    vad = *found;
  }
  auto loaded = LoadModel(options, std::move(name), *model, vad, make);
  if (!loaded.ok()) return WithRepairHint(loaded.status(), {*model, vad});
  return loaded;
}

std::string GroupOf(const std::string& section) {
  std::string group = section;
  group.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(group.front())));
  return group;
}

}  // namespace

CLI::App* ServeCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "answer HTTP and WebSocket clients until a signal ends it");
  command->footer(
      "Examples:\n"
      "  tutti serve\n"
      "  tutti serve --model zh=~/models/paraformer-large --model sense=~/models/SenseVoiceSmall\n"
      "  tutti serve --host 0.0.0.0 --keys /etc/tutti/keys --tls-certificate cert.pem --tls-key key.pem\n"
      "  tutti serve --config /etc/tutti/tutti.toml --print-config\n"
      "\n"
      "Each option can be given as a flag, in the environment (TUTTI_LIMITS_QUEUE_SECONDS) or in a TOML file\n"
      "([limits] queue_seconds = …), the first of these that there is counts. SIGTERM and Ctrl-C finish what was\n"
      "accepted and end; SIGHUP reads the file, keys and models anew. docs/http.md has the interfaces.\n"
      "\n"
      "Exit code: 0 everything accepted was finished, 1 something was not, 2 wrong usage.");
  command->add_option("-c,--config", config_, "a TOML file of these options")->option_text("FILE");
  command->add_flag("--print-config", print_config_, "print the options in force as a TOML file, and end");
  for (const ServeSetting& setting : ServeSettings()) {
    CLI::Option* option = nullptr;
    if (setting.is_switch) {
      option = command->add_flag_callback(
          setting.flag(), [this, flag = setting.flag()] { flags_[flag] = {}; }, setting.help);
    } else {
      option = command->add_option_function<std::vector<std::string>>(
          setting.flag(),
          [this, flag = setting.flag()](const std::vector<std::string>& values) { flags_[flag] = values; },
          setting.help);
      option->allow_extra_args(false)->option_text(setting.is_list ? "VALUE …" : "VALUE");
      option->multi_option_policy(setting.is_list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
    option->group(GroupOf(setting.section));
  }
  return command;
}

int ServeCommand::Run() const {
  ServeOptions defaults;
  defaults.models.model = {kDefaultModel};
  const auto read = [this, &defaults] {
    return ResolveServeOptions(
        defaults, config_, [](const std::string& name) -> const char* { return std::getenv(name.c_str()); }, flags_);
  };
  const auto options = read();
  if (!options.ok()) return UsageError(options.status());
  if (print_config_) {
    PrintText(stdout, "{}", PrintConfig(*options));
    return kExitOk;
  }
  if (const absl::Status status = Validate(*options); !status.ok()) return UsageError(status);
  std::vector<std::string> needed = {options->models.vad};
  for (const std::string& given : options->models.model) needed.push_back(PlaceOf(given));
  if (const absl::Status status = FetchDefaultModels(needed, ProgressMode::kLines); !status.ok())
    return CannotStart(status);
  const Log process_log(stderr, options->log.level == "error" ? LogLevel::kError : LogLevel::kWarning);
  std::unique_ptr<Forker> forker;  // stays null with threads
  if (options->models.isolation == "process") {
    auto forked = Forker::Create([&options] { return BecomeUser(options->security.user); });
    if (!forked.ok()) return CannotStart(forked.status());
    forker = *std::move(forked);
  }
  const auto load = [&forker, &process_log](const ServeOptions& now, const std::string& given) {
    return Load(now, given, [&](const RecognizerOptions& recognizer) -> absl::StatusOr<std::shared_ptr<Recognizer>> {
      if (forker != nullptr) return MakePool(now.models, recognizer, *forker, process_log);
      return Recognizer::Create(recognizer);
    });
  };
  const auto server = Server::Create(*options, load, read);
  if (!server.ok()) return CannotStart(server.status());
  PrintText(stderr, "tutti: serving at {}\n", (*server)->url());
  return (*server)->Run() ? kExitOk : kExitFailed;
}

}  // namespace tutti

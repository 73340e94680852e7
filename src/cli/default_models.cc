#include "cli/default_models.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/print.h"
#include "cli/model_registry.h"
#include "cli/pull_display.h"
#include "cli/shown_pull.h"

namespace tutti {
namespace {

// Pulls in a process of its own, which ends when this one does.
absl::Status PullInChild(const ModelSpec& spec, ProgressMode mode) {
  const std::string folder = ModelRegistry::CacheFolder();
  if (folder.empty()) return FailedPrecondition("there is no place for models: set TUTTI_HOME to a folder");
  int message[2];
  if (pipe2(message, O_CLOEXEC) != 0) return absl::UnavailableError(std::strerror(errno));
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    close(message[0]);
    ProgressDisplay display(mode, stderr);
    const bool says = mode != ProgressMode::kNone;
    if (says) {
      display.Say(fmt::format("{}, a default model, is not here yet: fetching {} into {}, once", spec.name,
                              ShownBytes(spec.size()), folder));
    }
    ModelCache cache(folder);
    const auto pulled = PullShown(cache, spec, mode);
    if (pulled.ok()) {
      if (says) display.Say(PulledText(spec, *pulled));
      _exit(0);
    }
    const std::string text = Message(pulled.status());
    // A pipe holds more than a message has; whatever is cut off is the parent's loss alone.
    const ssize_t written = write(message[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 1 : 2);
  }
  const int fork_error = errno;
  close(message[1]);
  std::string text;
  char piece[4096];
  for (ssize_t size; child > 0 && (size = read(message[0], piece, sizeof(piece))) != 0;) {
    if (size > 0) text.append(piece, static_cast<size_t>(size));
    if (size < 0 && errno != EINTR) break;
  }
  close(message[0]);
  if (child < 0) return absl::UnavailableError(fmt::format("fork: {}", std::strerror(fork_error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  if (WIFSIGNALED(status)) text = fmt::format("{}: the download was ended by signal {}", spec.name, WTERMSIG(status));
  return absl::UnavailableError(text);
}

bool IsHere(const ModelRegistry& registry, const char* name) { return registry.Find(name).ok(); }

// What to do where a default model cannot be had.
std::string Remedy(const ModelRegistry& registry) {
  std::string missing;
  for (const char* name : {kDefaultModel, kDefaultVad}) {
    if (!IsHere(registry, name)) missing += fmt::format(" {}", name);
  }
  std::string other = "--model DIR";
  if (IsHere(registry, "demo-paraformer")) other += " or --model demo-paraformer, which knows little";
  if (!IsHere(registry, kDefaultVad)) other += ", and --vad DIR or --vad none";
  return fmt::format(
      "with a network `tutti models pull{}` fetches what is missing, once; without, copy the folder {} of a machine "
      "where that was done; or name a model that is here: {}",
      missing, ModelRegistry::CacheFolder(), other);
}

}  // namespace

bool IsDefaultModel(std::string_view name) { return name == kDefaultModel || name == kDefaultVad; }

absl::Status FetchDefaultModels(const std::vector<std::string>& names, ProgressMode mode) {
  for (const std::string& name : names) {
    if (!IsDefaultModel(name)) continue;
    TUTTI_ASSIGN_OR_RETURN(const ModelRegistry registry, ModelRegistry::Load(ModelRegistry::SearchFolders()));
    if (registry.Find(name).ok()) continue;
    const auto spec = registry.Lookup(name);
    const absl::Status status = spec.ok() ? PullInChild(*spec, mode) : spec.status();
    if (!status.ok()) return absl::UnavailableError(fmt::format("{}\n{}", Message(status), Remedy(registry)));
  }
  return absl::OkStatus();
}

}  // namespace tutti

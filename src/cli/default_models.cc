#include "cli/default_models.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "cli/model_registry.h"
#include "cli/pull_display.h"
#include "cli/shown_pull.h"

namespace tutti {
namespace {

// What the child does: pulls, or writes to `message` why it cannot. The exit code.
int PullAndTell(const ModelSpec& spec, const std::string& folder, ProgressMode mode, int message) {
  ProgressDisplay display(mode, stderr);
  const auto say = [&](const std::string& line) {
    if (mode != ProgressMode::kNone) display.Say(line);
  };
  say(fmt::format("{}, a default model, is not here yet: fetching {} into {}, once", spec.name, ShownBytes(spec.size()),
                  folder));
  ModelCache cache(folder);
  const auto pulled = PullShown(cache, spec, mode);
  if (pulled.ok()) {
    say(PulledText(spec, *pulled));
    return 0;
  }
  const std::string text = Message(pulled.status());
  return write(message, text.data(), text.size()) < 0 ? 2 : 1;  // a pipe has room for more than a message
}

std::string ReadAll(int fd) {
  std::string text;
  char piece[4096];
  for (ssize_t size; (size = read(fd, piece, sizeof(piece))) != 0;) {
    if (size > 0) text.append(piece, static_cast<size_t>(size));
    if (size < 0 && errno != EINTR) break;
  }
  return text;
}

// Pulls in a process of its own, which ends when this one does.
absl::Status PullInChild(const ModelSpec& spec, ProgressMode mode) {
  const std::string folder = ModelRegistry::CacheFolder();
  if (folder.empty()) return FailedPrecondition("there is no place for models: set TUTTI_HOME to a folder");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::UnavailableError(std::strerror(errno));
  const UniqueFd message(ends[0]);
  UniqueFd told(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    _exit(PullAndTell(spec, folder, mode, told.get()));
  }
  const int fork_error = errno;
  told.Reset();
  std::string text = child > 0 ? ReadAll(message.get()) : fmt::format("fork: {}", std::strerror(fork_error));
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  if (child > 0 && WIFSIGNALED(status)) {
    text = fmt::format("{}: the download was ended by signal {}", spec.name, WTERMSIG(status));
  }
  return absl::UnavailableError(text);
}

bool IsHere(const ModelRegistry& registry, const char* name) { return registry.Find(name).ok(); }

// What to do where a default model cannot be had.
std::string Remedy(const ModelRegistry& registry) {
  std::string missing;
  for (const char* name : {kDefaultModel, kDefaultVad}) {
    if (!IsHere(registry, name)) missing += fmt::format(" {}", name);
  }
  const std::string folder = ModelRegistry::CacheFolder();
  std::string other = "--model DIR";
  if (IsHere(registry, "demo-paraformer")) other += " or --model demo-paraformer, which knows little";
  if (!IsHere(registry, kDefaultVad)) other += ", and --vad DIR or --vad none";
  return fmt::format(
      "With a network, `tutti models pull{}` fetches what is missing, once. Without, copy the models from a machine "
      "that has them to {}, or name a model that is here: {}.",
      missing, folder.empty() ? "the models folder of TUTTI_HOME" : folder, other);
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
    if (!status.ok()) return absl::UnavailableError(fmt::format("{}.\n{}", Message(status), Remedy(registry)));
  }
  return absl::OkStatus();
}

}  // namespace tutti

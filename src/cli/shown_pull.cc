#include "cli/shown_pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/pull_display.h"

namespace tutti {

absl::StatusOr<ModelCache::Pulled> PullShown(ModelCache& cache, const ModelSpec& spec, ProgressMode mode) {
  if (mode == ProgressMode::kNone || mode == ProgressMode::kJson) {
    ProgressDisplay display(mode, stderr);
    return cache.Pull(spec, {.say =
                                 [&](std::string_view line) {
                                   if (mode == ProgressMode::kJson) display.Say(line);
                                 },
                             .progress = [](int64_t, int64_t) {}});
  }
  PullDisplay display(spec.name, mode == ProgressMode::kBar, stderr);
  return cache.Pull(
      spec, {.say = [&](std::string_view line) { display.Say(line); },
             .progress = [&](int64_t done,
                             int64_t total) { display.Update(done, total, std::chrono::steady_clock::now()); }});
}

std::string PulledText(const ModelSpec& spec, const ModelCache::Pulled& pulled) {
  const Manifest& manifest = pulled.manifest;
  return fmt::format("{}: {}, {} files, {}, checked ({}; licence: {})", spec.name, pulled.directory,
                     manifest.files.size(), ShownBytes(BytesOf(manifest.files)),
                     pulled.was_there ? "was there" : "from " + manifest.source,
                     manifest.license.empty() ? "see the hub's page" : manifest.license);
}

int64_t BytesOf(const std::vector<ModelFile>& files) {
  int64_t sum = 0;
  for (const ModelFile& file : files) sum += std::max<int64_t>(file.size, 0);
  return sum;
}

}  // namespace tutti

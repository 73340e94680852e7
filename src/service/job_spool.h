#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tutti {

// Where a job's audio lies: FOLDER/job-ID.audio. Only names of this form are ever removed as left over, so a folder may
// be shared with other things.
std::string JobAudioPath(const std::string& folder, std::string_view id);

// Gives a finished upload the name under which a job knows it, and returns once neither its bytes nor its name can be
// lost: call it before JobStore::Add. Both must lie in one file system. On an error the upload is where it was.
absl::Status KeepUpload(const std::string& upload, const std::string& audio_path);

// Removes the audio files in `folder` that are not `in_use` (full paths); returns the bytes of those that are. For the
// start of a service, when no upload is on its way.
absl::StatusOr<int64_t> RemoveLeftOverAudio(const std::string& folder, const std::set<std::string>& in_use);

}  // namespace tutti

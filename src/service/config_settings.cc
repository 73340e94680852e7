#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "service/config.h"
#include "tutti/compute_type.h"

namespace tutti {
namespace {

using Values = std::vector<std::string>;

// Where a setting's value lies: Field<&ServeOptions::limits, &ServeOptions::Limits::queue_seconds>.
template <auto section, auto field>
struct Field {
  static auto& In(ServeOptions& options) { return options.*section.*field; }
  static const auto& In(const ServeOptions& options) { return options.*section.*field; }
};

template <typename At>
ServeSetting Named(const char* section, const char* name, const char* help) {
  ServeSetting setting;
  setting.copy = [](ServeOptions& to, const ServeOptions& from) { At::In(to) = At::In(from); };
  setting.section = section;
  setting.name = name;
  setting.help = help;
  return setting;
}

template <typename T>
std::optional<T> Parsed(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsUtf8WithoutNul(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      code = code << 6 | (byte & 0x3f);
    }
    if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000)) return false;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

// TOML is UTF-8; a value that --print-config could not show is refused rather than changed.
absl::Status CheckText(const std::string& value) {
  return IsUtf8WithoutNul(value) ? absl::OkStatus() : InvalidArgument("expected UTF-8 text without NUL");
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

constexpr std::pair<std::string_view, int> kSizeUnits[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}};

template <typename At>
ServeSetting Whole(const char* section, const char* name, int minimum, int maximum, const char* help) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.set = [minimum, maximum](ServeOptions& options, const Values& values) {
    const auto value = Parsed<int>(values[0]);
    if (!value || *value < minimum || *value > maximum) {
      return InvalidArgument("{}, expected a whole number from {} to {}", values[0], minimum, maximum);
    }
    At::In(options) = *value;
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) { return fmt::format("{}", At::In(options)); };
  return setting;
}

// Any finite number > 0, or ≥ 0 with `zero`.
template <typename At>
ServeSetting Number(const char* section, const char* name, bool zero, const char* help) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.set = [zero](ServeOptions& options, const Values& values) {
    const auto value = Parsed<double>(values[0]);
    if (!value) return InvalidArgument("{}, expected a number", values[0]);
    // A year in seconds: beyond it arithmetic with time overflows somewhere.
    if (!(zero ? *value >= 0 : *value > 0) || *value > 366 * 86400.0) {
      return InvalidArgument("{}, expected {} 0 and at most {}", values[0], zero ? "≥" : ">", 366 * 86400);
    }
    At::In(options) = *value;
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) { return fmt::format("{}", At::In(options)); };
  return setting;
}

template <typename At>
ServeSetting Size(const char* section, const char* name, const char* help) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.set = [](ServeOptions& options, const Values& values) {
    std::string_view digits = values[0];
    int shift = 0;
    for (const auto& [unit, bits] : kSizeUnits) {
      if (!digits.ends_with(unit)) continue;
      digits.remove_suffix(unit.size());
      if (digits.ends_with(' ')) digits.remove_suffix(1);
      shift = bits;
      break;
    }
    const auto value = Parsed<int64_t>(digits);
    if (!value || *value < 1 || *value > std::numeric_limits<int64_t>::max() >> shift) {
      return InvalidArgument("{}, expected a number of bytes > 0, such as 536870912 or 512MiB (KiB, MiB, GiB, TiB)",
                             values[0]);
    }
    At::In(options) = *value << shift;
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) {
    const int64_t bytes = At::In(options);
    for (const auto& [unit, bits] : kSizeUnits) {
      if (bytes % (int64_t{1} << bits) == 0) return fmt::format("\"{}{}\"", bytes >> bits, unit);
    }
    return fmt::format("{}", bytes);
  };
  return setting;
}

template <typename At>
ServeSetting Switch(const char* section, const char* name, const char* help) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.is_switch = true;
  setting.set = [](ServeOptions& options, const Values& values) {
    if (values[0] != "true" && values[0] != "false") return InvalidArgument("{}, expected true or false", values[0]);
    At::In(options) = values[0] == "true";
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) { return At::In(options) ? "true" : "false"; };
  return setting;
}

// `problem`, if any, says what was expected instead of a value, "" when it is good.
template <typename At>
ServeSetting Text(const char* section, const char* name, const char* help,
                  std::function<std::string(const std::string&)> problem = nullptr) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.set = [problem = std::move(problem)](ServeOptions& options, const Values& values) {
    TUTTI_RETURN_IF_ERROR(CheckText(values[0]));
    const std::string expected = problem ? problem(values[0]) : "";
    if (!expected.empty()) return InvalidArgument("'{}', expected {}", values[0], expected);
    At::In(options) = values[0];
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) { return Quoted(At::In(options)); };
  return setting;
}

template <typename At>
ServeSetting List(const char* section, const char* name, const char* help,
                  std::function<std::string(const std::string&)> problem) {
  ServeSetting setting = Named<At>(section, name, help);
  setting.is_list = true;
  setting.set = [problem = std::move(problem)](ServeOptions& options, const Values& values) {
    for (const std::string& value : values) {
      TUTTI_RETURN_IF_ERROR(CheckText(value));
      const std::string expected = problem(value);
      if (!expected.empty()) return InvalidArgument("'{}', expected {}", value, expected);
    }
    At::In(options) = values;
    return absl::OkStatus();
  };
  setting.toml = [](const ServeOptions& options) {
    std::string list;
    for (const std::string& value : At::In(options)) list += (list.empty() ? "" : ", ") + Quoted(value);
    return "[" + list + "]";
  };
  return setting;
}

std::string NotEmpty(const std::string& value) { return value.empty() ? "not an empty text" : ""; }

std::string ModelProblem(const std::string& value) {
  const bool bad = value.empty() || value.front() == '=' || value.back() == '=';
  return bad ? "NAME, PATH or NAME=PATH" : "";
}

std::string LevelProblem(const std::string& value) {
  const bool good = value == "debug" || value == "info" || value == "warning" || value == "error";
  return good ? "" : "debug, info, warning or error";
}

std::string ComputeTypeProblem(const std::string& value) {
  return ParseComputeType(value).ok() ? "" : "auto, f32, bf16 or int8";
}

std::string IsolationProblem(const std::string& value) {
  return value == "thread" || value == "process" ? "" : "thread or process";
}

std::string OriginProblem(const std::string& value) {
  if (value == "*") return "";
  const size_t scheme = value.starts_with("https://") ? 8 : value.starts_with("http://") ? 7 : 0;
  const bool good = scheme > 0 && value.size() > scheme && value.find_first_of("/?# \t,", scheme) == std::string::npos;
  return good ? "" : "* or an origin such as https://example.org (no path)";
}

std::string HostProblem(const std::string& value) {
  const bool good = !value.empty() && value.find_first_of("/:?#@ \t,*") == std::string::npos;
  return good ? "" : "a host's name such as media.example.org";
}

std::vector<ServeSetting> MakeSettings() {
  using O = ServeOptions;
  return {
      Text<Field<&O::listen, &O::Listen::host>>("listen", "host", "address to listen on; a public one needs keys",
                                                NotEmpty),
      Whole<Field<&O::listen, &O::Listen::port>>("listen", "port", 0, 65535, "0: any that is free"),
      Text<Field<&O::listen, &O::Listen::tls_certificate>>("listen", "tls_certificate",
                                                           "PEM file with the certificate and its chain"),
      Text<Field<&O::listen, &O::Listen::tls_key>>("listen", "tls_key", "PEM file with the certificate's key"),
      Switch<Field<&O::listen, &O::Listen::insecure>>("listen", "insecure", "allow a public address without keys"),
      Whole<Field<&O::listen, &O::Listen::max_connections>>("listen", "max_connections", 1, 1'000'000,
                                                            "connections at once"),

      List<Field<&O::models, &O::Models::model>>("models", "model", "NAME, PATH or NAME=PATH; the first is the default",
                                                 ModelProblem),
      Text<Field<&O::models, &O::Models::vad>>("models", "vad", "VAD model, NAME or PATH; none: no VAD", NotEmpty),
      Text<Field<&O::models, &O::Models::compute_type>>("models", "compute_type", "auto, f32, bf16 or int8",
                                                        ComputeTypeProblem),
      Whole<Field<&O::models, &O::Models::threads>>("models", "threads", 0, 4096,
                                                    "threads that run the network; 0: one per core"),
      Whole<Field<&O::models, &O::Models::decode_threads>>("models", "decode_threads", 0, 4096,
                                                           "threads that decode audio; 0: as many as threads"),
      Number<Field<&O::models, &O::Models::batch_seconds>>("models", "batch_seconds", false,
                                                           "audio that a batch holds at most"),
      Text<Field<&O::models, &O::Models::isolation>>(
          "models", "isolation", "thread; process: decodes and recognises in processes that may end", IsolationProblem),
      Whole<Field<&O::models, &O::Models::processes>>("models", "processes", 0, 256,
                                                      "of a model, with `threads` each (0: one); 0: all cores"),
      Whole<Field<&O::models, &O::Models::retries>>("models", "retries", 0, 1000,
                                                    "of a recording that ended its process, alone in one"),
      Number<Field<&O::models, &O::Models::process_memory>>("models", "process_memory", true,
                                                            "MB of a process beyond the models; 0: no limit"),
      Whole<Field<&O::models, &O::Models::recycle_after>>("models", "recycle_after", 0, 1'000'000'000,
                                                          "recordings until a process is replaced; 0: never"),
      Number<Field<&O::models, &O::Models::recycle_minutes>>("models", "recycle_minutes", true,
                                                             "until a process is replaced; 0: never"),
      Number<Field<&O::models, &O::Models::recycle_memory>>(
          "models", "recycle_memory", true, "MB, models included, at which a process is replaced; 0: never"),

      Size<Field<&O::limits, &O::Limits::max_body_bytes>>("limits", "max_body_bytes", "of one request"),
      Number<Field<&O::limits, &O::Limits::max_audio_seconds>>("limits", "max_audio_seconds", false,
                                                               "length of one recording"),
      Whole<Field<&O::limits, &O::Limits::max_uploads>>("limits", "max_uploads", 1, 1'000'000,
                                                        "bodies being received at once"),
      Number<Field<&O::limits, &O::Limits::queue_seconds>>("limits", "queue_seconds", false,
                                                           "audio accepted and unfinished"),
      Number<Field<&O::limits, &O::Limits::requests_per_minute>>("limits", "requests_per_minute", true,
                                                                 "of one tenant; 0: no limit"),
      Number<Field<&O::limits, &O::Limits::request_burst>>("limits", "request_burst", false,
                                                           "requests of one tenant at once"),
      Size<Field<&O::limits, &O::Limits::spool_bytes>>("limits", "spool_bytes",
                                                       "uploads and jobs' audio on disk at once"),
      Number<Field<&O::limits, &O::Limits::header_seconds>>(
          "limits", "header_seconds", false, "to send a request's header, and between two requests of a connection"),
      Number<Field<&O::limits, &O::Limits::body_seconds>>("limits", "body_seconds", false,
                                                          "without a byte of the body"),
      Number<Field<&O::limits, &O::Limits::drain_seconds>>("limits", "drain_seconds", true,
                                                           "to finish what was accepted, after SIGTERM"),

      Text<Field<&O::files, &O::Files::spool>>("files", "spool",
                                               "folder for uploads; empty: one below $TMPDIR, removed at the end"),
      Text<Field<&O::files, &O::Files::jobs>>("files", "jobs", "SQLite file of durable jobs; empty: /v1/jobs is off"),
      Number<Field<&O::files, &O::Files::retention_hours>>("files", "retention_hours", false,
                                                           "how long ended jobs are kept"),

      Text<Field<&O::security, &O::Security::keys>>("security", "keys",
                                                    "file made by `tutti keys`; empty: everybody is welcome"),
      List<Field<&O::security, &O::Security::cors_origins>>("security", "cors_origins",
                                                            "origins whose pages may call; empty: none", OriginProblem),
      List<Field<&O::security, &O::Security::allow_url>>(
          "security", "allow_url", "hosts from which {\"url\": …} may fetch; empty: none", HostProblem),
      Text<Field<&O::security, &O::Security::ca_certificates>>(
          "security", "ca_certificates",
          "PEM file of the authorities that vouch for hosts of allow_url; empty: the system's"),
      Text<Field<&O::security, &O::Security::webhook_secret>>("security", "webhook_secret",
                                                              "signs the webhooks of jobs; empty: no webhooks"),
      Text<Field<&O::security, &O::Security::user>>("security", "user",
                                                    "to become after binding, when started as root"),

      Text<Field<&O::log, &O::Log::level>>("log", "level", "debug, info, warning or error", LevelProblem),
  };
}

// What is opened or given up once, at the start; everything else can change while the service runs.
bool NeedsRestart(const ServeSetting& setting) {
  if (setting.section == "listen") return setting.name != "max_connections" && setting.name != "insecure";
  // The process that forks others has to be there before there are threads.
  if (setting.name == "isolation") return true;
  return setting.section == "files" || setting.name == "webhook_secret" || setting.name == "user";
}

}  // namespace

std::string ServeSetting::flag() const {
  // Its name alone would not say whose level it is.
  std::string flag = "--" + (section == "log" ? section + "_" + name : name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string ServeSetting::environment() const {
  std::string variable = "TUTTI_" + section + "_" + name;
  for (char& c : variable) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return variable;
}

const std::vector<ServeSetting>& ServeSettings() {
  static const std::vector<ServeSetting> settings = [] {
    std::vector<ServeSetting> made = MakeSettings();
    for (ServeSetting& setting : made) {
      setting.is_secret = setting.name == "webhook_secret";
      setting.needs_restart = NeedsRestart(setting);
    }
    return made;
  }();
  return settings;
}

}  // namespace tutti

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// Everything `tutti serve` can be told. One precedence: flag, then environment (TUTTI_SECTION_NAME), then TOML file,
// then the value here.
struct ServeOptions {
  struct Listen {
    std::string host = "127.0.0.1";
    int port = 8000;
    std::string tls_certificate, tls_key;  // PEM files; both or neither
    bool insecure = false;                 // a public address without keys
    int max_connections = 1024;
  } listen;
  struct Models {
    std::vector<std::string> model;  // NAME, PATH or NAME=PATH; the first is the default
    std::string vad = "fsmn-vad";    // none: no VAD
    std::string compute_type = "auto";
    int threads = 0;
    int decode_threads = 0;
    double batch_seconds = 60;
    std::string isolation = "thread";  // who decodes and recognises: thread|process
    // Of processes. MB count in millions.
    int processes = 0;  // 0: as many as the cores allow
    int retries = 2;
    double process_memory = 0;
    int recycle_after = 0;
    double recycle_minutes = 0;
    double recycle_memory = 0;
  } models;
  struct Limits {
    int64_t max_body_bytes = int64_t{512} << 20;
    double max_audio_seconds = 4 * 3600;
    int max_uploads = 64;            // bodies being received at once
    double queue_seconds = 3600;     // of audio, accepted and unfinished
    double requests_per_minute = 0;  // a tenant; 0: no limit
    double request_burst = 60;
    int64_t spool_bytes = int64_t{8} << 30;  // uploads on disk at once
    double header_seconds = 10;              // to send a request's header, and between two requests of a connection
    double body_seconds = 30;                // without a byte of the body
    double drain_seconds = 60;               // after SIGTERM
  } limits;
  struct Files {
    std::string spool = "";       // folder for uploads; empty: below $TMPDIR or /tmp, removed at the end
    std::string jobs = "";        // SQLite file of durable jobs; empty: /v1/jobs is off
    double retention_hours = 72;  // of ended jobs
  } files;
  struct Security {
    std::string keys = "";  // file of tutti keys; empty: everybody is welcome
    std::vector<std::string> cors_origins;
    std::vector<std::string> allow_url;  // hosts from which {"url": …} may fetch
    std::string ca_certificates = "";    // PEM file, for calls to these hosts; empty: the system's
    std::string webhook_secret = "";     // signs webhooks
    std::string user = "";               // to become after binding, when started as root
  } security;
  struct Log {
    std::string level = "info";  // debug|info|warning|error
  } log;
};

// One option, by which flags, environment, file, --print-config and the documentation all know it.
struct ServeSetting {
  std::string section, name;  // [limits] queue_seconds; the flag is --queue-seconds
  std::string help;
  bool is_list = false;
  bool is_switch = false;      // its flag needs no value: --insecure
  bool is_secret = false;      // PrintConfig leaves it out
  bool needs_restart = false;  // a running service cannot change it
  // Parses and stores; InvalidArgument says what was found and what was expected, without the option's name. A list
  // gets all its values, everything else exactly one. Nothing is stored on an error.
  std::function<absl::Status(ServeOptions&, const std::vector<std::string>&)> set;
  std::function<std::string(const ServeOptions&)> toml;  // its value as TOML
  std::function<void(ServeOptions& to, const ServeOptions& from)> copy;

  std::string flag() const;         // --queue-seconds; --log-level
  std::string environment() const;  // TUTTI_LIMITS_QUEUE_SECONDS
};

// In the order of --print-config, section by section.
const std::vector<ServeSetting>& ServeSettings();

// Flags by ServeSetting::flag() as they were given; no value means true. `environment` looks a variable up, null when
// unset; a list is separated by commas there. `config_file` may be empty. A list of a higher source replaces that of a
// lower one. Errors name the file and line, the variable or the flag; unknown sections and names in the file are
// errors, too.
absl::StatusOr<ServeOptions> ResolveServeOptions(const ServeOptions& defaults, const std::string& config_file,
                                                 const std::function<const char*(const std::string&)>& environment,
                                                 const std::map<std::string, std::vector<std::string>>& flags);

// Options that make no sense together: half of TLS, a public address without keys and without insecure, …; of several
// problems the first.
absl::Status Validate(const ServeOptions& options);

// What a running service makes of options that were read anew: `wanted`, but for the settings that need a restart,
// which stay as they are in `running`. Those of them that differ are put into `kept`, by section.name.
ServeOptions OptionsAfterReload(const ServeOptions& running, const ServeOptions& wanted,
                                std::vector<std::string>& kept);

// As a TOML file that gives the same options; the webhook secret is left out.
std::string PrintConfig(const ServeOptions& options);

}  // namespace tutti

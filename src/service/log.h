#pragma once

#include <atomic>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tutti {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Structured log: a JSON object a line, {"time", "level", "event", …}. What is said in recordings, and their bytes,
// have no place in it.
//
// Thread-safe: a line is one write.
class Log {
 public:
  // `file` outlives the log; null: nothing is written.
  Log(std::FILE* file, LogLevel least) : file_(file), least_(least) {}

  void SetLeast(LogLevel least) { least_ = least; }
  bool on(LogLevel level) const { return file_ != nullptr && level >= least_; }
  // `fields` is an object.
  void Write(LogLevel level, std::string_view event, const nlohmann::ordered_json& fields) const;

 private:
  std::FILE* const file_;
  std::atomic<LogLevel> least_;
};

// W3C Trace Context: the trace and parent of a traceparent header, "00-TRACE-PARENT-FLAGS"; empty when there is none or
// it is malformed.
struct TraceParent {
  std::string trace_id, parent_id;
};
TraceParent ParseTraceParent(std::string_view header);

// As many random hexadecimal digits.
std::string RandomHex(int digits);

}  // namespace tutti

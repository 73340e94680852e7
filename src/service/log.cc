#include "service/log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "service/json_text.h"

namespace tutti {
namespace {

std::string Now() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

void Log::Write(LogLevel level, std::string_view event, const nlohmann::ordered_json& fields) const {
  if (!on(level)) return;
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  nlohmann::ordered_json line = {{"time", Now()}, {"level", kNames[static_cast<int>(level)]}, {"event", event}};
  line.update(fields);
  const std::string text = JsonText(line) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(fileno(file_), text.data(), text.size());
}

TraceParent ParseTraceParent(std::string_view header) {
  // https://www.w3.org/TR/trace-context/#traceparent-header
  if (header.size() < 55 || header[2] != '-' || header[35] != '-' || header[52] != '-') return {};
  const std::string_view version = header.substr(0, 2), trace = header.substr(3, 32), parent = header.substr(36, 16);
  for (const std::string_view part : {version, trace, parent, header.substr(53, 2)}) {
    if (!IsLowerHex(part)) return {};
  }
  if (version == "ff" || IsZero(trace) || IsZero(parent)) return {};
  if (header.size() > 55 && (version == "00" || header[55] != '-')) return {};
  return {std::string(trace), std::string(parent)};
}

std::string RandomHex(int digits) {
  std::random_device random;
  std::string text;
  for (int i = 0; i < digits; ++i) text += "0123456789abcdef"[random() % 16];
  return text;
}

}  // namespace tutti

#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/print.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kBarPeriod(100);
constexpr std::chrono::seconds kLinePeriod(5);
constexpr int kBarColumns = 24;

std::string ClockTime(double seconds) {
  if (seconds < 0) return "--:--";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Figures(const RunState& state) {
  const std::string failed = state.failed > 0 ? fmt::format(" ({} failed)", state.failed) : "";
  return fmt::format("{}/{} files{}  {:.0f} s audio  {:.0f} x real time", state.done + state.failed, state.files,
                     failed, state.audio_seconds, state.x_real_time());
}

std::string Bar(const RunState& state) {
  const size_t finished = state.done + state.failed;
  const double share = state.bytes > 0   ? static_cast<double>(state.bytes_finished) / static_cast<double>(state.bytes)
                       : state.files > 0 ? static_cast<double>(finished) / static_cast<double>(state.files)
                                         : 0;
  const auto full = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * kBarColumns);
  return fmt::format("[{:#<{}}{:.<{}}]", "", full, "", kBarColumns - full);
}

Json StateJson(const char* event, const RunState& state) {
  const double left = state.seconds_left();
  return {{"event", event},
          {"files", state.files},
          {"done", state.done},
          {"failed", state.failed},
          {"audio_seconds", state.audio_seconds},
          {"elapsed_seconds", state.elapsed_seconds},
          {"x_real_time", state.x_real_time()},
          {"seconds_left", left < 0 ? Json(nullptr) : Json(left)}};
}

std::string Line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

absl::StatusOr<ProgressMode> ParseProgressMode(std::string_view name, bool is_terminal) {
  if (name == "auto") return is_terminal ? ProgressMode::kBar : ProgressMode::kLines;
  if (name == "bar") return ProgressMode::kBar;
  if (name == "json") return ProgressMode::kJson;
  if (name == "none") return ProgressMode::kNone;
  return InvalidArgument("progress '{}' is not known; there are auto, bar, json, none", name);
}

double RunState::seconds_left() const {
  if (bytes_finished <= 0 || elapsed_seconds <= 0) return -1;
  return elapsed_seconds * static_cast<double>(bytes - bytes_finished) / static_cast<double>(bytes_finished);
}

ProgressDisplay::ProgressDisplay(ProgressMode mode, std::FILE* out) : mode_(mode), out_(out) {}

void ProgressDisplay::Update(const RunState& state, Time now) {
  if (mode_ == ProgressMode::kNone || now < next_) return;
  const bool first = next_ == Time{};
  next_ = now + (mode_ == ProgressMode::kBar ? std::chrono::steady_clock::duration(kBarPeriod) : kLinePeriod);
  switch (mode_) {
    case ProgressMode::kBar:
      PrintText(out_, "\r\x1b[K{} {}  {} left", Bar(state), Figures(state), ClockTime(state.seconds_left()));
      bar_shown_ = true;
      break;
    case ProgressMode::kLines:
      if (!first) PrintText(out_, "tutti: {}, {} left\n", Figures(state), ClockTime(state.seconds_left()));
      break;
    case ProgressMode::kJson:
      PrintText(out_, "{}", Line(StateJson(first ? "start" : "progress", state)));
      break;
    case ProgressMode::kNone:
      break;
  }
  std::fflush(out_);
}

void ProgressDisplay::FileDone(std::string_view file, const absl::Status& status, double audio_seconds,
                               const RunState& state) {
  if (mode_ == ProgressMode::kJson) {
    Json json = StateJson("file", state);
    json["file"] = file;
    json["file_audio_seconds"] = audio_seconds;
    json["error"] = status.ok() ? Json(nullptr) : Json(Message(status));
    PrintText(out_, "{}", Line(json));
    std::fflush(out_);
  } else if (!status.ok()) {
    const std::string message = Message(status);
    Say(message.find(file) == std::string::npos ? fmt::format("{}: {}", file, message) : message);
  }
}

void ProgressDisplay::Say(std::string_view message) {
  Clear();
  if (mode_ == ProgressMode::kJson) {
    PrintText(out_, "{}", Line({{"event", "message"}, {"text", message}}));
  } else {
    PrintText(out_, "tutti: {}\n", message);
  }
  std::fflush(out_);
}

void ProgressDisplay::End(const RunState& state, int64_t peak_bytes, bool interrupted) {
  if (mode_ == ProgressMode::kJson) {
    Json json = StateJson("end", state);
    json["peak_memory_bytes"] = peak_bytes;
    json["interrupted"] = interrupted;
    PrintText(out_, "{}", Line(json));
    std::fflush(out_);
  } else if (interrupted) {
    Say(fmt::format("interrupted: {} of {} recordings are done and written, {} failed, {} were not finished",
                    state.done, state.files, state.failed, state.files - state.done - state.failed));
  } else if (mode_ != ProgressMode::kNone) {
    const std::string failed = state.failed > 0 ? fmt::format(", {} failed", state.failed) : "";
    const std::string skipped = state.skipped > 0 ? fmt::format(", {} were there already", state.skipped) : "";
    Say(fmt::format("{} of {} recordings done{}{}; {:.1f} s of audio in {:.1f} s, {:.1f} x real time, {} MiB at most",
                    state.done, state.files, failed, skipped, state.audio_seconds, state.elapsed_seconds,
                    state.x_real_time(), peak_bytes >> 20));
  }
}

void ProgressDisplay::Clear() {
  if (bar_shown_) PrintText(out_, "\r\x1b[K");
  bar_shown_ = false;
}

}  // namespace tutti

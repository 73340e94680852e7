#include "cli/pull_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/print.h"

namespace tutti {
namespace {

constexpr std::chrono::milliseconds kBarEvery(100);
constexpr std::chrono::seconds kLineEvery(5);
constexpr size_t kPullBarColumns = 24;

}  // namespace

std::string ShownBytes(int64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* each : {"kB", "MB", "GB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = each;
  }
  return fmt::format("{:.{}f} {}", value, value < 9.95 ? 1 : 0, unit);
}

PullDisplay::PullDisplay(std::string name, bool is_terminal, std::FILE* out)
    : name_(std::move(name)), is_terminal_(is_terminal), out_(out) {}

PullDisplay::~PullDisplay() {
  Clear();
  std::fflush(out_);
}

void PullDisplay::Update(int64_t done, int64_t total, Time now) {
  if (first_ == Time{}) {
    first_ = now;
    first_done_ = done;
    next_ = now + (is_terminal_ ? std::chrono::steady_clock::duration(kBarEvery) : kLineEvery);
    return;
  }
  if (now < next_) return;
  next_ = now + (is_terminal_ ? std::chrono::steady_clock::duration(kBarEvery) : kLineEvery);
  const double seconds = std::chrono::duration<double>(now - first_).count();
  const double speed = std::max(0.0, static_cast<double>(done - first_done_) / seconds);  // less than 0: began anew
  std::string text = total < 0 ? ShownBytes(done) : fmt::format("{} of {}", ShownBytes(done), ShownBytes(total));
  text += fmt::format(", {}/s", ShownBytes(static_cast<int64_t>(speed)));
  if (total >= done && speed > 0) {
    const auto left = static_cast<int64_t>(static_cast<double>(total - done) / speed);
    text += fmt::format(", {}:{:02} left", left / 60, left % 60);
  }
  if (!is_terminal_) {
    PrintText(out_, "tutti: {}: {}\n", name_, text);
  } else {
    const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
    const auto full = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * kPullBarColumns);
    PrintText(out_, "\r\x1b[K{} [{:#<{}}{:.<{}}] {}", name_, "", full, "", kPullBarColumns - full, text);
    bar_shown_ = true;
  }
  std::fflush(out_);
}

void PullDisplay::Say(std::string_view message) {
  Clear();
  PrintText(out_, "tutti: {}\n", message);
  std::fflush(out_);
  first_ = {};
}

void PullDisplay::Clear() {
  if (bar_shown_) PrintText(out_, "\r\x1b[K");
  bar_shown_ = false;
}

}  // namespace tutti

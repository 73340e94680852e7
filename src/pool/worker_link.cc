#include "pool/worker_link.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "base/seconds.h"
#include "pool/worker_process.h"

namespace tutti {
namespace {

constexpr size_t kLines = 8, kLineBytes = 300;

}  // namespace

void LogTail::Add(std::string_view bytes, const std::function<void(std::string_view line)>& on_line) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    unfinished_ += bytes.substr(0, end);
    if (end == std::string_view::npos && unfinished_.size() < kLineBytes) return;
    if (on_line) on_line(unfinished_);
    last_.push_back(unfinished_.substr(0, kLineBytes));
    unfinished_.clear();
    if (last_.size() > kLines) last_.pop_front();
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  }
}

std::string LogTail::Text() const {
  std::string text = fmt::format("{}", fmt::join(last_, " | "));
  if (!unfinished_.empty()) text += (text.empty() ? "" : " | ") + unfinished_;
  return text;
}

std::optional<std::string> WorkerHealth::Complaint(const PoolOptions& options, int64_t audio_ms) const {
  if (silent_ > options.silence) return fmt::format("gave no sign of life for {:.1f} s", SecondsOf(options.silence));
  const auto patience =
      options.stall + std::chrono::milliseconds(static_cast<int64_t>(
                          options.stall_per_audio * static_cast<double>(std::max<int64_t>(audio_ms, 0))));
  if (stalled_ > patience) return fmt::format("got on with nothing for {:.1f} s", SecondsOf(patience));
  return std::nullopt;
}

std::chrono::milliseconds BackOff(const PoolOptions& options, int in_a_row) {
  return std::min(options.longest_back_off, options.first_back_off * (1 << std::min(in_a_row - 1, 16)));
}

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* abbreviation = sigabbrev_np(number);
    return fmt::format("was killed by signal {} (SIG{}, {})", number, abbreviation != nullptr ? abbreviation : "?",
                       sigdescr_np(number) != nullptr ? sigdescr_np(number) : "unknown");
  }
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kOutOfMemoryExit) return "ran out of memory";
  return fmt::format("ended with code {}", WEXITSTATUS(wait_status));
}

}  // namespace tutti

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/status.h"
#include "frontend/log_mel.h"

namespace tutti {

// How much speech is joined to a window, and how many frames the encoder hears of it: zeros of the features follow what
// is there. A choice, not a law of the model, which was trained on 30 s; what the choices cost is in docs/models.md.
//
// By itself, a window holds as much as the model can take, and the encoder hears half of that, two thirds or all,
// whichever is the least: 15, 20 or 30 s with published models. Shorter ones make the decoder run away (whisper spec
// §6). With a number of seconds, windows hold so much and are heard as so much, whatever is in them; 30 is what the
// reference does.
class WhisperWindows {
 public:
  // Below it no window is heard.
  static constexpr int kLeastSeconds = 10, kMostSeconds = 30;

  // `max_frames`: the model's, even.
  explicit WhisperWindows(int64_t max_frames) : max_frames_(max_frames) {}

  // InvalidArgument unless `seconds` is 0, which stands for auto, or from kLeastSeconds to kMostSeconds.
  static absl::Status Check(int seconds) {
    if (seconds == 0 || (seconds >= kLeastSeconds && seconds <= kMostSeconds)) return absl::OkStatus();
    return InvalidArgument("window_seconds: {}, expected 0 for auto, or {} to {}", seconds, kLeastSeconds,
                           kMostSeconds);
  }

  // Frames of speech that a window holds.
  int64_t Held(int seconds) const {
    return seconds == 0 ? max_frames_ : std::min(seconds * LogMel::kFramesPerSecond, max_frames_);
  }
  // Frames that the encoder hears of a window with so many frames of speech.
  int64_t Heard(int64_t frames, int seconds) const {
    if (seconds != 0) return std::max(Held(seconds), frames);
    for (const auto& [part, of] : {std::pair(1, 2), std::pair(2, 3)}) {
      const int64_t heard = max_frames_ * part / of & ~int64_t{1};
      if (frames <= heard) return heard;
    }
    return max_frames_;
  }

 private:
  int64_t max_frames_;
};

}  // namespace tutti

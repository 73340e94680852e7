#include "models/vad_state_machine.h"

#include <algorithm>
#include <cmath>

namespace tutti {
namespace {

constexpr int kFrameMs = 10;
constexpr int kDayMs = 24 * 3600 * 1000;

absl::Status CheckRange(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();  // false for NaN
  return InvalidArgument("VAD option {}: {}, expected {} to {}", name, value, low, high);
}

// FunASR's offline schedule: a segment that has lasted so long ends after so much silence.
struct Patience {
  int64_t speech_ms;
  int64_t silence_ms;
};
constexpr Patience kSchedule[] = {{10'000, 2000}, {20'000, 1000}, {30'000, 800},
                                  {40'000, 600},  {50'000, 400},  {60'000, 200}};
constexpr int64_t kLeastPatience = 100;

// FunASR's threshold while the schedule is in force, whatever speech_noise_thres says.
constexpr double kDynamicThreshold = 0.5;

}  // namespace

absl::Status Validate(const VadOptions& options) {
  TUTTI_RETURN_IF_ERROR(CheckRange("max_end_silence_time", options.max_end_silence_time, 0, kDayMs));
  TUTTI_RETURN_IF_ERROR(CheckRange("max_start_silence_time", options.max_start_silence_time, 0, kDayMs));
  TUTTI_RETURN_IF_ERROR(CheckRange("window_size_ms", options.window_size_ms, kFrameMs, 10'000));
  // Beyond the window neither could ever be met.
  const int window = options.window_size_ms;
  TUTTI_RETURN_IF_ERROR(CheckRange("sil_to_speech_time_thres", options.sil_to_speech_time_thres, 0, window));
  TUTTI_RETURN_IF_ERROR(CheckRange("speech_to_sil_time_thres", options.speech_to_sil_time_thres, 0, window));
  TUTTI_RETURN_IF_ERROR(CheckRange("speech_2_noise_ratio", options.speech_2_noise_ratio, 0, 1000));
  TUTTI_RETURN_IF_ERROR(CheckRange("lookback_time_start_point", options.lookback_time_start_point, 0, 10'000));
  TUTTI_RETURN_IF_ERROR(CheckRange("lookahead_time_end_point", options.lookahead_time_end_point, 0, 10'000));
  TUTTI_RETURN_IF_ERROR(CheckRange("max_single_segment_time", options.max_single_segment_time, kFrameMs, kDayMs));
  TUTTI_RETURN_IF_ERROR(CheckRange("snr_thres", options.snr_thres, -1000, 1000));
  TUTTI_RETURN_IF_ERROR(CheckRange("noise_frame_num_used_for_snr", options.noise_frame_num_used_for_snr, 1, 1'000'000));
  TUTTI_RETURN_IF_ERROR(CheckRange("decibel_thres", options.decibel_thres, -1000, 1000));
  TUTTI_RETURN_IF_ERROR(CheckRange("speech_noise_thres", options.speech_noise_thres, -1, 1));
  TUTTI_RETURN_IF_ERROR(CheckRange("chunk_size", options.chunk_size, kFrameMs, kDayMs));
  if (options.sil_pdf_ids.empty()) return InvalidArgument("VAD option sil_pdf_ids: empty, expected at least one id");
  for (const int id : options.sil_pdf_ids) {
    if (id < 0) return InvalidArgument("VAD option sil_pdf_ids: {}, expected ids from 0", id);
  }
  return absl::OkStatus();
}

void AppendSegments(std::span<const VadEvent> events, std::vector<VadSegment>& segments) {
  for (const VadEvent& event : events) {
    if (event.start_ms >= 0) segments.push_back({event.start_ms, -1});
    if (event.end_ms >= 0 && !segments.empty()) segments.back().end_ms = event.end_ms;
  }
}

VadStateMachine::VadStateMachine(const VadOptions& options)
    : options_(options),
      latency_(options.window_size_ms / kFrameMs +
               (options.do_extend ? options.lookback_time_start_point / kFrameMs : 0)),
      lookahead_(options.lookahead_time_end_point / kFrameMs),
      threshold_(options.dynamic_silence ? kDynamicThreshold : options.speech_noise_thres) {
  Reset();
}

void VadStateMachine::Reset() {
  phase_ = Phase::kStartNotFound;
  next_frame_ = 0;
  ForgetSpeech();
  first_unwritten_ = 0;
  ever_ended_ = false;
  noise_decibels_ = -100;
  patience_ms_ = PatienceOf(options_.dynamic_silence ? kSchedule[0].silence_ms : options_.max_end_silence_time);
  speech_ms_ = 0;
  counting_ = false;
  finished_in_chunk_ = false;
  segments_.clear();
}

void VadStateMachine::ForgetSpeech() {
  window_.assign(static_cast<size_t>(options_.window_size_ms / kFrameMs), 0);
  window_at_ = 0;
  window_sum_ = 0;
  window_speech_ = false;
  silent_frames_ = 0;
  segment_start_ = -1;
  last_speech_ = 0;
}

void VadStateMachine::Accept(std::span<const float> silence, std::span<const float> decibels, bool is_final) {
  for (size_t i = 0; i < silence.size(); ++i) {
    Step(next_frame_, Window(IsSpeech(silence[i], decibels[i])), is_final && i + 1 == silence.size());
    ++next_frame_;
  }
  // A segment that began in the very last frame, or no frame came with the end.
  if (is_final && phase_ == Phase::kInSpeech) segments_.back().ended = true;
}

void VadStateMachine::NextChunk() {
  if (!options_.dynamic_silence) return;
  if (finished_in_chunk_) {
    speech_ms_ = 0;
    counting_ = false;
  }
  finished_in_chunk_ = false;
  if (phase_ == Phase::kInSpeech) counting_ = true;
  if (counting_) speech_ms_ += options_.chunk_size;
  int64_t silence_ms = kLeastPatience;
  for (const Patience& row : kSchedule) {
    if (speech_ms_ > row.speech_ms) continue;
    silence_ms = row.silence_ms;
    break;
  }
  patience_ms_ = PatienceOf(silence_ms);
}

int64_t VadStateMachine::PatienceOf(int64_t silence_ms) const {
  return std::max<int64_t>(silence_ms - options_.speech_to_sil_time_thres, 0);
}

void VadStateMachine::TakeEvents(std::vector<VadEvent>& events) {
  for (Segment& segment : segments_) {
    if (segment.start_taken && !segment.ended) continue;
    events.push_back({segment.start_taken ? -1 : segment.start_ms, segment.ended ? segment.end_ms : -1});
    segment.start_taken = true;
  }
  std::erase_if(segments_, [](const Segment& segment) { return segment.ended; });
}

int64_t VadStateMachine::first_needed_frame() const {
  if (!segments_.empty()) return segments_.front().start_ms / kFrameMs;
  if (phase_ == Phase::kEndFound) return next_frame_;
  return std::max(first_unwritten_, next_frame_ - latency_);
}

// Spec §4.1.
bool VadStateMachine::IsSpeech(float silence, float decibels) {
  if (!std::isfinite(decibels) || decibels < options_.decibel_thres) return false;
  const double p = silence;
  const double noise = std::pow(p, options_.speech_2_noise_ratio);
  if (1.0 - p >= noise + threshold_) return decibels - noise_decibels_ >= options_.snr_thres;
  const double frames = options_.noise_frame_num_used_for_snr;
  noise_decibels_ = noise_decibels_ < -99.9 ? decibels : (decibels + noise_decibels_ * (frames - 1)) / frames;
  return false;
}

// Spec §4.2.
VadStateMachine::Change VadStateMachine::Window(bool speech) {
  window_sum_ += (speech ? 1 : 0) - window_[window_at_];
  window_[window_at_] = speech ? 1 : 0;
  window_at_ = (window_at_ + 1) % window_.size();
  if (!window_speech_ && window_sum_ >= options_.sil_to_speech_time_thres / kFrameMs) {
    window_speech_ = true;
    return Change::kSpeechBegins;
  }
  if (window_speech_ && window_sum_ <= options_.speech_to_sil_time_thres / kFrameMs) {
    window_speech_ = false;
    return Change::kSpeechEnds;
  }
  return window_speech_ ? Change::kSpeech : Change::kSilence;
}

// Spec §4.4.
void VadStateMachine::Step(int64_t frame, Change change, bool is_last) {
  if (phase_ == Phase::kEndFound) return;
  if (change == Change::kSilence) {
    ++silent_frames_;
    StepInSilence(frame, is_last);
  } else {
    silent_frames_ = 0;
    if (phase_ == Phase::kInSpeech) {
      if (change == Change::kSpeechBegins) VoiceUpTo(frame);
      StepInSpeech(frame, is_last);
    } else if (change == Change::kSpeechBegins) {
      Start(frame);
    }
  }
  if (phase_ == Phase::kEndFound && options_.detect_mode == VadOptions::DetectMode::kMultiple) {
    ForgetSpeech();
    phase_ = Phase::kStartNotFound;
  }
}

void VadStateMachine::StepInSilence(int64_t frame, bool is_last) {
  const int64_t silent_ms = silent_frames_ * kFrameMs;
  if (phase_ == Phase::kStartNotFound) {
    const bool single = options_.detect_mode == VadOptions::DetectMode::kSingle;
    if ((single && silent_ms > options_.max_start_silence_time) || (is_last && !ever_ended_)) {
      ever_ended_ = true;
      phase_ = Phase::kEndFound;
    } else {
      first_unwritten_ = std::max(first_unwritten_, frame - latency_);
    }
  } else if (silent_ms >= patience_ms_) {
    const int64_t back = patience_ms_ / kFrameMs;
    End(frame - (options_.do_extend ? std::max<int64_t>(0, back - lookahead_ - 1) : back));
  } else if (is_last || TooLong(frame)) {
    End(frame);
  } else if (options_.do_extend && silent_frames_ <= lookahead_) {
    Voice(frame);
  }
}

void VadStateMachine::StepInSpeech(int64_t frame, bool is_last) {
  if (is_last || TooLong(frame)) {
    End(frame);
  } else {
    Voice(frame);
  }
}

void VadStateMachine::Start(int64_t frame) {
  const int64_t start = std::max(first_unwritten_, frame - latency_);
  segment_start_ = last_speech_ = start;
  segments_.push_back({.start_ms = start * kFrameMs});
  phase_ = Phase::kInSpeech;
  Output(start);
  for (int64_t i = start + 1; i <= frame; ++i) Voice(i);
}

void VadStateMachine::Output(int64_t frame) {
  first_unwritten_ = std::max(first_unwritten_, frame) + 1;
  segments_.back().end_ms = (frame + 1) * kFrameMs;
}

void VadStateMachine::Voice(int64_t frame) {
  last_speech_ = frame;
  Output(frame);
}

void VadStateMachine::VoiceUpTo(int64_t end) {
  for (int64_t i = last_speech_ + 1; i < end; ++i) Voice(i);
}

void VadStateMachine::End(int64_t frame) {
  VoiceUpTo(frame);
  Output(frame);
  segments_.back().ended = true;
  ever_ended_ = true;
  finished_in_chunk_ = true;
  phase_ = Phase::kEndFound;
}

bool VadStateMachine::TooLong(int64_t frame) const {
  return (frame - segment_start_ + 1) * kFrameMs > options_.max_single_segment_time;
}

}  // namespace tutti

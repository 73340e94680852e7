// Random options, probabilities and decibels through the VAD state machine, whole and cut: no crash, segments in order
// and inside the audio, the same for any cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "models/vad_state_machine.h"

namespace {

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  size_t left() const { return size_; }
  uint8_t Byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  // 0 … most, mostly small.
  int Upto(int most) { return static_cast<int>((Byte() * 256U + Byte()) % (static_cast<unsigned>(most) + 1)); }

 private:
  const uint8_t* data_;
  size_t size_;
};

tutti::VadOptions Options(Bytes& bytes) {
  tutti::VadOptions options;
  const int flags = bytes.Byte();
  if ((flags & 1) != 0) options.detect_mode = tutti::VadOptions::DetectMode::kSingle;
  options.do_extend = (flags & 2) == 0;
  options.dynamic_silence = (flags & 4) != 0;
  options.max_end_silence_time = bytes.Upto(4000);
  options.max_start_silence_time = bytes.Upto(4000);
  options.window_size_ms = bytes.Upto(500);  // below 10: refused
  options.sil_to_speech_time_thres = bytes.Upto(500);
  options.speech_to_sil_time_thres = bytes.Upto(500);
  options.lookback_time_start_point = bytes.Upto(1000);
  options.lookahead_time_end_point = bytes.Upto(1000);
  options.max_single_segment_time = bytes.Upto(20'000);
  options.speech_2_noise_ratio = bytes.Byte() / 32.0;
  options.speech_noise_thres = bytes.Byte() / 100.0;
  options.snr_thres = bytes.Byte() - 150.0;
  options.decibel_thres = bytes.Byte() - 150.0;
  options.chunk_size = bytes.Upto(8000);
  return options;
}

float Special(uint8_t byte) {
  switch (byte) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return std::numeric_limits<float>::quiet_NaN();
    case 3:
      return std::numeric_limits<float>::infinity();
    case 4:
      return -std::numeric_limits<float>::infinity();
    case 5:
      return std::numeric_limits<float>::denorm_min();
    default:
      return static_cast<float>(byte) / 255.0F;
  }
}

void Check(bool holds) {
  if (!holds) std::abort();
}

// `cut` 0: everything at once but for the chunks of the dynamic schedule.
std::vector<tutti::VadSegment> Run(const tutti::VadOptions& options, std::span<const float> silence,
                                   std::span<const float> decibels, uint32_t cut) {
  tutti::VadStateMachine machine(options);
  const size_t chunk = static_cast<size_t>(options.chunk_size / 10);
  std::vector<tutti::VadEvent> events;
  std::vector<tutti::VadSegment> segments;
  int64_t needed = 0;
  for (size_t at = 0; at < silence.size();) {
    size_t piece = silence.size() - at;
    if (options.dynamic_silence) piece = std::min(piece, chunk - at % chunk);
    if (cut != 0) {
      cut = cut * 1664525U + 1013904223U;
      piece = std::min<size_t>(piece, 1 + (cut >> 16) % 97);
    }
    events.clear();
    machine.Accept(silence.subspan(at, piece), decibels.subspan(at, piece), at + piece == silence.size());
    machine.TakeEvents(events);
    for (const tutti::VadEvent& event : events) Check(event.start_ms < 0 || event.start_ms >= needed * 10);
    Check(machine.first_needed_frame() >= needed);
    needed = machine.first_needed_frame();
    tutti::AppendSegments(events, segments);
    at += piece;
    if (at % chunk == 0) machine.NextChunk();
  }
  return segments;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  const tutti::VadOptions options = Options(bytes);
  if (!tutti::Validate(options).ok()) return 0;
  std::vector<float> silence, decibels;
  while (bytes.left() > 0 && silence.size() < 20'000) {
    const float p = Special(bytes.Byte());
    const uint8_t loudness = bytes.Byte();
    const float db = loudness < 6 ? Special(loudness) : static_cast<float>(loudness) - 200.0F;
    const size_t frames = bytes.Byte();
    silence.insert(silence.end(), frames, p);
    decibels.insert(decibels.end(), frames, db);
  }
  const auto whole = Run(options, silence, decibels, 0);
  int64_t before = 0;
  for (const tutti::VadSegment& segment : whole) {
    Check(segment.start_ms >= before && segment.end_ms > segment.start_ms);
    before = segment.end_ms;
  }
  Check(before <= static_cast<int64_t>(silence.size()) * 10);
  Check(options.detect_mode != tutti::VadOptions::DetectMode::kSingle || whole.size() <= 1);
  Check(Run(options, silence, decibels, static_cast<uint32_t>(size) + 1) == whole);
  return 0;
}

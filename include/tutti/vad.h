#pragma once

#include <cstdint>
#include <vector>

namespace tutti {

// Options of the FSMN-VAD state machine, FunASR's names and defaults (spec §4). Times in ms unless said otherwise.
struct VadOptions {
  enum class DetectMode { kSingle = 0, kMultiple = 1 };

  DetectMode detect_mode = DetectMode::kMultiple;
  int max_end_silence_time = 800;
  int max_start_silence_time = 3000;  // single mode only
  int window_size_ms = 200;
  int sil_to_speech_time_thres = 150;
  int speech_to_sil_time_thres = 150;
  double speech_2_noise_ratio = 1.0;
  bool do_extend = true;
  int lookback_time_start_point = 200;
  int lookahead_time_end_point = 100;
  int max_single_segment_time = 60000;
  double snr_thres = -100.0;               // dB
  int noise_frame_num_used_for_snr = 100;  // frames over which the noise that snr_thres looks at is averaged
  double decibel_thres = -100.0;           // dB
  double speech_noise_thres = 0.6;
  std::vector<int> sil_pdf_ids = {0};

  // Off: max_end_silence_time holds all the time. On: FunASR's schedule shortens the patience the longer a segment
  // lasts (spec §4.5), evaluated every chunk_size ms as FunASR does.
  bool dynamic_silence = false;
  int chunk_size = 60000;
};

struct VadSegment {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  bool operator==(const VadSegment&) const = default;
};

// What a stream reports (spec §4.6): -1 where the side is not known yet or was reported before.
struct VadEvent {
  int64_t start_ms = -1;
  int64_t end_ms = -1;
  bool operator==(const VadEvent&) const = default;
};

}  // namespace tutti

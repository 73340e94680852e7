#include "cli/vad_flags.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace tutti {
namespace {

std::string Shown(int value) { return std::to_string(value); }
std::string Shown(double value) { return fmt::format("{}", value); }
std::string Shown(bool value) { return value ? "true" : "false"; }

}  // namespace

template <typename T>
void VadFlags::Add(CLI::App& app, const std::string& name, T VadOptions::*field, const std::string& value,
                   std::string help) {
  const auto change = [this, field](const T& given) {
    changes_.emplace_back([field, given](VadOptions& options) { options.*field = given; });
  };
  app.add_option_function<T>("--" + name, change, std::move(help))
      ->option_text(value)
      ->default_str(Shown(VadOptions{}.*field))
      ->group("Voice activity");
}

void VadFlags::AddTo(CLI::App& app, const std::string& prefix) {
  Add(app, prefix + "max-end-silence-time", &VadOptions::max_end_silence_time, "MS", "the pause that ends a segment");
  Add(app, prefix + "max-single-segment-time", &VadOptions::max_single_segment_time, "MS",
      "a segment is ended at this length");
  Add(app, prefix + "speech-noise-thres", &VadOptions::speech_noise_thres, "X",
      "how much likelier than noise speech must be; more: less speech");
  Add(app, prefix + "decibel-thres", &VadOptions::decibel_thres, "DB", "quieter frames are silence");
  Add(app, prefix + "snr-thres", &VadOptions::snr_thres, "DB", "frames closer to the noise are silence");
  Add(app, prefix + "noise-frame-num-used-for-snr", &VadOptions::noise_frame_num_used_for_snr, "N",
      "frames over which that noise is averaged");
  Add(app, prefix + "window-size-ms", &VadOptions::window_size_ms, "MS",
      "window in which speech and silence are counted");
  Add(app, prefix + "sil-to-speech-time-thres", &VadOptions::sil_to_speech_time_thres, "MS",
      "speech in the window that starts a segment");
  Add(app, prefix + "speech-to-sil-time-thres", &VadOptions::speech_to_sil_time_thres, "MS",
      "speech in the window below which silence begins");
  Add(app, prefix + "lookback-time-start-point", &VadOptions::lookback_time_start_point, "MS",
      "kept before the start of speech");
  Add(app, prefix + "lookahead-time-end-point", &VadOptions::lookahead_time_end_point, "MS",
      "kept after the end of speech");
  Add(app, prefix + "do-extend", &VadOptions::do_extend, "true|false", "keep those two margins");
  Add(app, prefix + "speech-2-noise-ratio", &VadOptions::speech_2_noise_ratio, "X",
      "weight of the noise's probability");
  Add(app, prefix + "max-start-silence-time", &VadOptions::max_start_silence_time, "MS",
      "patience for the first speech, with detect-mode single");
  app.add_option_function<std::string>(
         "--" + prefix + "detect-mode",
         [this](const std::string& mode) {
           const bool single = mode == "single" || mode == "0";
           changes_.emplace_back([single](VadOptions& options) {
             options.detect_mode = single ? VadOptions::DetectMode::kSingle : VadOptions::DetectMode::kMultiple;
           });
         },
         "stop after one segment, or find all; 0 and 1 as in FunASR do, too")
      ->check(CLI::IsMember({"single", "multiple", "0", "1"}))
      ->option_text("single|multiple")
      ->default_str("multiple")
      ->group("Voice activity");
  app.add_option_function<std::vector<int>>(
         "--" + prefix + "sil-pdf-ids",
         [this](const std::vector<int>& ids) {
           changes_.emplace_back([ids](VadOptions& options) { options.sil_pdf_ids = ids; });
         },
         "the network's classes that are silence")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("ID[,ID]")
      ->default_str("0")
      ->group("Voice activity");
  app.add_flag_callback(
         "--" + prefix + "dynamic-silence",
         [this] { changes_.emplace_back([](VadOptions& options) { options.dynamic_silence = true; }); },
         "FunASR's schedule: the longer a segment lasts, the shorter a pause ends it")
      ->group("Voice activity");
  Add(app, prefix + "chunk-size", &VadOptions::chunk_size, "MS", "how often that schedule is looked at");
}

VadOptions VadFlags::Apply(VadOptions options) const {
  for (const auto& change : changes_) change(options);
  return options;
}

}  // namespace tutti

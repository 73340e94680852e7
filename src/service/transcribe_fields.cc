#include "service/transcribe_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "audio/decoder.h"
#include "models/vad_state_machine.h"
#include "service/api_error.h"

namespace tutti {
namespace {

struct IntOption {
  const char* name;
  int VadOptions::*field;
};
constexpr IntOption kIntOptions[] = {
    {"vad_max_end_silence_time", &VadOptions::max_end_silence_time},
    {"vad_max_start_silence_time", &VadOptions::max_start_silence_time},
    {"vad_window_size_ms", &VadOptions::window_size_ms},
    {"vad_sil_to_speech_time_thres", &VadOptions::sil_to_speech_time_thres},
    {"vad_speech_to_sil_time_thres", &VadOptions::speech_to_sil_time_thres},
    {"vad_lookback_time_start_point", &VadOptions::lookback_time_start_point},
    {"vad_lookahead_time_end_point", &VadOptions::lookahead_time_end_point},
    {"vad_max_single_segment_time", &VadOptions::max_single_segment_time},
    {"vad_noise_frame_num_used_for_snr", &VadOptions::noise_frame_num_used_for_snr},
    {"vad_chunk_size", &VadOptions::chunk_size},
};

struct NumberOption {
  const char* name;
  double VadOptions::*field;
};
constexpr NumberOption kNumberOptions[] = {
    {"vad_speech_2_noise_ratio", &VadOptions::speech_2_noise_ratio},
    {"vad_snr_thres", &VadOptions::snr_thres},
    {"vad_decibel_thres", &VadOptions::decibel_thres},
    {"vad_speech_noise_thres", &VadOptions::speech_noise_thres},
};

// "0" or "0,3".
absl::StatusOr<std::vector<int>> ReadIds(std::string_view name, std::string_view text) {
  std::vector<int> ids;
  for (const char* at = text.data(); true; ++at) {
    int id = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), id);
    if (error != std::errc() || id < 0) break;
    ids.push_back(id);
    at = end;
    if (at == text.data() + text.size()) return ids;
    if (*at != ',') break;
  }
  return FieldError(name, fmt::format("'{}', expected classes separated by commas, such as 0 or 0,3", text));
}

// Sets `options` where a field names one of its members.
absl::Status ReadVadOptions(const Fields& fields, const VadOptions& defaults, std::optional<VadOptions>& options) {
  VadOptions read = defaults;
  bool any = false;
  for (const auto& [name, field] : kIntOptions) {
    any |= fields.Has(name);
    TUTTI_ASSIGN_OR_RETURN(const int64_t value, fields.Integer(name, read.*field, std::numeric_limits<int>::min(),
                                                               std::numeric_limits<int>::max()));
    read.*field = static_cast<int>(value);
  }
  for (const auto& [name, field] : kNumberOptions) {
    any |= fields.Has(name);
    TUTTI_ASSIGN_OR_RETURN(read.*field, fields.Number(name, read.*field, -1e6, 1e6));
  }
  any |= fields.Has("vad_do_extend") || fields.Has("vad_dynamic_silence") || fields.Has("vad_detect_mode");
  TUTTI_ASSIGN_OR_RETURN(read.do_extend, fields.Bool("vad_do_extend", read.do_extend));
  TUTTI_ASSIGN_OR_RETURN(read.dynamic_silence, fields.Bool("vad_dynamic_silence", read.dynamic_silence));
  if (fields.Has("vad_detect_mode")) {
    TUTTI_ASSIGN_OR_RETURN(const std::string mode, fields.Choice("vad_detect_mode", {"multiple", "single", "0", "1"}));
    read.detect_mode =
        mode == "single" || mode == "0" ? VadOptions::DetectMode::kSingle : VadOptions::DetectMode::kMultiple;
  }
  if (fields.Has("vad_sil_pdf_ids")) {
    any = true;
    TUTTI_ASSIGN_OR_RETURN(read.sil_pdf_ids, ReadIds("vad_sil_pdf_ids", fields.Text("vad_sil_pdf_ids")));
  }
  TUTTI_RETURN_IF_ERROR(Validate(read));
  if (any) options = read;
  return absl::OkStatus();
}

}  // namespace

TranscribeOptions InteractiveOptions(const RequestBounds& bounds) {
  TranscribeOptions options;
  options.priority = Priority::kInteractive;
  options.max_duration_ms = bounds.max_duration_ms;
  return options;
}

absl::StatusOr<TranscribeOptions> ReadTranscribeOptions(const Fields& fields, const ModelAbilities& model,
                                                        const RequestBounds& bounds) {
  TranscribeOptions options;
  TUTTI_ASSIGN_OR_RETURN(options.use_vad, fields.Bool("vad", true));
  TUTTI_RETURN_IF_ERROR(ReadVadOptions(fields, model.vad_options, options.vad_options));
  TUTTI_ASSIGN_OR_RETURN(const std::string channels, fields.Choice("channels", {"mix", "split"}));
  options.channels = channels == "split" ? Channels::kSplit : Channels::kMix;
  options.raw_format = fields.Text("raw_format");
  if (!options.raw_format.empty()) {
    if (const absl::Status known = RawFormat::Parse(options.raw_format).status(); !known.ok()) {
      return FieldError("raw_format", Message(known));
    }
  }
  TUTTI_ASSIGN_OR_RETURN(options.max_segment_ms, fields.Integer("max_segment_ms", 120'000, 1000, 3'600'000));
  TUTTI_RETURN_IF_ERROR(ReadSearchOptions(fields, model, options.search));
  TUTTI_ASSIGN_OR_RETURN(const std::string priority, fields.Choice("priority", {"interactive", "batch"}));
  options.priority = priority == "interactive" ? Priority::kInteractive : Priority::kBatch;
  options.max_duration_ms = bounds.max_duration_ms;
  return options;
}

}  // namespace tutti

#include "pool/message.h"

#include <utility>

#include "pool/wire.h"

namespace tutti {
namespace {

constexpr int32_t kVersion = 1;
constexpr int64_t kLastStatusCode = static_cast<int64_t>(absl::StatusCode::kUnauthenticated);

struct Header {
  int64_t version = kVersion;
  int64_t type = 0;  // index in PoolMessage
  int64_t bytes = 0;
};
constexpr size_t kHeaderBytes = 3 * sizeof(int64_t);

// An absl::Status or a transcript.
struct ResultRecord {
  int64_t code = 0;
  std::string message;
  Transcript transcript;
};

template <typename Archive>
void Fields(Archive& a, Header& m) {
  a(m.version), a(m.type), a(m.bytes);
}

template <typename Archive>
void Fields(Archive& a, ResultRecord& m) {
  a(m.code), a(m.message), a(m.transcript);
}

}  // namespace

template <typename Archive>
void Fields(Archive& a, VadOptions& m) {
  a.Enum(m.detect_mode, VadOptions::DetectMode::kMultiple);
  a(m.max_end_silence_time), a(m.max_start_silence_time), a(m.window_size_ms), a(m.sil_to_speech_time_thres);
  a(m.speech_to_sil_time_thres), a(m.speech_2_noise_ratio), a(m.do_extend), a(m.lookback_time_start_point);
  a(m.lookahead_time_end_point), a(m.max_single_segment_time), a(m.snr_thres), a(m.noise_frame_num_used_for_snr);
  a(m.decibel_thres), a(m.speech_noise_thres), a(m.sil_pdf_ids), a(m.dynamic_silence), a(m.chunk_size);
}
template <typename Archive>
void Fields(Archive& a, SearchOptions& m) {
  a(m.language), a.Enum(m.task, Task::kTranslate), a(m.beam_size), a(m.patience), a(m.length_penalty);
  a(m.repetition_penalty), a(m.no_repeat_ngram_size), a(m.no_speech_threshold), a(m.log_prob_threshold);
  a(m.compression_ratio_threshold), a(m.temperature), a(m.best_of);
  a(m.initial_prompt), a(m.hotwords), a(m.prefix), a(m.max_new_tokens);
  a(m.condition_on_previous_text), a(m.prompt_reset_on_temperature);
  a(m.window_seconds), a(m.without_timestamps), a(m.word_timestamps);
  a(m.multilingual), a(m.suppress_tokens), a(m.suppress_blank);
}
template <typename Archive>
void Fields(Archive& a, TranscribeOptions& m) {
  a(m.use_vad), a(m.vad_options), a.Enum(m.channels, Channels::kSplit), a(m.raw_format), a(m.max_segment_ms);
  a(m.max_duration_ms), a(m.search), a.Enum(m.priority, Priority::kBatch);
}
template <typename Archive>
void Fields(Archive& a, RecognizerOptions& m) {
  a(m.model), a(m.vad), a.Enum(m.compute_type, ComputeType::kInt8), a(m.threads), a(m.decode_threads);
  a(m.pin_threads), a(m.latency), a(m.batch_seconds), a(m.queue_seconds), a(m.queue_bytes);
}
template <typename Archive>
void Fields(Archive& a, Token& m) {
  a(m.text), a(m.start_ms), a(m.end_ms), a(m.score);
}
template <typename Archive>
void Fields(Archive& a, Segment& m) {
  a(m.start_ms), a(m.end_ms), a(m.channel), a(m.text), a(m.tokens);
  a(m.avg_logprob), a(m.no_speech_prob), a(m.compression_ratio), a(m.temperature);
  a(m.language), a(m.language_probability), a(m.token_ids);
}
template <typename Archive>
void Fields(Archive& a, Timings& m) {
  a(m.decode), a(m.vad), a(m.features), a(m.recognise), a(m.wall);
}
template <typename Archive>
void Fields(Archive& a, Transcript& m) {
  a(m.file), a(m.duration_ms), a(m.channels), a(m.text), a(m.segments), a(m.truncated), a(m.model), a(m.compute_type);
  a(m.language), a(m.language_probability), a(m.timings);
}

template <typename Archive>
void Fields(Archive& a, NurseryReady& m) {
  a(m.model_name), a.Enum(m.compute_type, ComputeType::kInt8), a(m.has_asr), a(m.has_vad);
  a(m.takes_search_options), a(m.languages), a(m.translates);
  a(m.vad_options);
}
template <typename Archive>
void Fields(Archive& a, NurseryFailed& m) {
  a(m.code), a(m.message);
}
template <typename Archive>
void Fields(Archive& a, WorkerBorn& m) {
  a(m.worker), a(m.pid);
}
template <typename Archive>
void Fields(Archive& a, WorkerEnded& m) {
  a(m.worker), a(m.wait_status), a(m.peak_bytes), a(m.error);
}
template <typename Archive>
void Fields(Archive& a, ForkWorker& m) {
  a(m.worker), a(m.slot);
}
template <typename Archive>
void Fields(Archive& a, KillWorker& m) {
  a(m.worker);
}
template <typename Archive>
void Fields(Archive& a, StartJob& m) {
  a(m.job), a.Enum(m.audio, AudioKind::kSamples), a(m.bytes), a(m.sample_rate), a(m.sample_channels), a(m.name);
  a(m.tell_segments), a(m.only_speech), a(m.options);
}
template <typename Archive>
void Fields(Archive& a, CancelJob& m) {
  a(m.job);
}
template <typename Archive>
void Fields(Archive& a, WorkerUp& m) {
  a(m.sandboxed);
}
template <typename Archive>
void Fields(Archive& a, WorkerBeat& m) {
  a(m.resident_bytes);
}
template <typename Archive>
void Fields(Archive& a, SegmentReady& m) {
  a(m.job), a(m.offset), a(m.size);
}
template <typename Archive>
void Fields(Archive& a, JobDone& m) {
  a(m.job), a(m.offset), a(m.size);
}
template <typename Archive>
void Fields(Archive& a, MakeNursery& m) {
  a(m.recognizer), a(m.worker_memory_bytes), a(m.beat_ms);
}
template <typename Archive>
void Fields(Archive& a, NurseryMade& m) {
  a(m.pid);
}

namespace {

template <size_t kType = 0>
absl::StatusOr<PoolMessage> DecodeBody(size_t type, std::span<const std::byte> body) {
  if constexpr (kType < std::variant_size_v<PoolMessage>) {
    if (type != kType) return DecodeBody<kType + 1>(type, body);
    std::variant_alternative_t<kType, PoolMessage> message;
    WireReader reader(body);
    reader(message);
    if (!reader.finished()) return DataLoss("pool message of type {}: its {} bytes make no sense", type, body.size());
    return PoolMessage(std::move(message));
  } else {
    return DataLoss("pool message: there is no type {}", type);
  }
}

}  // namespace

absl::StatusOr<std::string> EncodeMessage(const PoolMessage& message) {
  WireWriter body_writer;
  std::visit(body_writer, message);
  const std::string body = body_writer.Take();
  if (body.size() > kMaxMessageBytes - kHeaderBytes) {
    return InvalidArgument("a recording's name and options take {} bytes, at most {} can be sent to a process",
                           body.size(), kMaxMessageBytes - kHeaderBytes);
  }
  WireWriter writer;
  writer(Header{
      .version = kVersion, .type = static_cast<int64_t>(message.index()), .bytes = static_cast<int64_t>(body.size())});
  return writer.Take() + body;
}

absl::StatusOr<PoolMessage> DecodeMessage(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > kMaxMessageBytes) {
    return DataLoss("pool message: {} bytes, expected {} … {}", bytes.size(), kHeaderBytes, kMaxMessageBytes);
  }
  Header header;
  WireReader reader(bytes.first(kHeaderBytes));
  reader(header);
  if (header.version != kVersion)
    return DataLoss("pool message: version {}, this program speaks {}", header.version, kVersion);
  const std::span<const std::byte> body = bytes.subspan(kHeaderBytes);
  if (header.bytes != static_cast<int64_t>(body.size())) {
    return DataLoss("pool message: {} bytes follow its header, which says {}", body.size(), header.bytes);
  }
  return DecodeBody(static_cast<size_t>(header.type), body);
}

std::string EncodeSegment(const Segment& segment) {
  WireWriter writer;
  writer(segment);
  return writer.Take();
}

absl::StatusOr<Segment> DecodeSegment(std::span<const std::byte> bytes) {
  Segment segment;
  WireReader reader(bytes);
  reader(segment);
  if (!reader.finished()) return DataLoss("segment from a process: its {} bytes make no sense", bytes.size());
  return segment;
}

std::string EncodeResult(const absl::StatusOr<Transcript>& result) {
  ResultRecord record;
  if (result.ok()) {
    record.transcript = *result;
  } else {
    record.code = static_cast<int64_t>(result.status().code());
    record.message = Message(result.status());
  }
  WireWriter writer;
  writer(record);
  return writer.Take();
}

absl::StatusOr<Transcript> DecodeResult(std::span<const std::byte> bytes, bool* decoded) {
  ResultRecord record;
  WireReader reader(bytes);
  reader(record);
  *decoded = reader.finished() && record.code >= 0 && record.code <= kLastStatusCode;
  if (!*decoded) return DataLoss("result from a process: its {} bytes make no sense", bytes.size());
  if (record.code == 0) return std::move(record.transcript);
  return absl::Status(static_cast<absl::StatusCode>(record.code), record.message);
}

}  // namespace tutti

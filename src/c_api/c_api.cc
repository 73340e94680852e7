// include/tutti.h over the C++ interface: each function checks what C cannot, and lets nothing be thrown past it.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/status.h"
#include "c_api/handles.h"
#include "engine/no_throw.h"
#include "pipeline/formats.h"
#include "tutti.h"

namespace tutti {
namespace {

char* Copy(std::string_view text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

tutti_code Code(const absl::Status& status) { return static_cast<tutti_code>(status.code()); }

tutti_code Tell(const absl::Status& status, char** error) {
  if (error != nullptr) *error = status.ok() ? nullptr : Copy(Message(status));
  return Code(status);
}

// The caller's struct over today's defaults: what an older header does not know stays as it is.
template <typename Options>
absl::StatusOr<Options> Read(const Options* given, void (*init)(Options*)) {
  Options options;
  init(&options);
  if (given == nullptr) return options;
  if (given->size < sizeof(size_t) || given->size > 4 * sizeof(Options)) {
    return InvalidArgument("options.size is {}; call the struct's _init function first", given->size);
  }
  std::memcpy(&options, given, std::min(given->size, sizeof(Options)));
  return options;
}

std::string_view View(const char* text) { return text == nullptr ? std::string_view() : text; }

absl::StatusOr<RecognizerOptions> ToRecognizerOptions(const tutti_recognizer_options* given) {
  TUTTI_ASSIGN_OR_RETURN(const auto read, Read(given, tutti_recognizer_options_init));
  RecognizerOptions options;
  options.model = View(read.model);
  options.vad = View(read.vad);
  if (read.compute_type != nullptr) {
    TUTTI_ASSIGN_OR_RETURN(options.compute_type, ParseComputeType(read.compute_type));
  }
  options.threads = read.threads;
  options.decode_threads = read.decode_threads;
  options.pin_threads = read.pin_threads != 0;
  options.latency = read.latency != 0;
  options.batch_seconds = read.batch_seconds;
  options.queue_seconds = read.queue_seconds;
  options.queue_bytes = read.queue_bytes;
  options.max_pending = read.max_pending;
  return options;
}

// Names and values in turn, up to a null.
absl::Status ReadSearch(const char* const* given, SearchOptions& options) {
  for (; given != nullptr && given[0] != nullptr; given += 2) {
    if (given[1] == nullptr) return InvalidArgument("options.search: {} has no value", given[0]);
    if (const absl::Status set = SetSearchOption(given[0], given[1], options); !set.ok()) {
      return InvalidArgument("options.search: {}", Message(set));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TranscribeOptions> ToTranscribeOptions(const tutti_transcribe_options* given) {
  TUTTI_ASSIGN_OR_RETURN(const auto read, Read(given, tutti_transcribe_options_init));
  TranscribeOptions options;
  options.use_vad = read.use_vad != 0;
  options.channels = read.split_channels != 0 ? Channels::kSplit : Channels::kMix;
  options.priority = read.interactive != 0 ? Priority::kInteractive : Priority::kBatch;
  options.raw_format = View(read.raw_format);
  options.max_segment_ms = read.max_segment_ms;
  options.max_duration_ms = read.max_duration_ms;
  TUTTI_RETURN_IF_ERROR(ReadSearch(read.search, options.search));
  if (read.timeout_ms < 0) return InvalidArgument("options.timeout_ms is {}; expected 0 or more", read.timeout_ms);
  if (read.timeout_ms > 0) {
    options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(read.timeout_ms);
  }
  return options;
}

// Makes a handle; null when memory is short.
template <typename Make>
auto OrNull(Make&& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::exception&) {
    return nullptr;
  }
}

// A transcript that `owner` keeps alive.
tutti_transcript* NewTranscript(std::shared_ptr<Transcription> owner, const Transcript& transcript) {
  return new tutti_transcript{{std::move(owner), &transcript}};
}

absl::Status CheckHandles(const tutti_recognizer* recognizer, const tutti_audio* audio) {
  if (recognizer == nullptr) return InvalidArgument("recognizer is NULL");
  if (audio == nullptr) return InvalidArgument("audio is NULL");
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Transcription>> Submit(tutti_recognizer* recognizer, const tutti_audio* audio,
                                                      const tutti_transcribe_options* options, tutti_on_done on_done,
                                                      void* user) {
  TUTTI_RETURN_IF_ERROR(CheckHandles(recognizer, audio));
  TUTTI_ASSIGN_OR_RETURN(const auto wanted, ToTranscribeOptions(options));
  Recognizer::OnDone tell;
  if (on_done != nullptr) {
    tell = [on_done, user](const absl::StatusOr<Transcript>& result) {
      if (!result.ok()) return on_done(user, Code(result.status()), Message(result.status()).c_str(), nullptr);
      const tutti_transcript transcript{{std::shared_ptr<const Transcript>(), &*result}};
      on_done(user, TUTTI_OK, "", &transcript);
    };
  }
  return recognizer->value->Submit(audio->value, wanted, std::move(tell));
}

absl::Status WaitFor(const std::shared_ptr<Transcription>& transcription, tutti_transcript** transcript) {
  const absl::StatusOr<Transcript>& result = transcription->Wait();
  if (result.ok() && transcript != nullptr) *transcript = NewTranscript(transcription, *result);
  return result.status();
}

}  // namespace
}  // namespace tutti

using tutti::AudioInput;
using tutti::InvalidArgument;
using tutti::NoThrow;

extern "C" {

int tutti_abi_version(void) { return TUTTI_ABI_VERSION; }
const char* tutti_version(void) { return TUTTI_VERSION; }

const char* tutti_code_name(tutti_code code) {
  static constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS"};
  const auto index = static_cast<size_t>(static_cast<int>(code));
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

void tutti_free_string(char* text) { std::free(text); }

void tutti_recognizer_options_init(tutti_recognizer_options* options) {
  if (options == nullptr) return;
  const tutti::RecognizerOptions defaults;
  *options = {};
  options->size = sizeof(*options);
  options->batch_seconds = defaults.batch_seconds;
  options->queue_seconds = defaults.queue_seconds;
  options->queue_bytes = defaults.queue_bytes;
  options->max_pending = defaults.max_pending;
}

tutti_recognizer* tutti_recognizer_create(const tutti_recognizer_options* options, tutti_code* code, char** error) {
  tutti_recognizer* made = nullptr;
  const absl::Status status = NoThrow("recognizer", [&]() -> absl::Status {
    if (options == nullptr) return InvalidArgument("options is NULL; it has to name a model");
    TUTTI_ASSIGN_OR_RETURN(const auto wanted, tutti::ToRecognizerOptions(options));
    TUTTI_ASSIGN_OR_RETURN(auto recognizer, tutti::Recognizer::Create(wanted));
    std::vector<std::string> languages = recognizer->languages();
    made = new tutti_recognizer{std::move(recognizer), std::move(languages)};
    return absl::OkStatus();
  });
  const tutti_code told = tutti::Tell(status, error);
  if (code != nullptr) *code = told;
  return made;
}

void tutti_recognizer_free(tutti_recognizer* recognizer) { delete recognizer; }
int tutti_recognizer_threads(const tutti_recognizer* recognizer) {
  return recognizer == nullptr ? 0 : recognizer->value->threads();
}
const char* tutti_recognizer_compute_type(const tutti_recognizer* recognizer) {
  return recognizer == nullptr ? "" : tutti::Name(recognizer->value->compute_type()).data();
}
size_t tutti_recognizer_language_count(const tutti_recognizer* recognizer) {
  return recognizer == nullptr ? 0 : recognizer->languages.size();
}
const char* tutti_recognizer_language(const tutti_recognizer* recognizer, size_t index) {
  return index < tutti_recognizer_language_count(recognizer) ? recognizer->languages[index].c_str() : nullptr;
}
int tutti_recognizer_translates(const tutti_recognizer* recognizer) {
  return recognizer != nullptr && recognizer->value->translates() ? 1 : 0;
}

tutti_audio* tutti_audio_from_file(const char* path) {
  if (path == nullptr) return nullptr;
  return tutti::OrNull([&] { return new tutti_audio{AudioInput::File(path)}; });
}

tutti_audio* tutti_audio_from_bytes(const void* bytes, size_t size, const char* name) {
  if (bytes == nullptr && size > 0) return nullptr;
  return tutti::OrNull([&] {
    auto copy = std::make_shared<const std::string>(static_cast<const char*>(bytes), size);
    return new tutti_audio{AudioInput::Bytes(std::move(copy), std::string(tutti::View(name)))};
  });
}

tutti_audio* tutti_audio_from_samples(const float* samples, size_t count, int sample_rate, int channels,
                                      const char* name) {
  if (samples == nullptr && count > 0) return nullptr;
  return tutti::OrNull([&] {
    return new tutti_audio{AudioInput::Samples(std::vector<float>(samples, samples + count), sample_rate, channels,
                                               std::string(tutti::View(name)))};
  });
}

void tutti_audio_free(tutti_audio* audio) { delete audio; }

void tutti_transcribe_options_init(tutti_transcribe_options* options) {
  if (options == nullptr) return;
  const tutti::TranscribeOptions defaults;
  *options = {};
  options->size = sizeof(*options);
  options->use_vad = 1;
  options->max_segment_ms = defaults.max_segment_ms;
  options->max_duration_ms = defaults.max_duration_ms;
}

tutti_code tutti_transcribe(tutti_recognizer* recognizer, const tutti_audio* audio,
                            const tutti_transcribe_options* options, tutti_transcript** transcript, char** error) {
  if (transcript != nullptr) *transcript = nullptr;
  const absl::Status status = NoThrow("transcribe", [&]() -> absl::Status {
    TUTTI_RETURN_IF_ERROR(tutti::CheckHandles(recognizer, audio));
    TUTTI_ASSIGN_OR_RETURN(const auto wanted, tutti::ToTranscribeOptions(options));
    TUTTI_ASSIGN_OR_RETURN(auto result, recognizer->value->Transcribe(audio->value, wanted));
    auto owned = std::make_shared<const tutti::Transcript>(std::move(result));
    if (transcript != nullptr) *transcript = new tutti_transcript{std::move(owned)};
    return absl::OkStatus();
  });
  return tutti::Tell(status, error);
}

tutti_code tutti_submit(tutti_recognizer* recognizer, const tutti_audio* audio, const tutti_transcribe_options* options,
                        tutti_on_done on_done, void* user, tutti_transcription** transcription, char** error) {
  if (transcription != nullptr) *transcription = nullptr;
  const absl::Status status = NoThrow("submit", [&]() -> absl::Status {
    // Before anything is accepted: what is accepted is told of once, by on_done, and by nothing else.
    auto handle = std::make_unique<tutti_transcription>();
    TUTTI_ASSIGN_OR_RETURN(handle->value, tutti::Submit(recognizer, audio, options, on_done, user));
    if (transcription != nullptr) *transcription = handle.release();
    return absl::OkStatus();
  });
  return tutti::Tell(status, error);
}

tutti_code tutti_transcription_wait(tutti_transcription* transcription, tutti_transcript** transcript, char** error) {
  if (transcript != nullptr) *transcript = nullptr;
  const absl::Status status = NoThrow("wait", [&]() -> absl::Status {
    if (transcription == nullptr) return InvalidArgument("transcription is NULL");
    return tutti::WaitFor(transcription->value, transcript);
  });
  return tutti::Tell(status, error);
}

int tutti_transcription_done(const tutti_transcription* transcription) {
  return transcription != nullptr && transcription->value->done() ? 1 : 0;
}
void tutti_transcription_cancel(tutti_transcription* transcription) {
  if (transcription != nullptr) transcription->value->Cancel();
}
void tutti_transcription_free(tutti_transcription* transcription) { delete transcription; }

tutti_vad_stream* tutti_vad_stream_open(tutti_recognizer* recognizer, tutti_code* code, char** error) {
  tutti_vad_stream* made = nullptr;
  const absl::Status status = NoThrow("vad_stream", [&]() -> absl::Status {
    if (recognizer == nullptr) return InvalidArgument("recognizer is NULL");
    TUTTI_ASSIGN_OR_RETURN(auto session, recognizer->value->OpenStream(recognizer->value->default_vad_options()));
    made = new tutti_vad_stream{std::move(session), {}};
    return absl::OkStatus();
  });
  const tutti_code told = tutti::Tell(status, error);
  if (code != nullptr) *code = told;
  return made;
}

tutti_code tutti_vad_stream_accept(tutti_vad_stream* stream, const float* samples, size_t count, int is_final,
                                   const tutti_vad_event** events, size_t* event_count) {
  if (stream == nullptr || (samples == nullptr && count > 0)) return TUTTI_INVALID_ARGUMENT;
  const absl::Status status = NoThrow("vad_stream", [&]() -> absl::Status {
    stream->events.clear();
    for (const tutti::VadEvent& event : stream->session->Accept({samples, count}, is_final != 0)) {
      stream->events.push_back({event.start_ms, event.end_ms});
    }
    return absl::OkStatus();
  });
  if (events != nullptr) *events = stream->events.data();
  if (event_count != nullptr) *event_count = stream->events.size();
  return tutti::Code(status);
}

void tutti_vad_stream_free(tutti_vad_stream* stream) { delete stream; }

}  // extern "C"

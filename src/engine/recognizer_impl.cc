#include "engine/recognizer_impl.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/cpu_affinity.h"
#include "engine/audio_input.h"
#include "engine/detect_speech.h"
#include "engine/in_flight.h"
#include "engine/no_throw.h"
#include "models/vad_state_machine.h"

namespace tutti {
namespace {

// Without a recognition model nothing is ever queued, and the value does not matter.
double MsPerRow(const RecognizerParts& parts) {
  if (parts.asr == nullptr) return 60;
  return parts.asr->frontend()->row_ms();
}

// Audio that a worker has in hand.
double BatchSeconds(const RecognizerOptions& options, const RecognizerParts& parts) {
  return parts.asr != nullptr ? options.batch_seconds * parts.asr->batch_factor() : options.batch_seconds;
}

int64_t RowsIn(double seconds, const RecognizerParts& parts) {
  return std::max<int64_t>(1, static_cast<int64_t>(seconds * 1000 / MsPerRow(parts)));
}

}  // namespace

RecognizerImpl::RecognizerImpl(const RecognizerOptions& options, int helpers, RecognizerParts parts)
    : options_(options),
      helpers_(helpers),
      parts_(std::move(parts)),
      segments_({.max_rows = RowsIn(options.queue_seconds, parts_),
                 .max_bytes = options.queue_bytes,
                 .workers = options.latency ? 1 : options.threads},
                [this] { feeds_.Wake(); }),
      requests_(std::make_shared<RequestTable>(options.max_pending)) {}

RecognizerImpl::~RecognizerImpl() {
  requests_->Close();
  feeds_.Close();
  segments_.Close();
  for (std::vector<std::thread>* threads : {&workers_, &decoders_}) {
    for (std::thread& thread : *threads) thread.join();
  }
}

absl::Status RecognizerImpl::Start() {
  if (parts_.asr == nullptr) return absl::OkStatus();
  try {
    requests_->Start([this] {
      feeds_.DropStopped();
      segments_.DropStopped();
    });
    if (helpers_ > 0) team_ = std::make_unique<LentTeam>(helpers_);
    for (int i = 0; i < (options_.latency ? 1 : options_.threads); ++i) {
      workers_.emplace_back([this] {
        const int64_t batch_rows = RowsIn(BatchSeconds(options_, parts_), parts_);
        const auto on_heard = [this] { feeds_.Wake(); };
        Worker(parts_, segments_, batch_rows, team_.get(), counts_, on_heard, options_.sync_points).Run();
      });
    }
    // Before there is work: a worker's memory comes from where it is first touched.
    if (options_.pin_threads) TUTTI_RETURN_IF_ERROR(Pin());
    for (int i = 0; i < options_.decode_threads; ++i) decoders_.emplace_back([this] { DecodeThread(); });
  } catch (const std::system_error& e) {
    return ResourceExhausted("recogniser: cannot start {} threads: {}",
                             (options_.latency ? 1 : options_.threads) + helpers_ + options_.decode_threads + 1,
                             e.what());
  }
  return absl::OkStatus();
}

absl::Status RecognizerImpl::Pin() {
  TUTTI_ASSIGN_OR_RETURN(const std::vector<int> cpus, AllowedCpus());
  std::vector<std::thread*> threads;
  for (std::thread& worker : workers_) threads.push_back(&worker);
  for (int i = 0; i < helpers_; ++i) threads.push_back(&team_->team().helper(i));
  for (size_t i = 0; i < threads.size(); ++i) {
    TUTTI_RETURN_IF_ERROR(PinThread(*threads[i], cpus[i % cpus.size()]));
  }
  return absl::OkStatus();
}

void RecognizerImpl::DecodeThread() {
  Workspace workspace;
  std::unique_ptr<Feed> feed;
  while ((feed = feeds_.Take(std::move(feed))) != nullptr) {
    if (!feed->Step(workspace)) feed = nullptr;
  }
}

absl::StatusOr<Transcript> RecognizerImpl::Transcribe(AudioInput input, const TranscribeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(const auto request, Accept(true, std::move(input), options, nullptr));
  return request->Wait();
}

absl::StatusOr<std::shared_ptr<Transcription>> RecognizerImpl::Submit(AudioInput input,
                                                                      const TranscribeOptions& options,
                                                                      OnDone on_done) {
  return Accept(false, std::move(input), options, std::move(on_done));
}

absl::StatusOr<std::shared_ptr<Request>> RecognizerImpl::Accept(bool wait, AudioInput input,
                                                                const TranscribeOptions& options, OnDone on_done) {
  if (parts_.asr == nullptr) return FailedPrecondition("{}: no recognition model is loaded", input.name());
  TUTTI_RETURN_IF_ERROR(CheckTranscribeOptions(options));
  TUTTI_RETURN_IF_ERROR(parts_.asr->Check(options.search));
  TUTTI_ASSIGN_OR_RETURN(
      auto request,
      requests_->Admit(
          wait, {.name = input.name(), .model = parts_.model_name, .compute_type = std::string(Name(compute_type()))},
          options, std::move(on_done), options_.sync_points));
  feeds_.Add(std::make_unique<Feed>(request, std::move(input), parts_, segments_, options_.sync_points));
  return request;
}

absl::Status CheckTranscribeOptions(const TranscribeOptions& options) {
  if (options.max_segment_ms < 1000 || options.max_segment_ms > 3'600'000) {
    return InvalidArgument("max_segment_ms: {}, expected 1000 … 3600000", options.max_segment_ms);
  }
  if (options.max_duration_ms <= 0)
    return InvalidArgument("max_duration_ms: {}, expected > 0", options.max_duration_ms);
  if (options.vad_options) TUTTI_RETURN_IF_ERROR(Validate(*options.vad_options));
  return ToDecodeOptions(options).status();
}

void RecognizerImpl::TranscribeFiles(std::span<const std::string> files, const TranscribeOptions& options,
                                     const OnResult& on_result) {
  // Enough for the feed queue to find the long ones.
  const auto read_ahead = size_t{64} + 4 * static_cast<size_t>(options_.threads + options_.decode_threads);
  InFlight in_flight;
  for (size_t next = 0, done = 0; done < files.size(); ++done) {
    for (; next < files.size() && in_flight.size() < read_ahead; ++next) {
      in_flight.Add(Accept(true, AudioInput::File(files[next]), options, nullptr));
    }
    if (!in_flight.Finish([&](const auto& result) { return on_result(done, result); })) return;
  }
}

absl::StatusOr<std::unique_ptr<VadSession>> RecognizerImpl::OpenStream(const VadOptions& options) {
  if (parts_.vad == nullptr) return FailedPrecondition("OpenStream: no VAD model is loaded");
  return OpenVadSession(parts_.vad, options, options_.sync_points);
}

absl::StatusOr<Recognizer::SpeechResult> RecognizerImpl::DetectSpeech(AudioInput input,
                                                                      const TranscribeOptions& options) {
  if (parts_.vad == nullptr) return FailedPrecondition("{}: no VAD model is loaded", input.name());
  return NoThrow(input.name(), [&] { return tutti::DetectSpeech(parts_.vad, input, options, options_.sync_points); });
}

RecognizerStats RecognizerImpl::stats() const {
  const double seconds_per_row = MsPerRow(parts_) / 1000;
  return {.pending = requests_->pending(),
          .queued_seconds = static_cast<double>(segments_.rows()) * seconds_per_row,
          .batches = counts_.batches,
          .batched_seconds = static_cast<double>(counts_.rows) * seconds_per_row,
          .network_seconds = static_cast<double>(counts_.network_us) * 1e-6,
          .batch_budget_seconds = BatchSeconds(options_, parts_)};
}

ComputeType RecognizerImpl::compute_type() const {
  return parts_.asr != nullptr ? parts_.asr->compute_type() : ComputeType::kF32;
}

std::vector<std::string> RecognizerImpl::languages() const {
  return parts_.asr != nullptr ? parts_.asr->languages() : std::vector<std::string>();
}

VadOptions RecognizerImpl::default_vad_options() const {
  return parts_.vad != nullptr ? parts_.vad->default_options() : VadOptions{};
}

}  // namespace tutti

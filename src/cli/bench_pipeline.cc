#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "base/seconds.h"
#include "checkpoint/model_package.h"
#include "cli/bench_parts.h"
#include "engine/recognizer_impl.h"
#include "models/fsmn_vad.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRate = 16000;
constexpr double kRowSeconds = 0.06;

absl::StatusOr<RecognizerParts> LoadBenchParts(const BenchOptions& options) {
  RecognizerParts parts{.asr = nullptr, .vad = nullptr, .model_name = "bench"};
  if (options.synthetic) {
    TUTTI_ASSIGN_OR_RETURN(parts.asr, MakeSynthetic(*options.synthetic, kBenchSeed, options.compute_type));
  } else {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
    TUTTI_ASSIGN_OR_RETURN(parts.asr, AsrModel::Load(package, options.compute_type));
  }
  if (!options.vad.empty()) {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.vad));
    TUTTI_ASSIGN_OR_RETURN(parts.vad, FsmnVad::Load(package));
  }
  return parts;
}

// A WAV file of 16 bits a sample.
std::string EncodeWav(std::span<const float> samples) {
  static_assert(std::endian::native == std::endian::little);
  std::string wav;
  const auto number = [&wav](uint32_t value, size_t bytes) {
    wav.append(reinterpret_cast<const char*>(&value), bytes);  // NOLINT: bytes of a number
  };
  const auto data_bytes = static_cast<uint32_t>(samples.size() * 2);
  wav += "RIFF";
  number(36 + data_bytes, 4);
  wav += "WAVEfmt ";
  number(16, 4);
  number(1, 2);  // PCM
  number(1, 2);  // channel
  number(kRate, 4);
  number(kRate * 2, 4);
  number(2, 2);
  number(16, 2);
  wav += "data";
  number(data_bytes, 4);
  for (const float sample : samples) {
    const auto value = static_cast<int16_t>(std::lround(std::clamp(sample, -1.0F, 1.0F) * 32767.0F));
    number(static_cast<uint16_t>(value), 2);
  }
  return wav;
}

// What the recordings of all rounds have cost.
struct Sums {
  StageSeconds stages;
  double speech_seconds = 0;
  double operations = 0;
  std::vector<double> latencies;

  void Add(const Transcript& transcript, const FeatureExtractor& frontend, const SanmEncoder* encoder) {
    const Timings& timings = transcript.timings;
    stages.decode += timings.decode;
    stages.vad += timings.vad;
    stages.features += timings.features;
    stages.recognise += timings.recognise;
    latencies.push_back(timings.wall);
    for (const Segment& segment : transcript.segments) {
      const int64_t length_ms = segment.end_ms - segment.start_ms;
      speech_seconds += SecondsOf(length_ms);
      if (encoder != nullptr) operations += encoder->Operations(frontend.Rows(length_ms * kRate / 1000));
    }
  }
};

// Submits every recording, `in_flight` at a time, and hands on their transcripts.
absl::Status TranscribeAll(Recognizer& recognizer, std::span<const AudioInput> recordings, size_t in_flight,
                           const std::function<void(const Transcript&)>& add) {
  std::deque<std::shared_ptr<Transcription>> running;
  const auto take_oldest = [&]() -> absl::Status {
    const absl::StatusOr<Transcript>& transcript = running.front()->Wait();
    if (!transcript.ok()) return transcript.status();
    add(*transcript);
    running.pop_front();
    return absl::OkStatus();
  };
  for (const AudioInput& recording : recordings) {
    if (running.size() == in_flight) TUTTI_RETURN_IF_ERROR(take_oldest());
    TUTTI_ASSIGN_OR_RETURN(auto handle, recognizer.Submit(recording));
    running.push_back(std::move(handle));
  }
  while (!running.empty()) TUTTI_RETURN_IF_ERROR(take_oldest());
  return absl::OkStatus();
}

absl::StatusOr<BenchResult> BenchRecognizer(const char* part, const BenchOptions& options, bool encoded) {
  const auto start = Clock::now();
  TUTTI_ASSIGN_OR_RETURN(const RecognizerParts parts, LoadBenchParts(options));
  TUTTI_ASSIGN_OR_RETURN(const auto recognizer, CreateRecognizer({.model = "",
                                                                  .vad = "",
                                                                  .threads = options.threads,
                                                                  .pin_threads = options.pin,
                                                                  .latency = options.latency,
                                                                  .batch_seconds = options.batch_seconds},
                                                                 parts));
  const double load_seconds = SecondsSince(start);

  std::vector<AudioInput> recordings;
  double audio_seconds = 0;
  for (const double seconds :
       options.lengths.Draw(options.audio_seconds.value_or(2 * options.batch_seconds * options.threads))) {
    std::vector<float> samples = ArtificialSpeech(seconds);
    recordings.push_back(encoded ? AudioInput::Bytes(std::make_shared<const std::string>(EncodeWav(samples)), part)
                                 : AudioInput::Samples(std::move(samples), kRate, 1, part));
    audio_seconds += seconds;
  }

  const SanmEncoder* encoder = parts.asr->sanm_encoder();
  const auto roof = [&] {
    const auto rows = std::max<int64_t>(1, static_cast<int64_t>(options.batch_seconds / kRowSeconds));
    return encoder != nullptr ? LinearRoof(encoder->options(), rows, options.threads) : 0;
  };
  const double roof_before = roof();
  Sums sums;
  absl::Status failed;
  bool warm = false;
  const LoopRate rate = Repeat(1, options.duration, [&](int) {
    const size_t in_flight = options.in_flight > 0 ? static_cast<size_t>(options.in_flight) : recordings.size();
    const absl::Status status = TranscribeAll(*recognizer, recordings, in_flight, [&](const Transcript& transcript) {
      if (warm) sums.Add(transcript, *parts.asr->frontend(), encoder);
    });
    if (!status.ok()) failed = status;
    warm = true;
  });
  if (!failed.ok()) return failed;
  const double roof_after = roof();

  BenchResult result = FromLoop(part, rate, audio_seconds);
  result.load_seconds = load_seconds;
  result.compute_type = parts.asr->compute_type();
  result.speech_seconds = sums.speech_seconds;
  result.stages = sums.stages;
  result.latencies = std::move(sums.latencies);
  if (encoder != nullptr) {
    result.gops = sums.operations / rate.seconds / 1e9;
    result.roof_gops = (roof_before + roof_after) / 2 / 1e9;
  }
  return result;
}

}  // namespace

absl::StatusOr<BenchResult> BenchAsr(const BenchOptions& options) { return BenchRecognizer("asr", options, false); }

absl::StatusOr<BenchResult> BenchPipeline(const BenchOptions& options) {
  return BenchRecognizer("pipeline", options, true);
}

}  // namespace tutti

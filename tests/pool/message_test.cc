#include "pool/message.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "pool/wire.h"
#include "tests/engine/real_parts.h"

namespace tutti {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string Encoded(const PoolMessage& message) { return *EncodeMessage(message); }

StartJob FullJob() {
  StartJob job;
  job.job = 7;
  job.audio = AudioKind::kSamples;
  job.bytes = 1 << 20;
  job.sample_rate = 44100;
  job.sample_channels = 2;
  job.name = "会议.wav";
  job.tell_segments = true;
  job.options.vad_options = VadOptions{.max_end_silence_time = 500, .speech_noise_thres = 0.7, .sil_pdf_ids = {0, 3}};
  job.options.channels = Channels::kSplit;
  job.options.raw_format = "s16le:8000:2";
  job.options.max_segment_ms = 30'000;
  job.options.search.temperature = {0, 0.5F};
  job.options.search.best_of = 3;
  job.options.search.condition_on_previous_text = true;
  job.options.search.window_seconds = 15;
  job.options.search.without_timestamps = false;
  job.options.search.word_timestamps = true;
  job.options.search.multilingual = false;
  job.options.search.suppress_tokens = "-1,7";
  job.options.search.suppress_blank = false;
  job.options.priority = Priority::kInteractive;
  return job;
}

TEST(PoolMessage, EachSurvivesTheWay) {
  const std::array<PoolMessage, 14> messages = {
      NurseryReady{.model_name = "m",
                   .compute_type = ComputeType::kInt8,
                   .has_asr = true,
                   .takes_search_options = true,
                   .languages = {"en", "zh"},
                   .translates = true,
                   .vad_options = {}},
      NurseryFailed{.code = 5, .message = "no model"},
      WorkerBorn{.worker = 3, .pid = 4711},
      WorkerEnded{.worker = 3, .wait_status = 139, .peak_bytes = 1 << 30, .error = "x"},
      ForkWorker{.worker = 4, .slot = 1},
      KillWorker{.worker = 4},
      FullJob(),
      CancelJob{.job = 7},
      WorkerUp{.sandboxed = true},
      WorkerBeat{.resident_bytes = 1 << 30},
      SegmentReady{.job = 7, .offset = 4096, .size = 100},
      JobDone{.job = 7, .offset = 4196, .size = 200},
      MakeNursery{.recognizer = {.model = "m", .vad = "v", .compute_type = ComputeType::kBf16, .threads = 3},
                  .worker_memory_bytes = 1 << 30,
                  .beat_ms = 200},
      NurseryMade{.pid = 4711}};
  for (const PoolMessage& message : messages) {
    const std::string bytes = Encoded(message);
    const auto decoded = DecodeMessage(Bytes(bytes));
    ASSERT_TRUE(decoded.ok()) << message.index() << decoded.status();
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(Encoded(*decoded), bytes);
  }
}

TEST(PoolMessage, OptionsOfAJobArriveAsTheyWere) {
  const auto decoded = DecodeMessage(Bytes(Encoded(FullJob())));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& job = std::get<StartJob>(*decoded);
  EXPECT_EQ(job.name, "会议.wav");
  EXPECT_EQ(job.options.vad_options->max_end_silence_time, 500);
  EXPECT_EQ(job.options.vad_options->sil_pdf_ids, (std::vector<int>{0, 3}));
  EXPECT_EQ(job.options.channels, Channels::kSplit);
  EXPECT_EQ(job.options.search, FullJob().options.search);
  EXPECT_EQ(job.options.priority, Priority::kInteractive);
}

TEST(PoolMessage, CutOrLengthenedAnywhereItIsRefused) {
  const std::string bytes = Encoded(FullJob());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeMessage(Bytes(bytes.substr(0, size))).status().code(), absl::StatusCode::kDataLoss) << size;
  }
  EXPECT_EQ(DecodeMessage(Bytes(bytes + "x")).status().code(), absl::StatusCode::kDataLoss);
}

TEST(PoolMessage, AnotherVersionIsRefused) {
  std::string bytes = Encoded(CancelJob{1});
  bytes[0] = 2;
  EXPECT_EQ(Message(DecodeMessage(Bytes(bytes)).status()), "pool message: version 2, this program speaks 1");
}

TEST(PoolMessage, AnUnknownTypeOrEnumValueIsRefused) {
  std::string bytes = Encoded(CancelJob{1});
  bytes[8] = 99;
  EXPECT_FALSE(DecodeMessage(Bytes(bytes)).ok());
  bytes = Encoded(StartJob{});
  bytes[3 * 8 + 8] = 4;  // beyond the last AudioKind
  EXPECT_FALSE(DecodeMessage(Bytes(bytes)).ok());
}

TEST(PoolMessage, OneThatIsTooLongIsNotSent) {
  StartJob job;
  job.name = std::string(kMaxMessageBytes, 'x');
  EXPECT_EQ(EncodeMessage(job).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WireReader, ACountBeyondTheBytesAllocatesNothing) {
  WireWriter writer;
  writer(std::numeric_limits<int64_t>::max());
  const std::string bytes = writer.Take();
  std::vector<int> numbers;
  WireReader reader(Bytes(bytes));
  reader(numbers);
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(numbers.empty());
}

TEST(PoolResult, ATranscriptSurvivesToTheLastBit) {
  Transcript transcript;
  transcript.file = "a.wav";
  transcript.duration_ms = 1234;
  transcript.channels = 2;
  transcript.text = "六 seven";
  transcript.truncated = true;
  transcript.segments.push_back({10, 900, 1, "六", {}});
  transcript.segments[0].tokens.push_back({.text = "六", .start_ms = 10, .end_ms = std::nullopt, .score = -0.1F / 3});
  Segment& searched = transcript.segments.emplace_back(Segment{900, 1200, 0, "seven", {}});
  searched.avg_logprob = -0.2F / 3;
  searched.no_speech_prob = 0.1F;
  searched.compression_ratio = 1.3F;
  searched.temperature = 0.2F;
  searched.language = "en";
  searched.language_probability = 0.9F;
  searched.token_ids = {50257, -1, 0};
  transcript.language = "zh";
  transcript.language_probability = 0.7F;
  transcript.timings.decode = 0.1;
  bool decoded = false;
  const auto again = DecodeResult(Bytes(EncodeResult(transcript)), &decoded);
  EXPECT_TRUE(decoded);
  EXPECT_EQ(testing::Dump(again), testing::Dump(transcript));
  EXPECT_EQ(again->timings.decode, 0.1);
  EXPECT_EQ(again->segments.back().token_ids, searched.token_ids);
}

TEST(PoolResult, AnErrorOfARecordingIsNoErrorOfTheWay) {
  bool decoded = false;
  const auto again = DecodeResult(Bytes(EncodeResult(InvalidArgument("a.wav: no audio"))), &decoded);
  EXPECT_TRUE(decoded);
  EXPECT_EQ(again.status(), InvalidArgument("a.wav: no audio"));
  EXPECT_FALSE(DecodeResult(Bytes("nonsense"), &decoded).ok());
  EXPECT_FALSE(decoded);
}

}  // namespace
}  // namespace tutti

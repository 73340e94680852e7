#include "tutti/recognizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

#include "base/file.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::FakeRecognizer;
using testing::Gate;
using ::testing::HasSubstr;
using testing::Interactive;
using ::testing::IsEmpty;
using testing::TextOrError;
using testing::Threads;
using testing::Tone;

TEST(RecognizerTest, WithoutVadARecordingIsOneSegmentWithItsTimes) {
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto result = recognizer->Transcribe(Tone(1, 1000));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->file, "tone 1");
  EXPECT_EQ(result->duration_ms, 1000);
  EXPECT_EQ(result->model, "fake");
  EXPECT_EQ(result->compute_type, "f32");
  EXPECT_EQ(result->channels, 1);
  ASSERT_EQ(result->segments.size(), 1u);
  EXPECT_EQ(result->segments[0].start_ms, 0);
  EXPECT_EQ(result->segments[0].end_ms, 1000);
  ASSERT_EQ(result->segments[0].tokens.size(), 2u);
  EXPECT_EQ(result->segments[0].tokens[0].text, "17");  // ⌈98 frames / 6⌉ rows
  EXPECT_EQ(result->segments[0].tokens[1].start_ms, 60);
  EXPECT_EQ(result->segments[0].tokens[1].end_ms, 120);
  EXPECT_FLOAT_EQ(result->segments[0].tokens[1].score, -0.25F);
}

TEST(RecognizerTest, NothingToHearIsAnEmptyTextAndNoError) {
  const auto recognizer = FakeRecognizer(Threads(1));
  for (const int64_t ms : {0, 1, 24}) {
    const auto result = recognizer->Transcribe(Tone(1, ms));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->text, "");
    EXPECT_THAT(result->segments, IsEmpty());
    EXPECT_EQ(result->duration_ms, ms);
  }
}

TEST(RecognizerTest, LongAudioIsCutIntoSegmentsThatJoinWithoutGap) {
  const auto recognizer = FakeRecognizer(Threads(2));
  TranscribeOptions options;
  options.max_segment_ms = 3000;
  const auto result = recognizer->Transcribe(Tone(1, 20'000), options);
  ASSERT_TRUE(result.ok());
  ASSERT_GE(result->segments.size(), 7u);
  int64_t at = 0;
  for (const Segment& segment : result->segments) {
    EXPECT_EQ(segment.start_ms, at);
    EXPECT_LE(segment.end_ms - segment.start_ms, 3000);
    EXPECT_EQ(segment.tokens[0].start_ms, at);
    at = segment.end_ms;
  }
  EXPECT_EQ(at, 20'000);
}

TEST(RecognizerTest, SplitChannelsAreTranscribedSeparatelyAndSortedByStart) {
  std::vector<float> samples(2 * 16'000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = i % 2 == 0 ? 0.0F : 0.1F * static_cast<float>(i % 7);
  const auto recognizer = FakeRecognizer(Threads(2));
  TranscribeOptions options;
  options.channels = Channels::kSplit;
  const auto split = recognizer->Transcribe(AudioInput::Samples(samples, 16'000, 2, "call"), options);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->channels, 2);
  ASSERT_EQ(split->segments.size(), 2u);
  EXPECT_EQ(split->segments[0].channel, 0);
  EXPECT_EQ(split->segments[1].channel, 1);
  EXPECT_NE(split->segments[0].text, split->segments[1].text);
  EXPECT_EQ(split->duration_ms, 1000);

  const auto mixed = recognizer->Transcribe(AudioInput::Samples(samples, 16'000, 2, "call"));
  ASSERT_TRUE(mixed.ok());
  EXPECT_EQ(mixed->segments.size(), 1u);
}

TEST(RecognizerTest, ManyRecordingsOnManyThreadsGetTheTextTheyGetAlone) {
  constexpr int kRecordings = 60;
  const auto length = [](int i) { return 200 + i * 37 % 1900; };
  std::vector<std::string> alone;
  {
    const auto recognizer = FakeRecognizer(Threads(1));
    for (int i = 0; i < kRecordings; ++i) alone.push_back(TextOrError(recognizer->Transcribe(Tone(i, length(i)))));
  }
  RecognizerOptions options = Threads(8);
  options.batch_seconds = 5;
  options.queue_seconds = 8;
  const auto recognizer = FakeRecognizer(options);
  std::vector<std::shared_ptr<Transcription>> pending;
  for (int i = 0; i < kRecordings; ++i) {
    pending.push_back(*recognizer->Submit(Tone(i, length(i)), i % 3 == 0 ? Interactive() : TranscribeOptions{}));
  }
  for (int i = 0; i < kRecordings; ++i) {
    EXPECT_EQ(TextOrError(pending[static_cast<size_t>(i)]->Wait()), alone[static_cast<size_t>(i)]) << i;
  }
}

TEST(RecognizerTest, ABadInputIsReportedByNameAndHarmsNoOther) {
  const auto recognizer = FakeRecognizer(Threads(2));
  const auto garbage = std::make_shared<const std::string>("RIFF\xFF\xFF\xFF\xFFWAVEfmt nonsense");
  const auto bad = *recognizer->Submit(AudioInput::Bytes(garbage, "upload 7"));
  const auto missing = *recognizer->Submit(AudioInput::File("/nowhere/missing.wav"));
  const auto good = *recognizer->Submit(Tone(1, 500));
  EXPECT_FALSE(bad->Wait().ok());
  EXPECT_THAT(std::string(bad->Wait().status().message()), HasSubstr("upload 7"));
  EXPECT_EQ(missing->Wait().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing->Wait().status().message()), HasSubstr("/nowhere/missing.wav"));
  EXPECT_TRUE(good->Wait().ok()) << good->Wait().status();
}

TEST(RecognizerTest, OptionsOutOfRangeAreRefusedAtOnce) {
  const auto recognizer = FakeRecognizer(Threads(1));
  TranscribeOptions options;
  options.max_segment_ms = 10;
  EXPECT_THAT(TextOrError(recognizer->Transcribe(Tone(1, 100), options)), HasSubstr("max_segment_ms: 10"));
  options = {};
  options.raw_format = "mp9:16000";
  EXPECT_EQ(recognizer->Submit(Tone(1, 100), options).status().code(), absl::StatusCode::kInvalidArgument);
  options = {};
  options.vad_options.emplace().speech_noise_thres = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(recognizer->Submit(Tone(1, 100), options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RecognizerTest, AnExceptionInTheNetworkFailsTheGuiltySegmentOnly) {
  // 1500 ms are 25 rows; a batch with such a segment throws, and so does the segment alone.
  for (const bool out_of_memory : {true, false}) {
    Gate all_queued;
    const auto recognizer = FakeRecognizer(Threads(1), [&](const ScatteredBatch& batch) {
      all_queued.Wait();
      for (int64_t i = 0; i < batch.segments(); ++i) {
        if (batch.rows(i) != 25) continue;
        if (out_of_memory) throw std::bad_alloc();
        throw std::runtime_error("the network is down");
      }
    });
    std::vector<std::shared_ptr<Transcription>> pending;
    for (int i = 0; i < 9; ++i) pending.push_back(*recognizer->Submit(Tone(i, i == 4 ? 1500 : 500)));
    all_queued.Open();
    for (size_t i = 0; i < pending.size(); ++i) {
      const auto& result = pending[i]->Wait();
      if (i == 4) {
        EXPECT_EQ(result.status().code(),
                  out_of_memory ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal);
        EXPECT_THAT(std::string(result.status().message()), HasSubstr("tone 4"));
      } else {
        EXPECT_TRUE(result.ok()) << result.status();
      }
    }
  }
}

TEST(RecognizerTest, TimingsSayWhereTheTimeWent) {
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto result = recognizer->Transcribe(Tone(1, 5000));
  ASSERT_TRUE(result.ok());
  EXPECT_GT(result->timings.features, 0);
  EXPECT_GT(result->timings.recognise, 0);
  EXPECT_GE(result->timings.vad, 0);
  EXPECT_GT(result->timings.wall, 0);
}

const std::string kAudio = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/";

TEST(RecognizerTest, AFileItsBytesItsRawAudioAndItsSamplesGiveTheSameText) {
  const auto recognizer = FakeRecognizer(Threads(1));
  const std::string path = kAudio + "clip_b.wav";
  const auto bytes = ReadFile(path);
  ASSERT_TRUE(bytes.ok());
  const std::string expected = TextOrError(recognizer->Transcribe(AudioInput::File(path)));
  EXPECT_EQ(TextOrError(recognizer->Transcribe(AudioInput::Bytes(std::make_shared<std::string>(*bytes), "bytes"))),
            expected);
  TranscribeOptions raw;
  raw.raw_format = "s16le:16000:1";
  const auto headerless = std::make_shared<std::string>(bytes->substr(44));
  EXPECT_EQ(TextOrError(recognizer->Transcribe(AudioInput::Bytes(headerless, "raw"), raw)), expected);
  const auto samples = AudioInput::Samples(testing::ReadWav(path), 16'000, 1, "samples");
  EXPECT_EQ(TextOrError(recognizer->Transcribe(samples)), expected);
}

TEST(RecognizerTest, FilesComeBackInTheOrderGivenAndABadOneIsOnlyItsOwnTrouble) {
  const auto recognizer = FakeRecognizer(Threads(4));
  std::vector<std::string> files;
  for (int i = 0; i < 60; ++i) {
    files.push_back(kAudio + (i % 5 == 2 ? "missing.wav" : i % 2 == 0 ? "clip_a.wav" : "clip_b.wav"));
  }
  std::vector<size_t> order;
  const auto caller = std::this_thread::get_id();
  recognizer->TranscribeFiles(files, {}, [&](size_t index, const absl::StatusOr<Transcript>& result) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(index, order.size());
    EXPECT_EQ(result.ok(), index % 5 != 2) << index << " " << result.status();
    EXPECT_EQ(result.ok() ? result->file : files[index], files[index]);
    order.push_back(index);
    return true;
  });
  EXPECT_EQ(order.size(), files.size());
}

TEST(RecognizerTest, FilesStopWhenTheCallerHasEnough) {
  const auto recognizer = FakeRecognizer(Threads(2));
  const std::vector<std::string> files(50, kAudio + "clip_a.wav");
  std::atomic<bool> returned = false;
  TranscribeOptions options;
  options.progress = [&returned](const Progress&) { EXPECT_FALSE(returned); };
  int results = 0;
  recognizer->TranscribeFiles(files, options, [&results](size_t, const auto&) { return ++results < 3; });
  returned = true;
  EXPECT_EQ(results, 3);
}

TEST(RecognizerTest, WithoutModelsOnlyTheirOwnCallsFail) {
  const auto recognizer = FakeRecognizer(Threads(1));
  EXPECT_EQ(recognizer->OpenStream({}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(recognizer->DetectSpeech(Tone(1, 100)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(recognizer->default_vad_options().max_end_silence_time, VadOptions{}.max_end_silence_time);
  const auto no_asr = CreateRecognizer(Threads(1), {});
  ASSERT_TRUE(no_asr.ok());
  EXPECT_EQ((*no_asr)->Transcribe(Tone(1, 100)).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RecognizerTest, CreateRefusesOptionsItCannotKeep) {
  EXPECT_EQ(Recognizer::Create({}).status().code(), absl::StatusCode::kInvalidArgument);
  RecognizerOptions options;
  options.model = "/nowhere/model";
  EXPECT_EQ(Recognizer::Create(options).status().code(), absl::StatusCode::kNotFound);
  for (const auto& spoil : std::vector<std::function<void(RecognizerOptions&)>>{
           [](auto& o) { o.threads = -1; }, [](auto& o) { o.decode_threads = 100'000; },
           [](auto& o) { o.batch_seconds = 0; }, [](auto& o) { o.queue_seconds = -1; },
           [](auto& o) { o.queue_bytes = 0; }, [](auto& o) { o.max_pending = 0; },
           [](auto& o) { o.batch_seconds = std::numeric_limits<double>::infinity(); }}) {
    options = {};
    spoil(options);
    EXPECT_EQ(CreateRecognizer(options, {}).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tutti

#include "tutti/recognizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

#include "base/cpu_affinity.h"
#include "base/file.h"
#include "base/mutex.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Eventually;
using testing::FakeRecognizer;
using testing::Gate;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Tone;

RecognizerOptions Threads(int threads) {
  RecognizerOptions options;
  options.threads = threads;
  return options;
}

TranscribeOptions Interactive() {
  TranscribeOptions options;
  options.priority = Priority::kInteractive;
  return options;
}

std::string TextOf(const absl::StatusOr<Transcript>& result) {
  return result.ok() ? result->text : "error: " + std::string(result.status().message());
}

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
    for (int i = 0; i < kRecordings; ++i) alone.push_back(TextOf(recognizer->Transcribe(Tone(i, length(i)))));
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
    EXPECT_EQ(TextOf(pending[static_cast<size_t>(i)]->Wait()), alone[static_cast<size_t>(i)]) << i;
  }
}

TEST(RecognizerTest, TheQueueNeverHoldsMoreThanItsBounds) {
  RecognizerOptions options = Threads(2);
  options.decode_threads = 4;
  options.batch_seconds = 3;
  options.queue_seconds = 12;  // 200 rows
  options.queue_bytes = 150 * 560 * 4;
  const Recognizer* seen = nullptr;
  std::atomic<bool> over = false, full = false;
  const auto look = [&](const ScatteredBatch&) {
    const SegmentQueue& queue = static_cast<const RecognizerImpl*>(seen)->segment_queue();
    if (!full && Eventually([&queue] { return queue.rows() >= 100; })) full = true;  // feeders run ahead
    if (queue.rows() > 200 || queue.bytes() > 150 * 560 * 4) over = true;
    std::this_thread::sleep_for(milliseconds(1));
  };
  const auto recognizer = FakeRecognizer(options, look);
  seen = recognizer.get();
  std::vector<std::shared_ptr<Transcription>> pending;
  for (int i = 0; i < 100; ++i)
    pending.push_back(*recognizer->Submit(Tone(i, 1500), i % 2 ? Interactive() : TranscribeOptions{}));
  for (const auto& request : pending) EXPECT_TRUE(request->Wait().ok());
  EXPECT_FALSE(over);
  EXPECT_TRUE(full) << "the queue was never put under pressure";
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
  EXPECT_THAT(TextOf(recognizer->Transcribe(Tone(1, 100), options)), HasSubstr("max_segment_ms: 10"));
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

TEST(RecognizerTest, OnDoneIsCalledOnceBeforeWaitReturns) {
  const auto recognizer = FakeRecognizer(Threads(4));
  std::vector<std::atomic<int>> told(40);
  std::vector<std::shared_ptr<Transcription>> pending;
  for (size_t i = 0; i < told.size(); ++i) {
    pending.push_back(*recognizer->Submit(Tone(static_cast<int>(i), 300), {}, [&told, i](const auto&) { ++told[i]; }));
    if (i % 4 == 0) pending.back()->Cancel();
  }
  for (size_t i = 0; i < told.size(); ++i) {
    pending[i]->Wait();
    EXPECT_EQ(told[i], 1) << i;
  }
}

TEST(RecognizerTest, OnDoneMaySubmitMore) {
  const auto recognizer = FakeRecognizer(Threads(1));
  std::promise<std::string> second;
  const auto first = recognizer->Submit(Tone(1, 300), {}, [&](const auto&) {
    const auto next =
        recognizer->Submit(Tone(2, 300), {}, [&](const auto& result) { second.set_value(TextOf(result)); });
    EXPECT_TRUE(next.ok());
  });
  EXPECT_EQ(second.get_future().get(), TextOf(recognizer->Transcribe(Tone(2, 300))));
}

TEST(RecognizerTest, CancelEndsARequestWhileTheWorkerIsBusyWithAnother) {
  Gate release;
  const auto recognizer = FakeRecognizer(Threads(1), [&](const ScatteredBatch&) { release.Wait(); });
  const auto busy = *recognizer->Submit(Tone(1, 300));
  const auto waiting = *recognizer->Submit(Tone(2, 300));
  waiting->Cancel();
  waiting->Cancel();
  EXPECT_EQ(waiting->Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(waiting->Wait().status().message()), HasSubstr("tone 2"));
  busy->Cancel();  // in the network already: its result comes to nothing
  EXPECT_EQ(busy->Wait().status().code(), absl::StatusCode::kCancelled);
  release.Open();
  EXPECT_TRUE(recognizer->Transcribe(Tone(3, 300)).ok());
}

TEST(RecognizerTest, CancelAfterTheResultChangesNothing) {
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto request = *recognizer->Submit(Tone(1, 300));
  EXPECT_TRUE(request->Wait().ok());
  request->Cancel();
  EXPECT_TRUE(request->Wait().ok());
}

TEST(RecognizerTest, TheDeadlineEndsARequestWhereverItIs) {
  Gate release;
  const auto recognizer = FakeRecognizer(Threads(1), [&](const ScatteredBatch&) { release.Wait(); });
  TranscribeOptions options;
  options.deadline = steady_clock::now() + milliseconds(500);
  const auto busy = *recognizer->Submit(Tone(1, 300), options);
  const auto waiting = *recognizer->Submit(Tone(2, 300), options);
  EXPECT_EQ(busy->Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(waiting->Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  options.deadline = steady_clock::now() - milliseconds(1);
  EXPECT_EQ(recognizer->Transcribe(Tone(3, 300), options).status().code(), absl::StatusCode::kDeadlineExceeded);
  release.Open();
}

TEST(RecognizerTest, InteractiveWorkOvertakesABacklogThatFillsEveryQueue) {
  constexpr int64_t kBacklogRows = 17;  // of a second; the urgent recording has fewer
  std::atomic<int> batches = 0, urgent_batch = -1;
  Gate release;
  RecognizerOptions options = Threads(1);
  options.batch_seconds = 2;
  options.queue_seconds = 8;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch& batch) {
    const int index = batches++;
    for (int64_t i = 0; i < batch.segments(); ++i) {
      if (batch.rows(i) < kBacklogRows) urgent_batch = index;
    }
    if (index == 0) release.Wait();
  });
  std::vector<std::shared_ptr<Transcription>> backlog;
  for (int i = 0; i < 60; ++i) backlog.push_back(*recognizer->Submit(Tone(i, 1000)));
  const SegmentQueue& queue = static_cast<const RecognizerImpl&>(*recognizer).segment_queue();
  ASSERT_TRUE(Eventually([&] { return batches == 1 && queue.rows() >= 100; }));  // the worker is busy, the queue full
  const auto urgent = *recognizer->Submit(Tone(99, 400), Interactive());
  ASSERT_TRUE(Eventually([&] { return queue.rows() % kBacklogRows != 0; }))
      << "it did not get past the backlog's decoding";
  release.Open();
  EXPECT_TRUE(urgent->Wait().ok());
  EXPECT_EQ(urgent_batch, 1) << "the next after the one that was running";
  for (const auto& request : backlog) EXPECT_TRUE(request->Wait().ok());
}

TEST(RecognizerTest, RefusesToSubmitBeyondMaxPendingWhileTranscribeWaits) {
  Gate release;
  RecognizerOptions options = Threads(1);
  options.max_pending = 2;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) { release.Wait(); });
  const auto a = *recognizer->Submit(Tone(1, 300)), b = *recognizer->Submit(Tone(2, 300));
  EXPECT_EQ(recognizer->Submit(Tone(3, 300)).status().code(), absl::StatusCode::kResourceExhausted);
  std::thread patient([&] { EXPECT_TRUE(recognizer->Transcribe(Tone(3, 300)).ok()); });
  release.Open();
  patient.join();
}

TEST(RecognizerTest, DestructionCancelsWhatIsPendingAndCallsEveryCallback) {
  std::atomic<int> told = 0;
  std::vector<std::shared_ptr<Transcription>> pending;
  {
    RecognizerOptions options = Threads(2);
    options.queue_seconds = 5;
    const auto recognizer =
        FakeRecognizer(options, [](const ScatteredBatch&) { std::this_thread::sleep_for(milliseconds(5)); });
    for (int i = 0; i < 100; ++i) {
      pending.push_back(*recognizer->Submit(Tone(i, 1500), {}, [&told](const auto&) { ++told; }));
    }
    EXPECT_TRUE(pending.front()->Wait().ok());
  }
  EXPECT_EQ(told, 100);
  int cancelled = 0;
  for (const auto& request : pending) {
    ASSERT_TRUE(request->done());
    if (!request->Wait().ok()) {
      EXPECT_EQ(request->Wait().status().code(), absl::StatusCode::kCancelled);
      ++cancelled;
    }
    request->Cancel();
  }
  EXPECT_GT(cancelled, 0);
}

TEST(RecognizerTest, ProgressRunsFromNothingToAll) {
  const auto recognizer = FakeRecognizer(Threads(2));
  std::vector<Progress> reports;
  TranscribeOptions options;
  options.max_segment_ms = 2000;
  options.progress = [&reports](const Progress& progress) { reports.push_back(progress); };
  const auto result = recognizer->Transcribe(Tone(1, 9000), options);
  ASSERT_TRUE(result.ok());
  ASSERT_FALSE(reports.empty());
  const auto segments = static_cast<int64_t>(result->segments.size());
  EXPECT_EQ(reports.back().audio_ms_decoded, 9000);
  EXPECT_EQ(reports.back().segments_found, segments);
  EXPECT_EQ(reports.back().segments_done, segments);
  for (size_t i = 1; i < reports.size(); ++i) {
    EXPECT_GE(reports[i].audio_ms_decoded, reports[i - 1].audio_ms_decoded);
    EXPECT_GE(reports[i].segments_done, reports[i - 1].segments_done);
    EXPECT_LE(reports[i].segments_done, reports[i].segments_found);
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
  const std::string expected = TextOf(recognizer->Transcribe(AudioInput::File(path)));
  EXPECT_EQ(TextOf(recognizer->Transcribe(AudioInput::Bytes(std::make_shared<std::string>(*bytes), "bytes"))),
            expected);
  TranscribeOptions raw;
  raw.raw_format = "s16le:16000:1";
  const auto headerless = std::make_shared<std::string>(bytes->substr(44));
  EXPECT_EQ(TextOf(recognizer->Transcribe(AudioInput::Bytes(headerless, "raw"), raw)), expected);
  const auto samples = AudioInput::Samples(testing::ReadWav(path), 16'000, 1, "samples");
  EXPECT_EQ(TextOf(recognizer->Transcribe(samples)), expected);
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

TEST(RecognizerTest, SegmentsOfOneRecordingAreSpreadOverTheWorkers) {
  std::atomic<int> inside = 0;
  RecognizerOptions options = Threads(3);
  options.batch_seconds = 1;
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) {
    ++inside;
    EXPECT_TRUE(Eventually([&] { return inside >= 3; })) << "a worker is idle while another has all the segments";
  });
  TranscribeOptions cut;
  cut.max_segment_ms = 1000;
  EXPECT_TRUE(recognizer->Transcribe(Tone(1, 6000), cut).ok());
}

TEST(RecognizerTest, TheLargestOfTheWaitingRecordingsBeginsFirstAndResultsKeepTheirOrder) {
  std::vector<int64_t> begun;  // rows, as the only worker sees them
  std::atomic<int> batches = 0;
  Gate release;
  RecognizerOptions options = Threads(1);
  options.batch_seconds = 0.1;
  options.queue_seconds = 1.2;  // one recording
  const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch& batch) {
    if (batches++ == 0) release.Wait();
    begun.push_back(batch.rows());
  });
  std::vector<std::shared_ptr<Transcription>> requests = {*recognizer->Submit(Tone(0, 1000))};
  ASSERT_TRUE(Eventually([&] { return batches == 1; }));
  // The decode thread may take one before the others are there.
  const SegmentQueue& queue = static_cast<const RecognizerImpl&>(*recognizer).segment_queue();
  requests.push_back(*recognizer->Submit(Tone(0, 1000)));
  ASSERT_TRUE(Eventually([&] { return queue.rows() > 0; }));
  requests.push_back(*recognizer->Submit(Tone(0, 1000)));
  for (const int64_t ms : {300, 600, 900, 400, 800}) requests.push_back(*recognizer->Submit(Tone(1, ms)));
  release.Open();
  for (const auto& request : requests) EXPECT_TRUE(request->Wait().ok());
  ASSERT_EQ(begun.size(), 8u);
  EXPECT_TRUE(std::is_sorted(begun.begin() + 3, begun.end(), std::greater<>())) << ::testing::PrintToString(begun);
}

TEST(RecognizerTest, PinnedWorkersRunOnTheirCpusAlone) {
  const auto cpus = AllowedCpus();
  ASSERT_TRUE(cpus.ok());
  for (const bool latency : {false, true}) {
    RecognizerOptions options = Threads(static_cast<int>(cpus->size()) + 1);  // one more than there are CPUs
    options.pin_threads = true;
    options.latency = latency;
    options.batch_seconds = 0.1;
    Mutex mu;
    std::vector<int> seen;
    const auto recognizer = FakeRecognizer(options, [&](const ScatteredBatch&) {
      const auto mine = AllowedCpus();
      MutexLock lock(mu);
      seen.insert(seen.end(), mine->begin(), mine->end());
    });
    constexpr size_t kRecordings = 20;
    std::vector<std::shared_ptr<Transcription>> requests;
    for (size_t i = 0; i < kRecordings; ++i) requests.push_back(*recognizer->Submit(Tone(1, 300)));
    for (const auto& request : requests) EXPECT_TRUE(request->Wait().ok());
    EXPECT_EQ(seen.size(), kRecordings) << "one CPU for each batch";
    for (const int cpu : seen) EXPECT_TRUE(std::ranges::count(*cpus, cpu));
  }
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

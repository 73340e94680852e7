// What becomes of recordings whose processes die, hang or do not come up, and of the others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <limits>
#include <thread>

#include "pool/process_pool.h"
#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProcessPoolFaults, APoisonedRecordingIsGivenUpAndAllOthersFinish) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch& batch) {
    if (!HasRecordingOf(batch, kPoisonMs)) return;
    std::fputs("about to fall\n", stderr);
    DieOf(SIGSEGV);
  });
  options.retries = 1;
  const auto pool = MakePool(options);
  const auto poisoned = Submit(*pool, Tone(0, kPoisonMs));
  const auto handles = SubmitTones(*pool, 30);
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto expected = SubmitTones(*recognizer, 30);
  for (size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(Dump(handles[i]->Wait()), Dump(expected[i]->Wait()));
  const absl::Status status = poisoned->Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Message(status),
              HasSubstr("tone 0: its process was killed by signal 11 (SIGSEGV, Segmentation fault) with "
                        "5.0 s of it decoded and 0 of 1 segments recognised, as in all of 2 attempts"));
  EXPECT_THAT(Message(status), HasSubstr("the last words: about to fall"));
  EXPECT_EQ(pool->pool_stats().quarantined, 1);
}

TEST(ProcessPoolFaults, TheLastWordsOfAProcessStayInTheLogWhenErrorsShallNotQuoteThem) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch&) {
    std::fputs("about to fall\n", stderr);
    DieOf(SIGSEGV);
  });
  options.retries = 0;
  options.quote_workers = false;
  std::string log;
  options.on_log = [&log](std::string_view line) { log += fmt::format("{}\n", line); };
  auto pool = MakePool(options);
  const std::string message = Message(pool->Transcribe(Tone(0, 500), {}).status());
  EXPECT_THAT(message, AllOf(HasSubstr("was killed by signal 11"), Not(HasSubstr("about to fall"))));
  pool.reset();
  EXPECT_THAT(log, HasSubstr("gives up a recording: its process was killed by signal 11"));
  EXPECT_THAT(log, HasSubstr("the last words: about to fall"));
}

// The test's hook stands where the decoder is called, and is told the recording.
TEST(ProcessPoolFaults, ARecordingThatCrashesTheDecoderIsGivenUpAndAllOthersFinish) {
  class CrashAt final : public SyncPoints {
   public:
    void At(std::string_view point) override {
      if (point == "Feed:decoding " + kCodecs + "speech.ogg") DieOf(SIGSEGV);
    }
  } crash;
  PoolOptions options = FakePoolOptions();
  options.recognizer.sync_points = &crash;
  options.on_log = nullptr;  // sanitizers have their say on each SIGSEGV
  const auto pool = MakePool(options);
  const auto recognizer = FakeRecognizer(Threads(1));
  const std::vector<std::string> files = AnyAudioFiles();
  std::vector<std::shared_ptr<Transcription>> handles;
  for (const std::string& file : files) handles.push_back(Submit(*pool, AudioInput::File(file)));
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i] != kCodecs + "speech.ogg") {
      EXPECT_EQ(Dump(handles[i]->Wait()), Dump(recognizer->Transcribe(AudioInput::File(files[i]))));
      continue;
    }
    EXPECT_THAT(
        Message(handles[i]->Wait().status()),
        HasSubstr("speech.ogg: its process was killed by signal 11 (SIGSEGV, Segmentation fault) before any of it "
                  "was decoded, as in all of 3 attempts"));
  }
  EXPECT_EQ(pool->pool_stats().quarantined, 1);
}

TEST(ProcessPoolFaults, ARecordingThatWantsMoreMemoryThanAProcessMayHaveIsGivenUpAndAllOthersFinish) {
  constexpr size_t kWanted = size_t{512} << 20;
  PoolOptions options = FakePoolOptions([](const ScatteredBatch& batch) {
    if (!HasRecordingOf(batch, kPoisonMs)) return;
    std::vector<char> much(kWanted, 'x');
    // Where a sanitizer's allocator is in place of the system's, it has ended the process by now.
    if (much[kWanted / 2] == 'x') std::fputs("had the memory\n", stderr);
  });
  options.on_log = nullptr;
  options.worker_memory_bytes = int64_t{256} << 20;
  options.retries = 1;
  const auto pool = MakePool(options);
  const auto greedy = Submit(*pool, Tone(0, kPoisonMs));
  const auto handles = SubmitTones(*pool, 30);
  const auto recognizer = FakeRecognizer(Threads(1));
  const auto expected = SubmitTones(*recognizer, 30);
  for (size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(Dump(handles[i]->Wait()), Dump(expected[i]->Wait()));
  const absl::Status status = greedy->Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(Message(status), HasSubstr("with 5.0 s of it decoded and 0 of 1 segments recognised"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_THAT(Message(status), HasSubstr("its process ran out of memory"));
#endif
  EXPECT_EQ(pool->pool_stats().quarantined, 1);
}

TEST(ProcessPoolFaults, ProgressTellsHowOftenARecordingWasBegun) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch& batch) {
    if (HasRecordingOf(batch, kPoisonMs)) DieOf(SIGKILL);
  });
  options.retries = 2;
  const auto pool = MakePool(options);
  int attempts = 0;
  TranscribeOptions transcribe;
  transcribe.progress = [&attempts](const Progress& progress) { attempts = progress.attempts; };
  EXPECT_TRUE(pool->Transcribe(Tone(0, 500), transcribe).ok());
  EXPECT_EQ(attempts, 1);
  EXPECT_FALSE(pool->Transcribe(Tone(1, kPoisonMs), transcribe).ok());
  EXPECT_EQ(attempts, 3);
}

TEST(ProcessPoolFaults, AWorkerThatHangsIsEndedAndItsRecordingGivenUp) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch& batch) {
    while (HasRecordingOf(batch, kPoisonMs)) std::this_thread::sleep_for(milliseconds(10));
  });
  options.retries = 0;
  options.stall = milliseconds(300);
  options.stall_per_audio = 0;
  const auto pool = MakePool(options);
  const auto result = pool->Transcribe(Tone(0, kPoisonMs), {});
  EXPECT_THAT(Message(result.status()), HasSubstr("its process got on with nothing for 0.3 s and was killed"));
  EXPECT_EQ(pool->pool_stats().hung, 1);
  EXPECT_TRUE(pool->Transcribe(Tone(1, 500), {}).ok());
}

TEST(ProcessPoolFaults, AStoppedWorkerIsReplacedAndItsRecordingsAreDoneElsewhere) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch&) { std::this_thread::sleep_for(milliseconds(20)); });
  options.silence = milliseconds(1000);
  const auto pool = MakePool(options);
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().pids.size() == 2; }));
  const auto handles = SubmitTones(*pool, 20);
  kill(static_cast<pid_t>(pool->pool_stats().pids[0]), SIGSTOP);
  for (const auto& handle : handles) EXPECT_TRUE(handle->Wait().ok()) << handle->Wait().status();
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().hung == 1; }));
  EXPECT_TRUE(Eventually([&] { return pool->pool_stats().pids.size() == 2; }));
}

TEST(ProcessPoolFaults, TheEndOfTheNurseryFailsAllThatIsAndComes) {
  const auto pool =
      MakePool(FakePoolOptions([](const ScatteredBatch&) { std::this_thread::sleep_for(milliseconds(50)); }));
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().pids.size() == 2; }));
  const int64_t worker = pool->pool_stats().pids[0];
  const auto handles = SubmitTones(*pool, 60);
  kill(pool->nursery_pid(), SIGKILL);
  int failed = 0;
  for (const auto& handle : handles) {
    if (handle->Wait().ok()) continue;
    ++failed;
    EXPECT_THAT(Message(handle->Wait().status()),
                HasSubstr("the process that starts the workers was killed by signal 9"));
  }
  EXPECT_GT(failed, 0);
  EXPECT_TRUE(absl::IsUnavailable(pool->Transcribe(Tone(1, 500), {}).status()));
  EXPECT_TRUE(Eventually([&] { return kill(static_cast<pid_t>(worker), 0) != 0; })) << "an orphan lives on";
}

TEST(ProcessPoolFaults, WorkersThatDieWithoutEndMakeThePoolGiveUp) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch&) { DieOf(SIGABRT); });
  options.retries = 1000;
  options.first_back_off = milliseconds(1);
  options.longest_back_off = milliseconds(2);
  options.max_deaths_in_a_row = 5;
  const auto pool = MakePool(options);
  const auto result = pool->Transcribe(Tone(0, 500), {});
  EXPECT_TRUE(absl::IsUnavailable(result.status()));
  EXPECT_THAT(
      Message(result.status()),
      HasSubstr("6 processes in a row died before one recording was finished, the last one was killed by signal 6"));
}

#if !defined(__SANITIZE_ADDRESS__)  // UBSan, beside it, wants file descriptors of its own
TEST(ProcessPoolFaults, WhileNoWorkerComesUpNobodyWaitsAndAfterwardsAllIsWell) {
  PoolOptions options = FakePoolOptions();
  options.first_back_off = options.longest_back_off = milliseconds(1);
  options.max_deaths_in_a_row = std::numeric_limits<int>::max();
  options.recycle_recordings = 1;
  const auto pool = MakePool(options);
  rlimit before = {};
  ASSERT_EQ(prlimit(pool->nursery_pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none = {.rlim_cur = 4, .rlim_max = before.rlim_max};
  prlimit(pool->nursery_pid(), RLIMIT_NOFILE, &none, nullptr);
  absl::Status status;
  EXPECT_TRUE(Eventually([&] {
    status = pool->Transcribe(Tone(0, 500), {}).status();
    return !status.ok();
  }));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(Message(status), AllOf(HasSubstr("no process comes up, the last one could not be started"),
                                     HasSubstr("further ones are being started")));
  prlimit(pool->nursery_pid(), RLIMIT_NOFILE, &before, nullptr);
  EXPECT_TRUE(Eventually([&] { return pool->Transcribe(Tone(0, 500), {}).ok(); }));
}
#endif

}  // namespace
}  // namespace tutti::testing

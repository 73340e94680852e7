#include "pool/process_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <thread>

#include "base/file.h"
#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kPoisonMs = 5000;
const std::string kCodecs = TUTTI_SOURCE_DIR "/tests/data/audio/";

std::vector<std::shared_ptr<Transcription>> SubmitTones(Recognizer& recognizer, int count) {
  std::vector<std::shared_ptr<Transcription>> handles;
  for (int i = 0; i < count; ++i) handles.push_back(Submit(recognizer, Tone(i, 200 + 60 * i)));
  return handles;
}

std::vector<std::string> AnyAudioFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kCodecs)) files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

TEST(ProcessPool, ResultsAreThoseOfThreads) {
  const auto pool = MakePool(FakePoolOptions());
  const auto recognizer = FakeRecognizer(Threads(2));
  const auto in_pool = SubmitTones(*pool, 40), in_threads = SubmitTones(*recognizer, 40);
  for (size_t i = 0; i < in_pool.size(); ++i) EXPECT_EQ(Dump(in_pool[i]->Wait()), Dump(in_threads[i]->Wait()));
}

TEST(ProcessPool, ItTellsWhatItsModelTakesAndEachRecordingHasItsOwnOptions) {
  PoolOptions options;
  options.recognizer = Threads(1);
  options.recognizer.model = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny";
  const auto pool = MakePool(options);
  EXPECT_TRUE(pool->takes_search_options());
  EXPECT_TRUE(pool->translates());
  EXPECT_THAT(pool->languages(), ElementsAre("en", "zh", "de", "es", "ru", "ko", "fr", "ja"));
  for (const char* language : {"de", "zh", "de"}) {
    TranscribeOptions wanted;
    wanted.search.language = language;
    wanted.search.no_speech_threshold = 1;
    const auto result = pool->Transcribe(Tone(1, 500), wanted);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_FALSE(result->segments.empty());
    EXPECT_EQ(result->segments[0].language, language);
  }
  const auto fake = MakePool(FakePoolOptions());
  EXPECT_FALSE(fake->takes_search_options() || fake->translates());
  EXPECT_TRUE(fake->languages().empty());
}

// Files of every kind, hostile ones too, and the same bytes from memory: texts and errors alike.
TEST(ProcessPool, FilesUploadsAndBytesEndAsWithThreads) {
  const auto pool = MakePool(FakePoolOptions());
  const auto recognizer = FakeRecognizer(Threads(1));
  std::vector<std::string> files = AnyAudioFiles();
  ASSERT_GT(files.size(), 5U);
  files.push_back("/nowhere/at all.wav");
  files.push_back(kCodecs);
  for (const std::string& file : files) {
    EXPECT_EQ(Dump(pool->Transcribe(AudioInput::File(file), {})), Dump(recognizer->Transcribe(AudioInput::File(file))));
    if (std::filesystem::is_directory(file)) continue;
    const auto upload = [&file] { return AudioInput::Upload(file, "upload.g722"); };
    EXPECT_EQ(Dump(pool->Transcribe(upload(), {})), Dump(recognizer->Transcribe(upload())));
    const auto bytes = ReadFile(file);
    if (!bytes.ok()) continue;
    const auto memory = [&bytes] { return AudioInput::Bytes(std::make_shared<const std::string>(*bytes), "memory"); };
    EXPECT_EQ(Dump(pool->Transcribe(memory(), {})), Dump(recognizer->Transcribe(memory())));
  }
  EXPECT_EQ(pool->pool_stats().died, 0);
}

TEST(ProcessPool, SegmentsAndProgressAreToldAsTheyCome) {
  const auto pool = MakePool(FakePoolOptions());
  std::vector<std::string> told;
  Progress last;
  TranscribeOptions options;
  options.max_segment_ms = 1000;
  options.on_segment = [&told](const Segment& segment) { told.push_back(segment.text); };
  options.progress = [&last](const Progress& progress) { last = progress; };
  const auto result = pool->Transcribe(Tone(1, 4500), options);
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<std::string> texts;
  for (const Segment& segment : result->segments) texts.push_back(segment.text);
  EXPECT_EQ(told, texts);
  EXPECT_GT(texts.size(), 3U);
  EXPECT_EQ(last.segments_done, static_cast<int64_t>(texts.size()));
}

TEST(ProcessPool, APoisonedRecordingIsGivenUpAndAllOthersFinish) {
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

TEST(ProcessPool, TheLastWordsOfAProcessStayInTheLogWhenErrorsShallNotQuoteThem) {
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
TEST(ProcessPool, ARecordingThatCrashesTheDecoderIsGivenUpAndAllOthersFinish) {
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

TEST(ProcessPool, ARecordingThatWantsMoreMemoryThanAProcessMayHaveIsGivenUpAndAllOthersFinish) {
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

TEST(ProcessPool, ProgressTellsHowOftenARecordingWasBegun) {
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

TEST(ProcessPool, AWorkerThatHangsIsEndedAndItsRecordingGivenUp) {
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

TEST(ProcessPool, AStoppedWorkerIsReplacedAndItsRecordingsAreDoneElsewhere) {
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

TEST(ProcessPool, CancelledWorkEndsAtOnceAndFreesItsPlace) {
  const auto pool = MakePool(FakePoolOptions([](const ScatteredBatch& batch) {
    if (HasRecordingOf(batch, kPoisonMs)) std::this_thread::sleep_for(milliseconds(300));
  }));
  std::vector<std::shared_ptr<Transcription>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(Submit(*pool, Tone(i, kPoisonMs)));
  for (const auto& handle : handles) handle->Cancel();
  for (const auto& handle : handles) EXPECT_TRUE(handle->Wait().ok() || absl::IsCancelled(handle->Wait().status()));
  EXPECT_TRUE(pool->Transcribe(Tone(1, 500), {}).ok());
}

TEST(ProcessPool, TheEndOfTheNurseryFailsAllThatIsAndComes) {
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

TEST(ProcessPool, WorkersThatDieWithoutEndMakeThePoolGiveUp) {
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
TEST(ProcessPool, WhileNoWorkerComesUpNobodyWaitsAndAfterwardsAllIsWell) {
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

TEST(ProcessPool, AWorkerIsReplacedAfterItsNumberOfRecordings) {
  PoolOptions options = FakePoolOptions();
  options.recycle_recordings = 5;
  const auto pool = MakePool(options);
  for (const auto& handle : SubmitTones(*pool, 40)) EXPECT_TRUE(handle->Wait().ok());
  EXPECT_TRUE(Eventually([&] { return pool->pool_stats().recycled > 0 && pool->pool_stats().pids.size() == 2; }));
  EXPECT_EQ(pool->pool_stats().died, 0);
}

TEST(ProcessPool, AWorkerIsReplacedAtItsAge) {
  PoolOptions options = FakePoolOptions();
  options.recycle_age = milliseconds(100);
  const auto pool = MakePool(options);
  ASSERT_TRUE(Eventually([&] {
    EXPECT_TRUE(pool->Transcribe(Tone(1, 500), {}).ok());
    return pool->pool_stats().recycled > 2;
  }));
  EXPECT_EQ(pool->pool_stats().died, 0);
}

// Every worker is beyond such a limit from its birth.
TEST(ProcessPool, AWorkerIsReplacedBeyondItsMemoryButNotBeforeItHasDoneSomething) {
  PoolOptions options = FakePoolOptions();
  options.recycle_resident_bytes = 1;
  const auto pool = MakePool(options);
  for (const auto& handle : SubmitTones(*pool, 10)) EXPECT_TRUE(handle->Wait().ok());
  ASSERT_TRUE(Eventually([&] {  // when those that have done something are gone, none is replaced any more
    const int64_t started = pool->pool_stats().started;
    std::this_thread::sleep_for(5 * options.beat);
    return pool->pool_stats().recycled > 0 && pool->pool_stats().started == started;
  }));
  EXPECT_EQ(pool->pool_stats().died, 0);
}

// An exception in the model becomes the recording's error: the hook's way to say what it found.
TEST(ProcessPool, AWorkerMayOpenNothing) {
  PoolOptions options = FakePoolOptions([](const ScatteredBatch&) {
    const auto denied = [](int result) { return result < 0 && errno == EACCES; };
    if (!denied(open("/etc/hostname", O_RDONLY))) throw std::runtime_error("opened a file");
    if (!denied(open("/tmp/made-by-a-worker", O_CREAT | O_WRONLY, 0600))) throw std::runtime_error("made a file");
    if (!denied(socket(AF_INET, SOCK_STREAM, 0))) throw std::runtime_error("made a socket");
    if (!denied(kill(getppid(), 0))) throw std::runtime_error("signalled another process");
    if (!denied(fork())) throw std::runtime_error("forked");
  });
  const auto pool = MakePool(options);
  const auto result = pool->Transcribe(Tone(0, 500), {});
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(pool->pool_stats().sandboxed);
}

TEST(ProcessPool, ANamedPipeIsRefusedAndKeepsNobodyWaiting) {
  const std::string pipe = ::testing::TempDir() + "/pool_pipe_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto pool = MakePool(FakePoolOptions());
  const auto result = pool->Transcribe(AudioInput::File(pipe), {});
  std::remove(pipe.c_str());
  EXPECT_THAT(Message(result.status()), HasSubstr("is no regular file"));
}

TEST(ProcessPool, ModelsThatDoNotLoadAreAnErrorOfCreate) {
  PoolOptions options;
  options.recognizer.model = "/nowhere";
  EXPECT_TRUE(absl::IsNotFound(ProcessPool::Create(options).status())) << ProcessPool::Create(options).status();
  options.load = []() -> absl::StatusOr<RecognizerParts> { DieOf(SIGSEGV); };
  EXPECT_THAT(Message(ProcessPool::Create(options).status()),
              HasSubstr("the process that loads the models was killed by signal 11"));
}

TEST(ProcessPool, ALoaderThatLeavesAThreadIsRefused) {
  PoolOptions options;
  options.load = []() -> absl::StatusOr<RecognizerParts> {
    std::thread([] { pause(); }).detach();
    return RecognizerParts{std::make_shared<FakeAsrModel>(), nullptr, "fake"};
  };
  EXPECT_THAT(Message(ProcessPool::Create(options).status()), HasSubstr("a process with threads cannot be forked"));
}

TEST(ProcessPool, FilesComeInTheirOrderAndStopWhenAsked) {
  const auto pool = MakePool(FakePoolOptions());
  const std::vector<std::string> files = AnyAudioFiles();
  std::vector<size_t> seen;
  pool->TranscribeFiles(files, {}, [&seen](size_t index, const absl::StatusOr<Transcript>&) {
    seen.push_back(index);
    return index < 3;
  });
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace tutti::testing

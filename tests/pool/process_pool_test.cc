#include "pool/process_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

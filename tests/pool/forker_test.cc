#include "pool/forker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/pool/fake_pool.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

PoolOptions RealPoolOptions() {
  PoolOptions options;
  options.recognizer.model = kModelDirectory;
  options.processes = 1;
  return options;
}

std::unique_ptr<Forker> MakeForker() {
  auto forker = Forker::Create([] { return absl::OkStatus(); });
  if (!forker.ok()) ADD_FAILURE() << forker.status();
  return forker.ok() ? *std::move(forker) : nullptr;
}

TEST(Forker, MakesPoolsOneAfterTheOtherWhileThreadsRun) {
  const auto forker = MakeForker();
  RecognizerOptions threads = Threads(1);
  threads.model = kModelDirectory;
  const auto recognizer = Recognizer::Create(threads);
  ASSERT_TRUE(recognizer.ok()) << recognizer.status();
  const AudioInput speech = AudioInput::File(kAudioDirectory + "clip_a.wav");
  const std::string expected = Dump((*recognizer)->Transcribe(speech));
  for (int i = 0; i < 2; ++i) {
    auto pool = ProcessPool::Create(RealPoolOptions(), forker.get());
    ASSERT_TRUE(pool.ok()) << pool.status();
    EXPECT_EQ(Dump((*pool)->Transcribe(speech, {})), expected);
  }
}

TEST(Forker, TellsWhyModelsDoNotLoad) {
  const auto forker = MakeForker();
  PoolOptions options = RealPoolOptions();
  options.recognizer.model = "/nowhere";
  EXPECT_TRUE(absl::IsNotFound(ProcessPool::Create(options, forker.get()).status()));
  EXPECT_TRUE(ProcessPool::Create(RealPoolOptions(), forker.get()).ok());
}

TEST(Forker, ANurseryThatDiesIsReplacedAndWhatItsWorkersHadIsDone) {
  const auto forker = MakeForker();
  PoolOptions options = RealPoolOptions();
  std::string log;
  options.on_log = [&log](std::string_view line) { log += fmt::format("{}\n", line); };
  auto pool = *ProcessPool::Create(options, forker.get());
  const auto input = [](int i) { return AudioInput::File(kAudioDirectory + (i % 2 == 0 ? "clip_a.wav" : "long.wav")); };
  const std::string expected[] = {Dump(pool->Transcribe(input(0), {})), Dump(pool->Transcribe(input(1), {}))};
  std::vector<std::shared_ptr<Transcription>> handles;
  for (int i = 0; i < 12; ++i) handles.push_back(Submit(*pool, input(i)));
  const pid_t first = pool->nursery_pid();
  const int64_t worker = pool->pool_stats().pids.at(0);
  kill(first, SIGKILL);
  for (size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(Dump(handles[i]->Wait()), expected[i % 2]);
  EXPECT_TRUE(Eventually([&] { return kill(static_cast<pid_t>(worker), 0) != 0; })) << "an orphan lives on";
  EXPECT_NE(pool->nursery_pid(), first);
  EXPECT_EQ(pool->pool_stats().reloaded, 1);
  EXPECT_EQ(pool->pool_stats().quarantined, 0);
  pool.reset();
  EXPECT_THAT(log, HasSubstr("the process that starts the workers was killed by signal 9"));
}

TEST(Forker, ANurseryThatDiesWhileARecordingIsHandedOutCostsNothing) {
  class KillsTheNursery final : public SyncPoints {
   public:
    void At(std::string_view point) override {
      if (point != "Supervisor:handing_out" || std::exchange(done_, true)) return;
      const PoolStats stats = pool->pool_stats();
      kill(static_cast<pid_t>(stats.nursery_pid), SIGKILL);
      const auto worker = static_cast<pid_t>(stats.pids.at(0));
      EXPECT_TRUE(Eventually([worker] { return kill(worker, 0) != 0; }));
    }
    const ProcessPool* pool = nullptr;

   private:
    bool done_ = false;  // the supervisor's
  } point;
  const auto forker = MakeForker();
  PoolOptions options = RealPoolOptions();
  options.recognizer.sync_points = &point;
  const auto pool = *ProcessPool::Create(options, forker.get());
  point.pool = pool.get();
  ASSERT_TRUE(Eventually([&] { return pool->pool_stats().pids.size() == 1; }));
  EXPECT_TRUE(pool->Transcribe(AudioInput::File(kAudioDirectory + "clip_a.wav"), {}).ok());
  EXPECT_EQ(pool->pool_stats().reloaded, 1);
}

// A copy of a model's folder, to be taken away and changed.
class CopyOfModel {
 public:
  explicit CopyOfModel(const std::string& model) { fs::copy(model, path_, fs::copy_options::recursive); }
  const std::string& path() const { return path_; }
  void TakeAway() const { fs::rename(path_, path_ + ".away"); }
  void PutBack() const { fs::rename(path_ + ".away", path_); }
  void Replace(const std::string& file, const std::string& contents) const { folder_.Write("model/" + file, contents); }

 private:
  const Folder folder_;
  const std::string path_ = folder_ / "model";
};

TEST(Forker, NobodyWaitsForANurseryThatDoesNotComeUpAndItComesUpWhenItCan) {
  const auto forker = MakeForker();
  const CopyOfModel model(kModelDirectory);
  PoolOptions options = RealPoolOptions();
  options.recognizer.model = model.path();
  const auto pool = *ProcessPool::Create(options, forker.get());
  const AudioInput speech = AudioInput::File(kAudioDirectory + "clip_a.wav");
  const std::string expected = Dump(pool->Transcribe(speech, {}));
  model.TakeAway();
  kill(pool->nursery_pid(), SIGKILL);
  const absl::Status status = pool->Transcribe(speech, {}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status),
              HasSubstr("the process that starts the workers cannot load the models: " + model.path()));
  model.PutBack();
  EXPECT_TRUE(Eventually([&] { return Dump(pool->Transcribe(speech, {})) == expected; }));
}

TEST(Forker, OtherModelsThanThoseAtFirstAreNotTaken) {
  const auto forker = MakeForker();
  const CopyOfModel vad(kVadDirectory);
  PoolOptions options = RealPoolOptions();
  options.recognizer.vad = vad.path();
  const auto pool = *ProcessPool::Create(options, forker.get());
  std::string config = BytesOf(vad.path() + "/config.yaml");
  const std::string patience = "max_end_silence_time: 800";
  ASSERT_NE(config.find(patience), std::string::npos);
  vad.Replace("config.yaml", config.replace(config.find(patience), patience.size(), "max_end_silence_time: 700"));
  kill(pool->nursery_pid(), SIGKILL);
  const absl::Status status = pool->Transcribe(AudioInput::File(kAudioDirectory + "clip_a.wav"), {}).status();
  EXPECT_THAT(Message(status), HasSubstr("found other models than those that were loaded first"));
}

TEST(Forker, APoolFindsSpeechAsARecognizerDoes) {
  const auto forker = MakeForker();
  PoolOptions options = RealPoolOptions();
  options.recognizer.model = "";
  options.recognizer.vad = kVadDirectory;
  const auto pool = *ProcessPool::Create(options, forker.get());
  const auto recognizer = RealRecognizer(Threads(1));
  const AudioInput speech = AudioInput::File(kAudioDirectory + "long.wav");
  const auto found = pool->DetectSpeech(speech, {}), expected = recognizer->DetectSpeech(speech, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->duration_ms, expected->duration_ms);
  EXPECT_EQ(found->channels, expected->channels);
  EXPECT_FALSE(found->channels.at(0).empty());
  EXPECT_TRUE(absl::IsNotFound(pool->DetectSpeech(AudioInput::File("/nowhere.wav"), {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(pool->Transcribe(speech, {}).status()));
  kill(pool->nursery_pid(), SIGKILL);
  EXPECT_TRUE(pool->DetectSpeech(speech, {}).ok());
}

TEST(Forker, WhatItCannotPrepareIsTheErrorOfEveryPool) {
  const auto forker = Forker::Create([] { return InvalidArgument("there is no user nobody2"); });
  ASSERT_TRUE(forker.ok()) << forker.status();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Message(ProcessPool::Create(RealPoolOptions(), forker->get()).status()), "there is no user nobody2");
  }
}

TEST(Forker, APoolOpensStreamsWhenItWasMadeForThem) {
  const auto forker = MakeForker();
  PoolOptions options = RealPoolOptions();
  options.recognizer.vad = kVadDirectory;
  EXPECT_TRUE(absl::IsUnimplemented((*ProcessPool::Create(options, forker.get()))->OpenStream({}).status()));
  options.streams = true;
  const auto pool = ProcessPool::Create(options, forker.get());
  ASSERT_TRUE(pool.ok()) << pool.status();
  EXPECT_TRUE((*pool)->OpenStream((*pool)->default_vad_options()).ok());
}

}  // namespace
}  // namespace tutti::testing

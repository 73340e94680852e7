#include "pool/forker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/pool/fake_pool.h"

namespace tutti::testing {
namespace {

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

// The nursery is the front's child, though another process has forked it.
TEST(Forker, TheFrontLearnsHowANurseryEnds) {
  const auto forker = MakeForker();
  auto pool = ProcessPool::Create(RealPoolOptions(), forker.get());
  ASSERT_TRUE(pool.ok()) << pool.status();
  kill((*pool)->nursery_pid(), SIGKILL);
  const auto result = (*pool)->Transcribe(Tone(1, 500), {});
  EXPECT_THAT(Message(result.status()), HasSubstr("the process that starts the workers was killed by signal 9"));
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

// The race that this project exists for: threads that share one VAD model, stopped between the network and the
// decisions over its frames (spec §4.7).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "models/fsmn_vad.h"
#include "tests/support/interleaver.h"
#include "tests/support/sanitizers.h"
#include "tests/support/vad_model.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::Interleaver;
using testing::kThreadSanitizer;
using testing::LoadVadModel;
using testing::ReadWav;

using VadSegments = std::vector<VadSegment>;
constexpr Interleaver::Order kOrders[] = {Interleaver::Order::kAscending, Interleaver::Order::kDescending,
                                          Interleaver::Order::kShuffled};

struct Call {
  std::vector<float> samples;
  VadOptions options;
};

// Recordings of mixed lengths, every call with options of its own.
std::vector<Call> MixedCalls() {
  const auto sound = ReadWav(TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/long.wav");
  const auto piece = [&sound](size_t first_seconds, size_t samples) {
    const auto first = sound.begin() + static_cast<std::ptrdiff_t>(first_seconds * 16'000);
    return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(samples));
  };
  std::vector<Call> calls(8);
  calls[0] = {piece(0, 16'000 * 30), {}};
  calls[1] = {piece(0, 16'000 * 30), {.max_end_silence_time = 200}};
  calls[2] = {piece(20, 16'000 * 12), {.max_single_segment_time = 3000}};
  calls[3] = {piece(5, 16'000 * 20), {.dynamic_silence = true, .chunk_size = 5000}};
  calls[4] = {piece(7, 16'000 * 4 + 123), {.do_extend = false}};
  calls[5] = {piece(30, 16'000 * 18), {.detect_mode = VadOptions::DetectMode::kSingle}};
  calls[6] = {piece(1, 300), {}};
  calls[7] = {piece(30, 16'000 * 18), {.speech_noise_thres = 0.9}};
  return calls;
}

VadSegments Detect(const std::shared_ptr<const FsmnVad>& model, const Call& call, size_t piece, SyncPoints* points) {
  const auto stream = VadStream::Create(model, call.options, points);
  EXPECT_TRUE(stream.ok()) << stream.status();
  Workspace workspace;
  std::vector<VadEvent> events;
  std::span<const float> samples = call.samples;
  while (samples.size() > piece) {
    (*stream)->Accept(samples.first(piece), false, workspace, events);
    samples = samples.subspan(piece);
  }
  (*stream)->Accept(samples, true, workspace, events);
  VadSegments segments;
  AppendSegments(events, segments);
  return segments;
}

TEST(VadRaceTest, StreamsOfOneModelFindTheirOwnSegmentsInEveryInterleaving) {
  const auto model = LoadVadModel();
  ASSERT_NE(model, nullptr);
  const auto calls = MixedCalls();
  std::vector<VadSegments> expected;
  for (const Call& call : calls) expected.push_back(Detect(model, call, call.samples.size(), nullptr));
  ASSERT_NE(expected[0], expected[1]);  // the options matter, so a leak would show
  ASSERT_NE(expected[5], expected[7]);

  for (const auto order : std::span(kOrders).last(kThreadSanitizer ? 1 : std::size(kOrders))) {
    // The whole file at once, as FunASR takes it, and live pieces.
    for (const size_t piece : {size_t{1'000'000}, size_t{16'000}}) {
      std::vector<VadSegments> found(calls.size());
      const int64_t reached =
          Interleaver::Run(static_cast<int>(calls.size()), order, 7, [&](int thread, SyncPoints* points) {
            const auto at = static_cast<size_t>(thread);
            found[at] = Detect(model, calls[at], piece, points);
          });
      EXPECT_GT(reached, 60);
      for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(found[i], expected[i]) << i;
    }
  }
}

TEST(VadRaceTest, StreamsOfOneModelFindTheirOwnSegmentsWhenThreadsRunFreely) {
  const auto model = LoadVadModel();
  ASSERT_NE(model, nullptr);
  const auto calls = MixedCalls();
  std::vector<VadSegments> found(calls.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < calls.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = Detect(model, calls[i], 8000, nullptr); });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(found[i], Detect(model, calls[i], calls[i].samples.size(), nullptr)) << i;
  }
}

// A small model of FunASR's design: the options object belongs to the model and every call writes to it. Atomics, so
// that the race is the logical one alone.
struct FunAsrModel {
  std::atomic<int> nn_eval_block_size = 0;
  std::atomic<int> max_end_silence_time = 800;
};

struct FunAsrCall {
  std::vector<float> silence;  // what the network says
  std::optional<int> max_end_silence_time;
};

// One call with its own cache, as FunASR's current version makes it. Nothing: "IndexError: list index out of range".
std::optional<VadSegments> FunAsrDetect(FunAsrModel& model, const FunAsrCall& call, SyncPoints* points) {
  ReachSyncPoint(points, "called");
  if (call.max_end_silence_time) model.max_end_silence_time = *call.max_end_silence_time;
  const std::vector<float> decibels(call.silence.size(), -20.0F);  // cache["stats"].decibel
  const int frames = static_cast<int>(call.silence.size());        // cache["stats"].frm_cnt
  model.nn_eval_block_size = frames;
  ReachSyncPoint(points, "network done");

  VadOptions options;
  options.max_end_silence_time = model.max_end_silence_time;
  VadStateMachine machine(options);
  for (int i = model.nn_eval_block_size - 1; i >= 0; --i) {
    int t = frames - 1 - i;
    if (t < 0) t += frames;  // Python counts from the end
    if (t < 0) return std::nullopt;
    const auto at = static_cast<size_t>(t);
    machine.Accept({&call.silence.at(at), 1}, {&decibels.at(at), 1}, i == 0);
  }
  std::vector<VadEvent> events;
  machine.TakeEvents(events);
  VadSegments segments;
  AppendSegments(events, segments);
  return segments;
}

// Speech of `seconds` with a pause of half a second in every two.
std::vector<float> SpeechWithPauses(int seconds) {
  std::vector<float> silence;
  for (int frame = 0; frame < seconds * 100; ++frame) silence.push_back(frame % 200 < 150 ? 0.0F : 1.0F);
  return silence;
}

std::vector<std::optional<VadSegments>> FunAsrInterleaved(const std::vector<FunAsrCall>& calls,
                                                          Interleaver::Order order) {
  FunAsrModel model;
  std::vector<std::optional<VadSegments>> found(calls.size());
  Interleaver::Run(static_cast<int>(calls.size()), order, 1, [&](int thread, SyncPoints* points) {
    const auto at = static_cast<size_t>(thread);
    found[at] = FunAsrDetect(model, calls[at], points);
  });
  return found;
}

TEST(FunAsrDesignTest, IsRightWhileOneCallRunsAtATime) {
  FunAsrModel model;
  for (const int seconds : {4, 40, 10}) {
    const auto found = FunAsrDetect(model, {SpeechWithPauses(seconds), 800}, nullptr);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().start_ms, 0);
  }
}

TEST(FunAsrDesignTest, ALongCallMakesAShortOneIndexOutOfRange) {
  const std::vector<FunAsrCall> calls = {{SpeechWithPauses(4), {}}, {SpeechWithPauses(40), {}}};
  const auto found = FunAsrInterleaved(calls, Interleaver::Order::kAscending);  // the long call writes last
  EXPECT_FALSE(found[0].has_value());
  EXPECT_TRUE(found[1].has_value());
}

TEST(FunAsrDesignTest, AShortCallMakesALongOneLoseItsBeginning) {
  const std::vector<FunAsrCall> calls = {{SpeechWithPauses(4), {}}, {SpeechWithPauses(40), {}}};
  const auto found = FunAsrInterleaved(calls, Interleaver::Order::kDescending);  // the short call writes last
  ASSERT_TRUE(found[1].has_value());
  FunAsrModel alone;
  const auto expected = FunAsrDetect(alone, calls[1], nullptr);
  EXPECT_NE(found[1], expected);
  int64_t speech_ms = 0;
  for (const VadSegment& segment : *found[1]) speech_ms += segment.end_ms - segment.start_ms;
  EXPECT_LT(speech_ms, 5000);
}

TEST(FunAsrDesignTest, TheOptionsOfOneCallLeakIntoAnother) {
  const std::vector<FunAsrCall> calls = {{SpeechWithPauses(20), {}}, {SpeechWithPauses(20), 200}};
  FunAsrModel alone;
  const auto expected = FunAsrDetect(alone, calls[0], nullptr);
  for (const auto order : kOrders) {
    const auto found = FunAsrInterleaved(calls, order);
    EXPECT_NE(found[0], expected);
  }
  // And into later ones.
  FunAsrDetect(alone, calls[1], nullptr);
  EXPECT_NE(FunAsrDetect(alone, calls[0], nullptr), expected);
}

// The same calls on streams of their own, in the interleavings that break the design above.
TEST(FunAsrDesignTest, OurStreamsAreRightInTheSameInterleavings) {
  const std::vector<FunAsrCall> calls = {
      {SpeechWithPauses(4), {}}, {SpeechWithPauses(40), {}}, {SpeechWithPauses(20), 200}};
  for (const auto order : kOrders) {
    std::vector<VadSegments> found(calls.size());
    Interleaver::Run(static_cast<int>(calls.size()), order, 1, [&](int thread, SyncPoints* points) {
      const FunAsrCall& call = calls[static_cast<size_t>(thread)];
      ReachSyncPoint(points, "called");
      VadStateMachine machine({.max_end_silence_time = call.max_end_silence_time.value_or(800)});
      const std::vector<float> decibels(call.silence.size(), -20.0F);
      ReachSyncPoint(points, "network done");
      machine.Accept(call.silence, decibels, true);
      std::vector<VadEvent> events;
      machine.TakeEvents(events);
      AppendSegments(events, found[static_cast<size_t>(thread)]);
    });
    for (size_t i = 0; i < calls.size(); ++i) {
      FunAsrModel alone;
      EXPECT_EQ(found[i], FunAsrDetect(alone, calls[i], nullptr));
    }
  }
}

}  // namespace
}  // namespace tutti

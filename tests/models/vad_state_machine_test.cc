#include "models/vad_state_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Silence probabilities: stretches of sure silence and sure speech, in frames, silence first.
std::vector<float> Stretches(std::initializer_list<int> frames) {
  std::vector<float> silence;
  float p = 1;
  for (const int count : frames) {
    silence.insert(silence.end(), static_cast<size_t>(count), p);
    p = 1 - p;
  }
  return silence;
}

std::vector<VadSegment> Segments(VadStateMachine& machine) {
  std::vector<VadEvent> events;
  machine.TakeEvents(events);
  std::vector<VadSegment> segments;
  AppendSegments(events, segments);
  return segments;
}

std::vector<VadSegment> Detect(const std::vector<float>& silence, const VadOptions& options = {}) {
  VadStateMachine machine(options);
  machine.Accept(silence, std::vector<float>(silence.size(), -20.0F), true);
  return Segments(machine);
}

// Speech triggers at its 15th frame; the start lies 400 ms before. The window turns 5 frames after the last speech; the
// end lies 110 ms after that.
TEST(VadStateMachineTest, ASegmentReachesFromBeforeTheTriggerToAfterTheLastSpeech) {
  EXPECT_THAT(Detect(Stretches({50, 100, 250})), ElementsAre(VadSegment{240, 1660}));
}

TEST(VadStateMachineTest, APauseShorterThanThePatienceDoesNotSplit) {
  // 65 silent frames after the window has turned (5 frames) end the segment; the next one turns it 15 frames into
  // speech.
  EXPECT_EQ(Detect(Stretches({50, 100, 54, 100, 200})).size(), 1u);
  EXPECT_EQ(Detect(Stretches({50, 100, 90, 100, 200})).size(), 2u);
  VadOptions patient;
  patient.max_end_silence_time = 1500;
  EXPECT_EQ(Detect(Stretches({50, 100, 90, 100, 200}), patient).size(), 1u);
}

TEST(VadStateMachineTest, SilenceNoiseAndNothingHaveNoSegments) {
  EXPECT_THAT(Detect({}), IsEmpty());
  EXPECT_THAT(Detect({1.0F}), IsEmpty());
  EXPECT_THAT(Detect({0.0F}), IsEmpty());
  EXPECT_THAT(Detect(Stretches({3000})), IsEmpty());
  EXPECT_THAT(Detect(std::vector<float>(3000, 0.25F)), IsEmpty());  // 0.75 does not exceed 0.25 by 0.6
  EXPECT_THAT(Detect(Stretches({100, 14, 200})), IsEmpty());        // a click
}

TEST(VadStateMachineTest, SpeechThatLastsToTheEndIsClosedByIt) {
  EXPECT_THAT(Detect(Stretches({50, 100})), ElementsAre(VadSegment{240, 1500}));
  EXPECT_THAT(Detect(Stretches({50, 100, 30})), ElementsAre(VadSegment{240, 1800}));
  // Triggered by the very last frame.
  EXPECT_THAT(Detect(Stretches({50, 15})), ElementsAre(VadSegment{240, 650}));
}

TEST(VadStateMachineTest, SpeechIsCutAtTheLongestSegmentAndGoesOnWithoutAGap) {
  VadOptions options;
  options.max_single_segment_time = 5000;
  const auto segments = Detect(Stretches({50, 1200, 200}), options);
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0], (VadSegment{240, 5250}));
  EXPECT_EQ(segments[1].start_ms, 5250);
  EXPECT_EQ(segments[2].start_ms, segments[1].end_ms);
  for (const VadSegment& segment : segments) EXPECT_LE(segment.end_ms - segment.start_ms, 5010);
}

TEST(VadStateMachineTest, WithoutExtensionSegmentsAreTight) {
  VadOptions options;
  options.do_extend = false;
  // Start: one window before the trigger. End: the frame in which the window turned.
  EXPECT_THAT(Detect(Stretches({50, 100, 250}), options), ElementsAre(VadSegment{440, 1550}));
}

TEST(VadStateMachineTest, SingleModeEndsWithTheFirstSegmentOrAfterLongSilence) {
  VadOptions options;
  options.detect_mode = VadOptions::DetectMode::kSingle;
  EXPECT_THAT(Detect(Stretches({50, 100, 250, 100, 250}), options), ElementsAre(VadSegment{240, 1660}));
  EXPECT_THAT(Detect(Stretches({302, 100, 250}), options), IsEmpty());
  options.max_start_silence_time = 4000;
  EXPECT_EQ(Detect(Stretches({302, 100, 250}), options).size(), 1u);
}

TEST(VadStateMachineTest, QuietFramesAreSilenceAndNoiseSetsTheBarForSpeech) {
  const auto silence = Stretches({200, 100, 200});
  std::vector<float> decibels(silence.size(), -40.0F);
  VadOptions options;
  options.decibel_thres = -30;
  VadStateMachine quiet(options);
  quiet.Accept(silence, decibels, true);
  EXPECT_THAT(Segments(quiet), IsEmpty());

  options = {};
  options.snr_thres = 10;
  VadStateMachine as_loud_as_noise(options);
  as_loud_as_noise.Accept(silence, decibels, true);
  EXPECT_THAT(Segments(as_loud_as_noise), IsEmpty());
  std::fill(decibels.begin() + 200, decibels.begin() + 300, -20.0F);
  VadStateMachine louder(options);
  louder.Accept(silence, decibels, true);
  EXPECT_EQ(Segments(louder).size(), 1u);
}

TEST(VadStateMachineTest, TheNoiseIsAnAverageOverAsManyFramesAsTheOptionSays) {
  // 1 s of loud noise, 1 s of quiet noise, then speech between the two.
  std::vector<float> silence(500, 1.0F), decibels(500, -20.0F);
  std::fill(decibels.begin() + 100, decibels.begin() + 200, -60.0F);
  std::fill(decibels.begin() + 200, decibels.begin() + 300, -40.0F);
  std::fill(silence.begin() + 200, silence.begin() + 300, 0.0F);
  VadOptions options;
  options.snr_thres = 10;
  VadStateMachine slow(options);
  slow.Accept(silence, decibels, true);
  EXPECT_THAT(Segments(slow), IsEmpty()) << "the average over 100 frames is still about -45 dB";
  options.noise_frame_num_used_for_snr = 10;
  VadStateMachine fast(options);
  fast.Accept(silence, decibels, true);
  EXPECT_EQ(Segments(fast).size(), 1u);
}

TEST(VadStateMachineTest, TheNoiseRatioWeighsTheSilenceProbability) {
  const std::vector<float> doubtful(500, 0.3F);
  VadOptions options;
  EXPECT_THAT(Detect(doubtful, options), IsEmpty());  // 0.7 < 0.3 + 0.6
  options.speech_2_noise_ratio = 3;
  EXPECT_EQ(Detect(doubtful, options).size(), 1u);  // 0.7 > 0.027 + 0.6
}

// Spec §4.5: the first 60 s have a patience of 2 s; speech that crosses the border of the chunk has 200 ms from then
// on.
TEST(VadStateMachineTest, DynamicSilenceLosesPatienceAtTheBorderOfAChunk) {
  VadOptions options;
  options.dynamic_silence = true;
  options.max_single_segment_time = 600'000;
  VadStateMachine machine(options);
  const auto speech_with_pauses = [](int pauses) {
    std::vector<float> silence;
    for (int i = 0; i < pauses; ++i) {
      const auto one = Stretches({100, 400});
      silence.insert(silence.end(), one.begin(), one.end());
    }
    return silence;
  };
  const auto first = speech_with_pauses(12), second = speech_with_pauses(4);
  machine.Accept(first, std::vector<float>(first.size(), -20.0F), false);
  EXPECT_THAT(Segments(machine), ElementsAre(VadSegment{740, -1}));
  machine.NextChunk();
  machine.Accept(second, std::vector<float>(second.size(), -20.0F), true);
  std::vector<VadEvent> events;
  machine.TakeEvents(events);
  // 50 ms after the window has turned: no part of the pause is kept beyond them.
  EXPECT_EQ(events.front(), (VadEvent{-1, 60'100}));
  EXPECT_EQ(events.size(), 5u);
}

TEST(VadStateMachineTest, DynamicSilenceIsPatientAgainAfterAChunkThatFinishedASegment) {
  VadOptions options;
  options.dynamic_silence = true;
  options.chunk_size = 10'000;
  VadStateMachine machine(options);
  const auto frames = Stretches({0, 1000}), pause = Stretches({300}), next = Stretches({0, 500, 110, 390});
  machine.Accept(frames, std::vector<float>(frames.size(), -20.0F), false);
  machine.NextChunk();  // 10 s: still 2 s
  machine.Accept(pause, std::vector<float>(pause.size(), -20.0F), false);
  EXPECT_EQ(Segments(machine).size(), 1u);
  machine.NextChunk();
  machine.Accept(next, std::vector<float>(next.size(), -20.0F), true);  // a pause of 1.1 s does not split
  EXPECT_EQ(Segments(machine).size(), 1u);
}

TEST(VadStateMachineTest, EventsReportEachSideOnceAndBothTogetherWhenKnown) {
  const auto silence = Stretches({50, 100, 250, 100, 250});
  VadStateMachine machine({});
  std::vector<VadEvent> events;
  const auto accept = [&](size_t first, size_t end, bool is_final) {
    events.clear();
    const std::vector<float> decibels(end - first, -20.0F);
    machine.Accept(std::span(silence).subspan(first, end - first), decibels, is_final);
    machine.TakeEvents(events);
    return events;
  };
  EXPECT_THAT(accept(0, 64, false), IsEmpty());
  EXPECT_THAT(accept(64, 65, false), ElementsAre(VadEvent{240, -1}));
  EXPECT_THAT(accept(65, 200, false), IsEmpty());
  EXPECT_THAT(accept(200, 300, false), ElementsAre(VadEvent{-1, 1660}));
  EXPECT_THAT(accept(300, 750, true), ElementsAre(VadEvent{3740, 5160}));
}

TEST(VadStateMachineTest, NoSegmentStartsBeforeTheFirstNeededFrame) {
  std::mt19937 random(1);
  VadStateMachine machine({});
  std::vector<float> silence;
  for (int i = 0; i < 60; ++i) {
    const auto stretch = Stretches({static_cast<int>(random() % 150), static_cast<int>(random() % 200)});
    silence.insert(silence.end(), stretch.begin(), stretch.end());
  }
  int64_t needed = 0;
  for (const float& p : silence) {
    const float decibels = -20;
    machine.Accept({&p, 1}, {&decibels, 1}, &p == &silence.back());
    std::vector<VadEvent> events;
    machine.TakeEvents(events);
    for (const VadEvent& event : events) {
      if (event.start_ms >= 0) {
        ASSERT_GE(event.start_ms, needed * 10);
      }
    }
    ASSERT_GE(machine.first_needed_frame(), needed);
    needed = machine.first_needed_frame();
  }
}

TEST(VadStateMachineTest, IsAsNewAfterReset) {
  const auto silence = Stretches({50, 100, 250, 100});
  const std::vector<float> decibels(silence.size(), -20.0F);
  VadStateMachine machine({});
  machine.Accept(silence, decibels, false);
  machine.Reset();
  machine.Accept(silence, decibels, true);
  EXPECT_EQ(Segments(machine), Detect(silence));
}

TEST(VadStateMachineTest, RefusesOptionsOutOfRangeByName) {
  EXPECT_TRUE(Validate({}).ok());
  VadOptions options;
  options.max_end_silence_time = -1;
  EXPECT_THAT(Message(Validate(options)), HasSubstr("max_end_silence_time: -1"));
  options = {};
  options.sil_to_speech_time_thres = 300;
  EXPECT_THAT(Message(Validate(options)), HasSubstr("sil_to_speech_time_thres: 300, expected 0 to 200"));
  options = {};
  options.speech_noise_thres = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Message(Validate(options)), HasSubstr("speech_noise_thres"));
  options = {};
  options.sil_pdf_ids = {};
  EXPECT_THAT(Message(Validate(options)), HasSubstr("sil_pdf_ids"));
  options.sil_pdf_ids = {0, -3};
  EXPECT_THAT(Message(Validate(options)), HasSubstr("-3"));
}

VadOptions RandomOptions(std::mt19937& random) {
  const auto ms = [&random](int most) { return static_cast<int>(random() % static_cast<uint32_t>(most + 1)); };
  VadOptions options;
  if (random() % 4 == 0) options.detect_mode = VadOptions::DetectMode::kSingle;
  options.max_end_silence_time = ms(2000);
  options.max_start_silence_time = ms(5000);
  options.window_size_ms = 10 + ms(400);
  options.sil_to_speech_time_thres = ms(options.window_size_ms);
  options.speech_to_sil_time_thres = ms(options.window_size_ms);
  options.do_extend = random() % 3 != 0;
  options.lookback_time_start_point = ms(500);
  options.lookahead_time_end_point = ms(500);
  options.max_single_segment_time = 10 + ms(20'000);
  options.speech_noise_thres = static_cast<double>(random() % 100) / 100;
  options.dynamic_silence = random() % 4 == 0;
  options.chunk_size = 500 + ms(5000);
  return options;
}

TEST(VadStateMachineTest, WhateverTheOptionsSegmentsAreOrderedInsideTheAudioAndFreeOfTheCut) {
  std::mt19937 random(2);
  for (int round = 0; round < 400; ++round) {
    const VadOptions options = RandomOptions(random);
    ASSERT_TRUE(Validate(options).ok()) << Validate(options);
    std::vector<float> silence, decibels;
    while (silence.size() < 2500) {
      const float p = static_cast<float>(random() % 11) / 10;
      silence.insert(silence.end(), random() % 120, p);
    }
    for (size_t i = 0; i < silence.size(); ++i) decibels.push_back(-60 + static_cast<float>(random() % 60));
    const size_t chunk = static_cast<size_t>(options.chunk_size / 10);

    std::vector<VadSegment> results[2];
    for (auto& result : results) {
      VadStateMachine machine(options);
      std::vector<VadEvent> events;
      for (size_t at = 0; at < silence.size();) {
        size_t piece = &result == &results[0] ? silence.size() : 1 + random() % 300;
        piece = std::min({piece, silence.size() - at, chunk - at % chunk});
        machine.Accept(std::span(silence).subspan(at, piece), std::span(decibels).subspan(at, piece),
                       at + piece == silence.size());
        machine.TakeEvents(events);
        at += piece;
        if (at % chunk == 0) machine.NextChunk();
      }
      AppendSegments(events, result);
    }
    ASSERT_EQ(results[0], results[1]) << round;
    int64_t before = 0;
    for (const VadSegment& segment : results[0]) {
      ASSERT_GE(segment.start_ms, before) << round;
      ASSERT_GT(segment.end_ms, segment.start_ms) << round;
      const int64_t latency = options.window_size_ms + options.lookback_time_start_point + 20;
      ASSERT_LE(segment.end_ms - segment.start_ms, std::max<int64_t>(options.max_single_segment_time + 10, latency))
          << round;
      before = segment.end_ms;
    }
    ASSERT_LE(before, static_cast<int64_t>(silence.size()) * 10) << round;
    if (options.detect_mode == VadOptions::DetectMode::kSingle) {
      ASSERT_LE(results[0].size(), 1u);
    }
  }
}

TEST(VadStateMachineTest, ValuesThatAreNotNumbersAreSilence) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Detect(std::vector<float>(500, nan)), IsEmpty());
  const std::vector<float> speech(500, 0.0F);
  for (const float decibels : {nan, infinite, -infinite}) {
    VadStateMachine machine({});
    machine.Accept(speech, std::vector<float>(speech.size(), decibels), true);
    EXPECT_THAT(Segments(machine), IsEmpty());
  }
}

}  // namespace
}  // namespace tutti

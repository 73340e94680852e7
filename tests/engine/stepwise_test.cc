// Models that find a text in steps, and models that want speech joined.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "tests/engine/fake_parts.h"
#include "tests/engine/real_parts.h"
#include "tests/support/eventually.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::kAudioDirectory;
using testing::Tone;

// A segment of n rows takes n steps; its text is n. Options that ask for the prefix "poison" make a step fail.
class StepwiseModel final : public AsrModel {
 public:
  explicit StepwiseModel(int64_t join_ms = 0, std::function<void()> on_step = nullptr)
      : join_ms_(join_ms), on_step_(std::move(on_step)) {}

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "stepwise"; }
  ComputeType compute_type() const override { return ComputeType::kF32; }
  void Recognise(const ScatteredBatch&, Workspace&, std::span<Hypothesis>) const override {}
  int64_t join_ms(const SearchOptions&) const override { return join_ms_; }
  double batch_factor() const override { return 4; }
  absl::Status Check(const SearchOptions&) const override { return absl::OkStatus(); }
  SegmentText Text(const Hypothesis& hypothesis) const override { return {std::to_string(hypothesis.ids.at(0)), {}}; }
  // Of options that ask for words' times: two parts, the first with a word.
  std::vector<SegmentText> Texts(const Hypothesis& hypothesis) const override {
    if (hypothesis.parts.empty()) return {Text(hypothesis)};
    return {{"first", {{"first", 100, 300, 0}}, 0, 3000}, {"second", {}, 3000, hypothesis.parts[1].end_ms}};
  }

  std::unique_ptr<Decoding> NewDecoding() const override { return std::make_unique<Steps>(*this); }

 private:
  class Steps final : public Decoding {
   public:
    explicit Steps(const StepwiseModel& model) : model_(model) {}
    void Admit(std::span<const Utterance> utterances, Workspace&) override {
      for (const Utterance& one : utterances) {
        live_.push_back({one.id, one.rows, one.rows, one.options->prefix, one.options->word_timestamps});
      }
    }
    void Step(Workspace&, std::vector<Finished>& finished) override {
      if (model_.on_step_) model_.on_step_();
      for (One& one : live_) {
        if (one.prefix == "poison") throw std::runtime_error("poisoned");
        if (one.prefix == "refused") {
          finished.push_back({one.id, absl::InvalidArgumentError("refused")});
          one.left = 0;
        } else if (--one.left == 0) {
          Hypothesis hypothesis{{static_cast<int32_t>(one.rows)}, {0.0F}, {}};
          if (one.divide) hypothesis.parts = {{1, 1, 0, 3000}, {0, 0, 3000, one.rows * 60}};
          finished.push_back({one.id, std::move(hypothesis)});
        }
      }
      std::erase_if(live_, [](const One& one) { return one.left == 0; });
    }
    void Remove(int64_t id) override {
      std::erase_if(live_, [id](const One& one) { return one.id == id; });
    }
    void Clear() override { live_.clear(); }
    bool empty() const override { return live_.empty(); }

   private:
    struct One {
      int64_t id, rows, left;
      std::string prefix;
      bool divide;
    };
    const StepwiseModel& model_;
    std::vector<One> live_;
  };

  const std::shared_ptr<const Frontend> frontend_ = *Frontend::Create(FrontendOptions{}, Cmvn{});
  const int64_t join_ms_;
  const std::function<void()> on_step_;
};

RecognizerOptions OneWorker() {
  RecognizerOptions options;
  options.threads = 1;
  options.decode_threads = 1;
  return options;
}

TranscribeOptions WithPrefix(std::string prefix) {
  TranscribeOptions options;
  options.search.prefix = std::move(prefix);
  return options;
}

TEST(StepwiseTest, ASegmentThatComesLaterLeavesAsSoonAsItIsDone) {
  Mutex mu;
  bool go_on = false;
  std::vector<std::string> ended;
  int steps = 0;
  // The long one takes some steps before the short one is there.
  const auto on_step = [&] {
    if (++steps != 3) return;
    EXPECT_TRUE(testing::Eventually([&] {
      MutexLock lock(mu);
      return go_on;
    }));
  };
  const auto recognizer = *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(0, on_step), nullptr, ""});
  const auto note = [&](const absl::StatusOr<Transcript>& result) {
    MutexLock lock(mu);
    ended.push_back(result.ok() ? result->file : result.status().ToString());
  };
  const auto slow = *recognizer->Submit(Tone(1, 20'000), {}, note);
  EXPECT_TRUE(testing::Eventually([&] { return recognizer->stats().batches == 1; }));
  const auto fast = *recognizer->Submit(Tone(2, 600), {}, note);
  EXPECT_TRUE(testing::Eventually([&] { return recognizer->stats().queued_seconds > 0; }));
  {
    MutexLock lock(mu);
    go_on = true;
  }
  slow->Wait();
  fast->Wait();
  MutexLock lock(mu);
  EXPECT_EQ(ended, (std::vector<std::string>{"tone 2", "tone 1"}));
}

TEST(StepwiseTest, AWorkerHasAsManyTimesTheBudgetInHandAsTheModelAsksFor) {
  Mutex mu;
  int64_t allowed = 0;  // steps
  const auto on_step = [&] {
    EXPECT_TRUE(testing::Eventually([&] {
      MutexLock lock(mu);
      if (allowed == 0) return false;
      --allowed;
      return true;
    }));
  };
  const auto allow = [&](int64_t steps) {
    MutexLock lock(mu);
    allowed = steps;
  };
  RecognizerOptions options = OneWorker();
  options.batch_seconds = 1;
  const auto recognizer = *CreateRecognizer(options, {std::make_shared<StepwiseModel>(0, on_step), nullptr, ""});
  EXPECT_EQ(recognizer->stats().batch_budget_seconds, 4);
  std::vector<std::shared_ptr<Transcription>> all = {*recognizer->Submit(Tone(0, 1900))};
  EXPECT_TRUE(testing::Eventually([&] { return recognizer->stats().batches == 1; }));
  for (int i = 1; i < 4; ++i) all.push_back(*recognizer->Submit(Tone(i, 1900)));
  EXPECT_TRUE(testing::Eventually([&] { return recognizer->stats().queued_seconds > 5; }));
  allow(1);  // after which there is room beside the first for another, and no more
  EXPECT_TRUE(testing::Eventually([&] { return recognizer->stats().batches == 2; }));
  EXPECT_NEAR(recognizer->stats().queued_seconds, 3.8, 0.3);
  allow(1000);
  for (const auto& one : all) EXPECT_TRUE(one->Wait().ok());
}

TEST(StepwiseTest, ASegmentThatMakesAStepFailHarmsNoOther) {
  const auto recognizer = *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(), nullptr, ""});
  std::vector<std::shared_ptr<Transcription>> good;
  for (int i = 0; i < 5; ++i) good.push_back(*recognizer->Submit(Tone(i, 1000 + 500 * i)));
  const auto bad = *recognizer->Submit(Tone(9, 1000), WithPrefix("poison"));
  const auto refused = *recognizer->Submit(Tone(10, 1000), WithPrefix("refused"));
  for (int i = 0; i < 5; ++i) good.push_back(*recognizer->Submit(Tone(i, 1000 + 500 * i)));
  for (size_t i = 0; i < good.size(); ++i) {
    const auto& result = good[i]->Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->text, good[i % 5]->Wait()->text);
  }
  EXPECT_NE(bad->Wait().status().message().find("poisoned"), std::string::npos) << bad->Wait().status();
  EXPECT_EQ(refused->Wait().status().message(), "refused");
}

TEST(StepwiseTest, WhatIsCancelledLeavesBetweenTwoSteps) {
  std::shared_ptr<Transcription> cancelled;
  int steps = 0;
  Mutex mu;
  const auto recognizer =
      *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(0,
                                                                      [&] {
                                                                        MutexLock lock(mu);
                                                                        if (++steps == 5 && cancelled != nullptr)
                                                                          cancelled->Cancel();
                                                                      }),
                                      nullptr, ""});
  {
    MutexLock lock(mu);
    cancelled = *recognizer->Submit(Tone(1, 3'600'000));
  }
  EXPECT_TRUE(absl::IsCancelled(cancelled->Wait().status()));
  ASSERT_TRUE(recognizer->Transcribe(Tone(2, 600)).ok());
  MutexLock lock(mu);
  EXPECT_LT(steps, 1000) << "the cancelled hour went on";
}

TEST(JoinedSpeechTest, StretchesOfSpeechGoOnTogetherUpToTheLengthThatTheModelWants) {
  const auto vad = testing::RealVad();
  const AudioInput audio = AudioInput::File(kAudioDirectory + "long.wav");
  const auto plain = *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(), vad, ""});
  const auto stretches = plain->DetectSpeech(audio)->channels.at(0);
  ASSERT_GT(stretches.size(), 3U);
  constexpr int64_t kJoinMs = 12'000;
  const auto joining = *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(kJoinMs), vad, ""});
  const auto result = joining->Transcribe(audio);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(result->segments.size(), stretches.size());
  // The same by hand.
  std::vector<Segment> expected;
  int64_t speech_ms = 0;
  for (const VadSegment& stretch : stretches) {
    const int64_t length_ms = stretch.end_ms - stretch.start_ms;
    if (expected.empty() || speech_ms + length_ms > kJoinMs) {
      expected.push_back({.start_ms = stretch.start_ms, .end_ms = 0, .channel = 0, .text = "", .tokens = {}});
      speech_ms = 0;
    }
    speech_ms += length_ms;
    expected.back().end_ms = stretch.end_ms;
    expected.back().text = std::to_string((*Frontend::Create(FrontendOptions{}, Cmvn{}))->Rows(speech_ms * 16));
  }
  ASSERT_EQ(result->segments.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(result->segments[i].start_ms, expected[i].start_ms);
    EXPECT_EQ(result->segments[i].end_ms, expected[i].end_ms);
    EXPECT_EQ(result->segments[i].text, expected[i].text) << "rows of the speech alone, without the silence";
  }
}

TEST(JoinedSpeechTest, TimesWithinItAreMappedBackToTheRecording) {
  const auto vad = testing::RealVad();
  const AudioInput audio = AudioInput::File(kAudioDirectory + "long.wav");
  const auto recognizer = *CreateRecognizer(OneWorker(), {std::make_shared<StepwiseModel>(600'000), vad, ""});
  const auto stretches = recognizer->DetectSpeech(audio)->channels.at(0);
  ASSERT_GT(stretches.size(), 2U);
  TranscribeOptions options;
  options.search.word_timestamps = true;
  const auto result = recognizer->Transcribe(audio, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->segments.size(), 2U);
  const Segment& first = result->segments[0];
  const Segment& second = result->segments[1];
  ASSERT_EQ(first.tokens.size(), 1U);
  EXPECT_EQ(first.tokens[0].start_ms, stretches[0].start_ms + 100);
  EXPECT_EQ(first.tokens[0].end_ms, stretches[0].start_ms + 300);
  EXPECT_EQ(first.start_ms, stretches[0].start_ms + 100) << "it begins and ends with its words";
  EXPECT_EQ(first.end_ms, stretches[0].start_ms + 300);
  // By hand: where 3000 ms of speech have passed.
  int64_t speech_ms = 0;
  for (const VadSegment& stretch : stretches) {
    if (speech_ms + stretch.end_ms - stretch.start_ms > 3000) {
      EXPECT_EQ(second.start_ms, stretch.start_ms + 3000 - speech_ms);
      break;
    }
    speech_ms += stretch.end_ms - stretch.start_ms;
  }
  EXPECT_GT(second.end_ms, stretches.back().start_ms) << "in the last stretch";
  EXPECT_LE(second.end_ms, stretches.back().end_ms);
}

TEST(SearchOptionsTest, AModelThatDecidesOnAllTokensAtOnceTakesNone) {
  const auto recognizer = testing::RealRecognizer(OneWorker());
  TranscribeOptions options;
  options.search.language = "en";
  const auto refused = recognizer->Submit(Tone(1, 600), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("paraformer"), std::string::npos) << refused.status();
}

}  // namespace
}  // namespace tutti

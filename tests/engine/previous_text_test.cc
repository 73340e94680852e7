// Recordings whose segments are recognised with what was said before them.
#include "engine/previous_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/engine/fake_decoding.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Tone;

Hypothesis Saying(std::vector<int32_t> ids, float temperature = 0) {
  Hypothesis hypothesis;
  hypothesis.scores.resize(ids.size());
  hypothesis.ids = std::move(ids);
  hypothesis.temperature = temperature;
  return hypothesis;
}

TEST(PreviousTextTest, IsAllThatWasSaidInAChannel) {
  PreviousText text;
  text.Add(0, Saying({1, 2}), 0.5F);
  text.Add(1, Saying({7}), 0.5F);
  text.Add(0, Saying({3}, 0.5F), 0.5F);
  EXPECT_THAT(text.Of(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(text.Of(1), ElementsAre(7));
  EXPECT_THAT(text.Of(2), IsEmpty());
}

TEST(PreviousTextTest, WhatWasDrawnAtAHighTemperatureIsForgottenWithAllBeforeIt) {
  PreviousText text;
  text.Add(0, Saying({1, 2}), 0.5F);
  text.Add(0, Saying({3}, 0.6F), 0.5F);
  EXPECT_THAT(text.Of(0), IsEmpty());
  text.Add(0, Saying({4}), 0.5F);
  EXPECT_THAT(text.Of(0), ElementsAre(4));
}

TEST(PreviousTextTest, OfALongRecordingItKeepsTheEnd) {
  PreviousText text;
  for (int32_t i = 0; i < 5000; ++i) text.Add(0, Saying({i}), 0.5F);
  EXPECT_EQ(text.Of(0).size(), 1024U);
  EXPECT_EQ(text.Of(0).back(), 4999);
}

// A segment says its number of rows; its language is what it was told of the text before, so that tests see it. With
// `company`, the first step waits until so many segments are there; more than `most` fail.
class ListeningModel final : public AsrModel {
 public:
  explicit ListeningModel(size_t company = 1, int64_t most = 1000) : company_(company), most_(most) {}

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "listening"; }
  ComputeType compute_type() const override { return ComputeType::kF32; }
  void Recognise(const ScatteredBatch&, Workspace&, std::span<Hypothesis>) const override {}
  absl::Status Check(const SearchOptions&) const override { return absl::OkStatus(); }
  SegmentText Text(const Hypothesis& hypothesis) const override {
    return {.text = std::to_string(hypothesis.ids.at(0)), .units = {}};
  }
  std::unique_ptr<Decoding> NewDecoding() const override { return std::make_unique<Steps>(*this); }

 private:
  class Steps final : public testing::OneStepDecoding {
   public:
    explicit Steps(const ListeningModel& model) : company_(model.company_), left_(model.most_) {}
    void Admit(std::span<const Utterance> utterances, Workspace&) override {
      for (const Utterance& one : utterances) {
        Hypothesis hypothesis = Saying({static_cast<int32_t>(one.rows)});
        hypothesis.language = fmt::format("after {}", fmt::join(one.previous, " "));
        live_.push_back({one.id, std::move(hypothesis)});
      }
    }
    void Step(Workspace& workspace, std::vector<Finished>& finished) override {
      if (left_ <= 0) throw std::runtime_error("too much");
      if (live_.size() < company_) return;
      company_ = 1;
      left_ -= static_cast<int64_t>(live_.size());
      OneStepDecoding::Step(workspace, finished);
    }

   private:
    size_t company_;
    int64_t left_;
  };

  const std::shared_ptr<const Frontend> frontend_ = *Frontend::Create(FrontendOptions{}, Cmvn{});
  const size_t company_;
  const int64_t most_;
};

std::unique_ptr<Recognizer> Listening(std::shared_ptr<const AsrModel> model, int threads = 1) {
  RecognizerOptions options;
  options.threads = threads;
  options.decode_threads = threads;
  return *CreateRecognizer(options, {std::move(model), nullptr, ""});
}

TranscribeOptions Conditioned() {
  TranscribeOptions options;
  options.max_segment_ms = 1000;
  options.search.condition_on_previous_text = true;
  return options;
}

void ExpectEachIsToldWhatWasBefore(const Transcript& transcript) {
  std::string before;
  for (const Segment& segment : transcript.segments) {
    EXPECT_EQ(segment.language, "after " + before);
    before += (before.empty() ? "" : " ") + segment.text;
  }
}

TEST(ConditionOnPreviousTextTest, EachSegmentIsToldWhatWasSaidBeforeIt) {
  for (const int threads : {1, 4}) {
    const auto recognizer = Listening(std::make_shared<ListeningModel>(), threads);
    const auto result = recognizer->Transcribe(Tone(1, 4000), Conditioned());
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_GE(result->segments.size(), 4U);
    ExpectEachIsToldWhatWasBefore(*result);
  }
}

TEST(ConditionOnPreviousTextTest, WithoutItNoneIsTold) {
  TranscribeOptions options = Conditioned();
  options.search.condition_on_previous_text = false;
  const auto result = Listening(std::make_shared<ListeningModel>())->Transcribe(Tone(1, 2500), options);
  ASSERT_TRUE(result.ok()) << result.status();
  for (const Segment& segment : result->segments) EXPECT_EQ(segment.language, "after ");
}

TEST(ConditionOnPreviousTextTest, RecordingsDoNotWaitForEachOther) {
  const auto recognizer = Listening(std::make_shared<ListeningModel>(3));
  std::vector<std::shared_ptr<Transcription>> all;
  for (int i = 0; i < 3; ++i) all.push_back(*recognizer->Submit(Tone(i, 3000), Conditioned()));
  EXPECT_TRUE(
      testing::Eventually([&] { return std::ranges::all_of(all, [](const auto& one) { return one->done(); }); }));
  for (const auto& one : all) {
    ASSERT_TRUE(one->Wait().ok()) << one->Wait().status();
    ExpectEachIsToldWhatWasBefore(*one->Wait());
  }
}

TEST(ConditionOnPreviousTextTest, ARecordingThatFailsOrIsCancelledLetsOthersGoOn) {
  const auto recognizer = Listening(std::make_shared<ListeningModel>(1, 2));
  const auto failed = recognizer->Transcribe(Tone(1, 5000), Conditioned());
  EXPECT_THAT(failed.status().ToString(), HasSubstr("too much"));
  const auto cancelled = *recognizer->Submit(Tone(2, 600'000), Conditioned());
  cancelled->Cancel();
  EXPECT_FALSE(cancelled->Wait().ok());
  EXPECT_THAT(recognizer->Transcribe(Tone(3, 500), Conditioned()).status().ToString(), HasSubstr("too much"));
}

}  // namespace
}  // namespace tutti

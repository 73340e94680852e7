// Recordings of one language, which the first segment with text tells.
#include "engine/recording_language.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/fake_decoding.h"
#include "tests/engine/fake_parts.h"

namespace tutti {
namespace {

using testing::Tone;

Hypothesis In(const std::string& language, float probability, std::vector<int32_t> ids) {
  Hypothesis hypothesis;
  hypothesis.ids = std::move(ids);
  hypothesis.scores.resize(hypothesis.ids.size());
  hypothesis.language = language;
  hypothesis.language_probability = probability;
  return hypothesis;
}

TEST(RecordingLanguageTest, IsThatOfTheFirstSegmentWithTextInAChannel) {
  RecordingLanguage language;
  EXPECT_EQ(language.Of(0).code, "");
  language.Add(0, In("la", 0.3F, {}));
  EXPECT_EQ(language.Of(0).code, "");
  language.Add(0, In("de", 0.75F, {1}));
  language.Add(0, In("en", 1, {1}));
  language.Add(1, In("fr", 0.5F, {2}));
  EXPECT_EQ(language.Of(0).code, "de");
  EXPECT_EQ(language.Of(0).probability, 0.75F);
  EXPECT_EQ(language.Of(1).code, "fr");
}

// Finds another language in each segment: the first is silent, in "l0", the next says "text" in "l1", and so on. Where
// it is told one it takes that.
class BabelModel final : public AsrModel {
 public:
  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "babel"; }
  ComputeType compute_type() const override { return ComputeType::kF32; }
  void Recognise(const ScatteredBatch&, Workspace&, std::span<Hypothesis>) const override {}
  absl::Status Check(const SearchOptions&) const override { return absl::OkStatus(); }
  SegmentText Text(const Hypothesis& hypothesis) const override {
    return {.text = hypothesis.ids.empty() ? "" : "text", .units = {}};
  }
  std::unique_ptr<Decoding> NewDecoding() const override { return std::make_unique<Steps>(); }

 private:
  // One for all segments: there is one worker.
  class Steps final : public testing::OneStepDecoding {
   public:
    void Admit(std::span<const Utterance> utterances, Workspace&) override {
      for (const Utterance& one : utterances) {
        const std::string own = fmt::format("l{}", heard_);
        const std::vector<int32_t> ids(heard_ == 0 ? 0 : 1);
        live_.push_back({one.id, one.language.empty() ? In(own, 0.5F, ids) : In(std::string(one.language), 1, ids)});
        ++heard_;
      }
    }

   private:
    int heard_ = 0;
  };

  const std::shared_ptr<const Frontend> frontend_ = *Frontend::Create(FrontendOptions{}, Cmvn{});
};

std::vector<std::string> LanguagesOf(const TranscribeOptions& options) {
  RecognizerOptions one_worker;
  one_worker.threads = 1;
  const auto recognizer = *CreateRecognizer(one_worker, {std::make_shared<BabelModel>(), nullptr, ""});
  const auto result = recognizer->Transcribe(Tone(1, 4000), options);
  std::vector<std::string> languages;
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    return languages;
  }
  for (const Segment& segment : result->segments) languages.push_back(segment.language);
  for (const Segment& segment : result->segments) EXPECT_EQ(segment.language_probability, 0.5F);
  EXPECT_GE(languages.size(), 4U);
  return languages;
}

TEST(OneLanguageTest, SegmentsBehindTheFirstWithTextHaveItsLanguageAndHowSureItWas) {
  TranscribeOptions options;
  options.max_segment_ms = 1000;
  options.search.multilingual = false;
  for (const char* found : {"", "auto", "Auto"}) {
    options.search.language = found;
    const auto languages = LanguagesOf(options);
    EXPECT_EQ(languages.front(), "l0");
    EXPECT_EQ(std::ranges::count(languages, "l1"), std::ssize(languages) - 1);
  }
}

TEST(OneLanguageTest, OfAMultilingualRecordingEachSegmentHasItsOwn) {
  TranscribeOptions options;
  options.max_segment_ms = 1000;
  auto languages = LanguagesOf(options);
  std::ranges::sort(languages);
  EXPECT_EQ(std::ranges::unique(languages).size(), 0U);
}

TEST(OneLanguageTest, ALanguageThatIsGivenIsTold) {
  TranscribeOptions options;
  options.max_segment_ms = 1000;
  options.search.multilingual = false;
  options.search.language = "de";
  auto languages = LanguagesOf(options);
  std::ranges::sort(languages);
  EXPECT_EQ(std::ranges::unique(languages).size(), 0U) << "the model has it from the options, and no segment waits";
}

}  // namespace
}  // namespace tutti

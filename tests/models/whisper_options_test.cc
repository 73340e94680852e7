// What a search is told in its options, and what stands before its text.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/models/whisper_fixture.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using testing::WhisperTest;

TEST_F(WhisperTest, RefusesWhatItCannotServeAndSaysWhatItCan) {
  EXPECT_TRUE(model_->Check(SearchOptions()).ok());
  SearchOptions options;
  options.language = "tlh";
  EXPECT_THAT(Refused(options), HasSubstr("language: \"tlh\", expected one of en, zh"));
  options = {};
  options.beam_size = 0;
  EXPECT_THAT(Refused(options), HasSubstr("beam"));
  options = {};
  options.window_seconds = 5;
  EXPECT_THAT(Refused(options), HasSubstr("window_seconds: 5, expected 0 for auto, or 10 to 30"));
  options = {};
  options.best_of = 65;
  EXPECT_THAT(Refused(options), HasSubstr("best of 65"));
  options = {};
  options.temperature = {};
  EXPECT_THAT(Refused(options), HasSubstr("temperature: 0 of them"));
  options.temperature = {0, -1};
  EXPECT_THAT(Refused(options), HasSubstr("temperature: -1"));
  options = {};
  options.initial_prompt = "broken \xFF text";
  EXPECT_THAT(Refused(options), HasSubstr("initial_prompt"));
  for (const char* ids : {"-2", "1074", "7,", "-1,x"}) {
    options = {};
    options.suppress_tokens = ids;
    EXPECT_THAT(Refused(options), HasSubstr("suppress_tokens: ")) << ids;
  }
  EXPECT_THAT(Refused(options), HasSubstr("\"x\", expected -1 for symbols or tokens from 0 to 1073"));
}

TEST_F(WhisperTest, NothingIsSuppressedWhereTheListIsEmpty) {
  SearchOptions options = Greedy();
  options.suppress_tokens = "";
  options.suppress_blank = false;
  for (const size_t clip : {0U, 1U}) {
    EXPECT_EQ(Alone(clip, options).ids, Expected(clip == 0 ? "clip_a" : "clip_b", "greedy, nothing suppressed"));
  }
  EXPECT_NE(Expected("clip_a", "greedy, nothing suppressed"), Expected("clip_a", "greedy"));
}

TEST_F(WhisperTest, SuppressedTokensAreNeverTaken) {
  SearchOptions options = Greedy();
  const int32_t first = Expected("clip_a", "greedy")[0];
  options.suppress_tokens = fmt::format("-1,{}", first);
  EXPECT_THAT(Alone(0, options).ids, ::testing::Not(::testing::Contains(first)));
  const auto suppressed = [this](const std::string& ids) {
    SearchOptions some;
    some.suppress_tokens = ids;
    return model_->Translate(some)->rules.suppress;
  };
  const WhisperVocabulary& vocabulary = model_->vocabulary();
  EXPECT_THAT(suppressed("-1"), ::testing::IsSupersetOf(vocabulary.suppress));
  EXPECT_THAT(suppressed("-1,5"), ::testing::Contains(5));
  EXPECT_THAT(suppressed("5"), ::testing::UnorderedElementsAre(5, vocabulary.start, vocabulary.translate,
                                                               vocabulary.transcribe, vocabulary.transcribe + 1,
                                                               vocabulary.start_of_previous, vocabulary.no_speech))
      << "what is no text";
}

TEST_F(WhisperTest, TheRecordingsLanguageIsTakenWhereNoneIsGiven) {
  SearchOptions options = Greedy();
  const Hypothesis german = [&] {
    options.language = "de";
    return Alone(0, options);
  }();
  const auto heard_in = [&](std::string_view given, std::string_view spoken) {
    options.language = given;
    const auto decoding = model_->NewDecoding();
    Decoding::Utterance utterance = Clip(0, options);
    utterance.language = spoken;
    decoding->Admit({{utterance}}, workspace_);
    std::vector<Decoding::Finished> finished;
    while (!decoding->empty()) decoding->Step(workspace_, finished);
    return *finished.at(0).hypothesis;
  };
  EXPECT_EQ(heard_in("auto", "de").ids, german.ids);
  EXPECT_EQ(heard_in("auto", "de").language, "de");
  EXPECT_EQ(heard_in("", "de").avg_logprob, german.avg_logprob);
  EXPECT_EQ(heard_in("de", "").ids, german.ids);
  EXPECT_NE(heard_in("auto", "zh").avg_logprob, german.avg_logprob);
}

TEST_F(WhisperTest, APromptStandsBeforeTheStart) {
  SearchOptions options = Greedy();
  options.hotwords = " tutti  ";
  const auto with_hotwords = model_->Translate(options);
  ASSERT_TRUE(with_hotwords.ok()) << with_hotwords.status();
  const WhisperVocabulary& vocabulary = model_->vocabulary();
  EXPECT_EQ(with_hotwords->prompt.front(), vocabulary.start_of_previous);
  EXPECT_EQ(TextBefore(*with_hotwords), "tutti");
  // Hotwords, then the prompt: so has it the reference, which takes no hotwords beside a prefix.
  options.initial_prompt = "opera";
  const auto with_both = model_->Translate(options);
  EXPECT_EQ(TextBefore(*with_both), "tutti opera");
  options.prefix = "So";
  EXPECT_EQ(TextBefore(*model_->Translate(options)), "opera");
}

TEST_F(WhisperTest, OfManyHotwordsTheFirstCount) {
  SearchOptions options = Greedy();
  for (int i = 0; i < 300; ++i) options.hotwords += " a";
  const auto hotwords = model_->Translate(options)->prompt;
  EXPECT_EQ(std::ranges::find(hotwords, model_->vocabulary().start) - hotwords.begin(), 1 + 223);
  options.hotwords = "opera" + options.hotwords;
  EXPECT_TRUE(TextBefore(*model_->Translate(options)).starts_with("opera a"));
}

TEST_F(WhisperTest, TheTextBeforeStandsBehindThePromptAndItsLastWordsCount) {
  SearchOptions options = Greedy();
  options.initial_prompt = "opera";
  const auto prompt = model_->Translate(options)->prompt;
  const auto start = std::ranges::find(prompt, model_->vocabulary().start) - prompt.begin();
  std::vector<int32_t> expected(prompt.begin(), prompt.begin() + start);
  expected.insert(expected.end(), {10, 11, 12});
  expected.insert(expected.end(), prompt.begin() + start, prompt.end());
  EXPECT_EQ(model_->Translate(options, std::vector<int32_t>{10, 11, 12})->prompt, expected);
  std::vector<int32_t> much(500);
  for (int32_t i = 0; i < 500; ++i) much[static_cast<size_t>(i)] = i;
  const auto most = model_->Translate(options, much)->prompt;
  EXPECT_EQ(most[0], model_->vocabulary().start_of_previous);
  EXPECT_EQ(most[1], 500 - 223);
  EXPECT_EQ(most[224], model_->vocabulary().start);
}

TEST_F(WhisperTest, FindsTheTokensOfCtranslate2AfterWhatWasSaidBefore) {
  const SearchOptions options = Greedy();
  const auto decoding = model_->NewDecoding();
  const std::vector<int32_t> previous = {300, 301, 302};
  Decoding::Utterance utterance = Clip(0, options);
  utterance.previous = previous;
  decoding->Admit({{utterance}}, workspace_);
  std::vector<Decoding::Finished> finished;
  while (!decoding->empty()) decoding->Step(workspace_, finished);
  EXPECT_EQ(finished.at(0).hypothesis->ids, Expected("clip_a", "greedy after text"));
}

}  // namespace
}  // namespace tutti

#include "models/whisper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "models/compression_ratio.h"
#include "models/decoding.h"
#include "models/whisper_decoding.h"
#include "models/whisper_segments.h"
#include "tests/models/whisper_fixture.h"

namespace tutti {
namespace {

using testing::kWhisperTiny;
using testing::ReadJson;
using testing::WhisperTest;

TEST_F(WhisperTest, FindsTheTokensOfCtranslate2InAudio) {
  SearchOptions translate = Greedy(), beam = Greedy();
  translate.task = Task::kTranslate;
  translate.language = "de";
  beam.beam_size = 5;
  for (const size_t clip : {0U, 1U}) {
    const std::string name = clip == 0 ? "clip_a" : "clip_b";
    EXPECT_EQ(Alone(clip, Greedy()).ids, Expected(name, "greedy")) << name;
    EXPECT_EQ(Alone(clip, translate).ids, Expected(name, "greedy translate")) << name;
    EXPECT_EQ(Alone(clip, beam).ids, Expected(name, "beam")) << name;
  }
}

TEST_F(WhisperTest, AWindowThatJoinsLaterChangesNoBitOfAnother) {
  const SearchOptions options = Greedy();
  const Hypothesis first = Alone(0, options), second = Alone(1, options);
  const auto decoding = model_->NewDecoding();
  std::vector<Decoding::Finished> finished;
  decoding->Admit({{Clip(0, options)}}, workspace_);
  for (int i = 0; i < 3; ++i) decoding->Step(workspace_, finished);
  ASSERT_TRUE(finished.empty());
  decoding->Admit({{Clip(1, options)}}, workspace_);
  while (!decoding->empty()) decoding->Step(workspace_, finished);
  ASSERT_EQ(finished.size(), 2U);
  EXPECT_EQ(finished[0].id, 1) << "the shorter text ends first, though it came later";
  EXPECT_EQ(finished[0].hypothesis->ids, second.ids);
  EXPECT_EQ(finished[0].hypothesis->scores, second.scores);
  EXPECT_EQ(finished[1].hypothesis->ids, first.ids);
  EXPECT_EQ(finished[1].hypothesis->scores, first.scores);
}

TEST_F(WhisperTest, FourWindowsOfFiveBeamsRunSideBySideHoweverLargeTheModel) {
  for (const auto& [layers, width] : {std::pair(6, 512), {12, 768}, {24, 1024}, {32, 1280}}) {
    const int64_t bytes = WhisperDecoding::MaxCacheBytes(layers, width, 448);
    KvPool pool(layers, width, bytes);
    // <|startoftranscript|>, language, task, <|notimestamps|>, and as many tokens as a window can have.
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.Reserve(KvPool::PagesFor(5, 4 + 224))) << layers << " layers";
    EXPECT_GE(bytes, 256 << 20);
    EXPECT_LT(bytes, int64_t{2} << 30);
  }
}

TEST_F(WhisperTest, AWindowThatIsTakenOutLeavesTheOthers) {
  const SearchOptions options = Greedy();
  const auto decoding = model_->NewDecoding();
  std::vector<Decoding::Finished> finished;
  decoding->Admit({{Clip(0, options), Clip(1, options)}}, workspace_);
  decoding->Step(workspace_, finished);
  decoding->Remove(0);
  while (!decoding->empty()) decoding->Step(workspace_, finished);
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0].hypothesis->ids, Expected("clip_b", "greedy"));
  decoding->Admit({{Clip(0, options)}}, workspace_);
  decoding->Clear();
  EXPECT_TRUE(decoding->empty());
}

TEST_F(WhisperTest, AnUnlikelyTextOfAWindowThatIsLikelySilentIsNone) {
  SearchOptions options = Greedy();
  options.no_speech_threshold = 0;
  options.log_prob_threshold = -0.5F;  // fixtures' texts are at -2
  EXPECT_TRUE(Alone(0, options).ids.empty());
  options.log_prob_threshold = -10;
  EXPECT_FALSE(Alone(0, options).ids.empty());
}

// Fixtures' texts are at -2: each search fails, and all temperatures are tried.
TEST_F(WhisperTest, AnUnlikelyTextIsLookedForAgainAtEachTemperatureAndTheLikeliestIsTaken) {
  SearchOptions options = Greedy();
  const Hypothesis first = Alone(0, options);
  EXPECT_EQ(first.temperature, 0.0F);
  options.temperature = {0, 0.5F};
  const Hypothesis again = Alone(0, options);
  EXPECT_EQ(again.temperature, 0.5F);
  EXPECT_GE(*again.avg_logprob, *first.avg_logprob);
  EXPECT_EQ(again.no_speech_prob, first.no_speech_prob) << "it is the same window";
  options.temperature = {0.5F};
  const Hypothesis drawn = Alone(0, options);
  EXPECT_NE(drawn.ids, first.ids);
  EXPECT_EQ(again.ids, *drawn.avg_logprob > *first.avg_logprob ? drawn.ids : first.ids);
  options.temperature = {0, 0.5F};
  options.log_prob_threshold = -10;
  EXPECT_EQ(Alone(0, options).temperature, 0.0F);
  options.compression_ratio_threshold = 0;
  EXPECT_EQ(Alone(0, options).temperature, 0.5F) << "any text repeats itself more than that";
}

TEST_F(WhisperTest, DrawsDoNotDependOnNeighbours) {
  SearchOptions options;
  options.no_speech_threshold = 1;
  options.best_of = 3;
  SearchOptions found = options;  // the language too, once
  options.language = "en";
  const Hypothesis first = Alone(0, options), second = Alone(1, found);
  EXPECT_EQ(first.temperature, 1.0F);
  EXPECT_EQ(second.language, "zh");
  const auto decoding = model_->NewDecoding();
  std::vector<Decoding::Finished> finished;
  decoding->Admit({{Clip(1, found)}}, workspace_);
  for (int i = 0; i < 30; ++i) decoding->Step(workspace_, finished);
  decoding->Admit({{Clip(0, options)}}, workspace_);
  while (!decoding->empty()) decoding->Step(workspace_, finished);
  ASSERT_EQ(finished.size(), 2U);
  for (const auto& [id, hypothesis] : finished) {
    const Hypothesis& alone = id == 0 ? first : second;
    EXPECT_EQ(hypothesis->ids, alone.ids);
    EXPECT_EQ(hypothesis->avg_logprob, alone.avg_logprob);
    EXPECT_EQ(hypothesis->language_probability, alone.language_probability);
  }
}

TEST_F(WhisperTest, SaysHowSureItIs) {
  const Hypothesis hypothesis = Alone(0, Greedy());
  const auto expected = ReadJson(kWhisperTiny + "expected.json")["clip_a"]["cases"]["greedy"];
  const auto length = static_cast<float>(hypothesis.ids.size());
  EXPECT_NEAR(*hypothesis.avg_logprob, expected["scores"][0].get<float>() * length / (length + 1), 1e-3);
  EXPECT_NEAR(*hypothesis.no_speech_prob, expected["no_speech_prob"].get<float>(), 1e-4);
  EXPECT_EQ(hypothesis.compression_ratio, CompressionRatio(model_->PlainText(hypothesis.ids)));
  EXPECT_EQ(hypothesis.language, "en");
  EXPECT_EQ(hypothesis.language_probability, 1.0F) << "it was given";
}

TEST_F(WhisperTest, RecognisesABatchInTheDefaultOptions) {
  std::vector<const float*> starts = {features_[1].data(), nullptr};
  const int64_t rows = static_cast<int64_t>(features_[1].size()) / 80;
  const std::vector<int64_t> offsets = {0, rows, rows};
  std::vector<Hypothesis> hypotheses(2);
  hypotheses[1].ids = {1, 2, 3};
  model_->Recognise({starts, 80, offsets}, workspace_, hypotheses);
  EXPECT_EQ(hypotheses[0].ids, Alone(1, SearchOptions()).ids);
  EXPECT_TRUE(hypotheses[1].ids.empty()) << "a segment without rows has no text";
}

TEST_F(WhisperTest, WantsSpeechInWindowsThatItsPositionsCanHold) {
  SearchOptions options;
  EXPECT_EQ(model_->max_segment_ms(options), 10'000);
  EXPECT_EQ(model_->join_ms(options), 10'000);
  options.window_seconds = 15;
  EXPECT_EQ(model_->join_ms(options), 10'000);
}

TEST_F(WhisperTest, AWindowOfAGivenLengthIsHeardWithTheZerosBehindTheSpeech) {
  // Half of the positions are enough for clip_b by itself.
  SearchOptions options = Greedy();
  const Hypothesis half = Alone(1, options);
  options.window_seconds = 10;
  const Hypothesis whole = Alone(1, options);
  EXPECT_NE(whole.avg_logprob, half.avg_logprob);
  EXPECT_EQ(whole.avg_logprob, Alone(1, options).avg_logprob);
}

TEST_F(WhisperTest, DividesAWindowAtTheTimesThatItFinds) {
  SearchOptions options = Greedy();
  options.without_timestamps = false;
  for (const size_t clip : {0U, 1U}) {
    const std::string name = clip == 0 ? "clip_a" : "clip_b";
    const Hypothesis found = Alone(clip, options);
    const auto tokens = Expected(name, "greedy with times");
    const int64_t window_ms = static_cast<int64_t>(features_[clip].size()) / 80 * 10;
    const auto stretches = DivideByTimes(tokens, model_->vocabulary(), window_ms);
    const auto texts = model_->Texts(found);
    ASSERT_EQ(texts.size(), stretches.size()) << name;
    std::vector<int32_t> words;
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(texts[i].text, model_->PlainText(stretches[i].words)) << name << ", " << i;
      EXPECT_EQ(texts[i].start_ms, stretches[i].start_ms) << name << ", " << i;
      EXPECT_EQ(texts[i].end_ms, stretches[i].end_ms) << name << ", " << i;
      for (const TextUnit& unit : texts[i].units) EXPECT_EQ(unit.start_ms, -1);
      words.insert(words.end(), stretches[i].words.begin(), stretches[i].words.end());
    }
    EXPECT_EQ(found.ids, words) << "times are no words";
    EXPECT_EQ(found.scores.size(), words.size());
  }
}

TEST_F(WhisperTest, APrefixStandsBehindTheFirstTime) {
  SearchOptions options = Greedy();
  options.prefix = "So";
  const auto prefix = model_->Translate(options)->prefix;
  options.without_timestamps = false;
  const auto decode = model_->Translate(options);
  EXPECT_NE(decode->prompt.back(), model_->vocabulary().no_timestamps);
  ASSERT_EQ(decode->prefix.size(), prefix.size() + 1);
  EXPECT_EQ(decode->prefix.front(), model_->vocabulary().first_time);
  EXPECT_TRUE(model_->Texts(Alone(1, options)).front().text.starts_with("So"));
}

TEST_F(WhisperTest, WordsHaveTimesAndProbabilitiesWhereTheyAreAskedFor) {
  SearchOptions options = Greedy();
  EXPECT_TRUE(Alone(1, options).words.empty());
  options.word_timestamps = true;
  for (const bool with_times : {false, true}) {
    options.without_timestamps = !with_times;
    const Hypothesis found = Alone(0, options);
    const auto texts = model_->Texts(found);
    EXPECT_EQ(texts.size() > 1, with_times);
    int64_t reached_ms = 0;
    for (const SegmentText& text : texts) {
      ASSERT_FALSE(text.units.empty());
      std::string spoken, written;
      for (const TextUnit& unit : text.units) {
        EXPECT_GE(unit.start_ms, reached_ms);
        EXPECT_GE(unit.end_ms, unit.start_ms);
        reached_ms = unit.end_ms;
        EXPECT_LT(unit.score, 0);
        spoken += unit.text;
      }
      std::ranges::copy_if(text.text, std::back_inserter(written), [](char c) { return c != ' '; });
      std::erase(spoken, ' ');
      if (!with_times) {  // which may cut letters
        EXPECT_EQ(spoken, written);
      }
    }
    EXPECT_LE(reached_ms, static_cast<int64_t>(features_[0].size()) / 8);
  }
}

TEST_F(WhisperTest, TimesOfWordsDoNotDependOnTheCompany) {
  SearchOptions options = Greedy();
  options.word_timestamps = true;
  const Hypothesis alone = Alone(1, options);
  ASSERT_FALSE(alone.words.empty());
  const auto decoding = model_->NewDecoding();
  std::vector<Decoding::Finished> finished;
  decoding->Admit({{Clip(0, options)}}, workspace_);
  decoding->Step(workspace_, finished);
  decoding->Admit({{Clip(1, options)}}, workspace_);
  while (!decoding->empty()) decoding->Step(workspace_, finished);
  const auto other = std::ranges::find(finished, 1, &Decoding::Finished::id);
  ASSERT_NE(other, finished.end());
  ASSERT_EQ(other->hypothesis->words.size(), alone.words.size());
  for (size_t i = 0; i < alone.words.size(); ++i) {
    EXPECT_EQ(other->hypothesis->words[i].text, alone.words[i].text);
    EXPECT_EQ(other->hypothesis->words[i].start_ms, alone.words[i].start_ms);
    EXPECT_EQ(other->hypothesis->words[i].end_ms, alone.words[i].end_ms);
    EXPECT_EQ(other->hypothesis->words[i].score, alone.words[i].score);
  }
}

TEST_F(WhisperTest, TextHasUnitsAtSpacesAndAtLettersThatStandAlone) {
  SearchOptions options;
  options.prefix = "So, it's 你好";
  const auto decode = model_->Translate(options);
  ASSERT_TRUE(decode.ok()) << decode.status();
  std::vector<float> scores(decode->prefix.size(), -0.5F);
  const SegmentText text = model_->Text({decode->prefix, scores, {}});
  EXPECT_EQ(text.text, "So, it's 你好");
  std::vector<std::string> units;
  for (const TextUnit& unit : text.units) {
    units.push_back(unit.text);
    EXPECT_FLOAT_EQ(unit.score, -0.5F);
    EXPECT_EQ(unit.start_ms, -1);
  }
  EXPECT_EQ(units, (std::vector<std::string>{"So,", "it's", "你", "好"}));
}

}  // namespace
}  // namespace tutti

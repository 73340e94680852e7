#include "models/whisper_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "checkpoint/model_package.h"
#include "checkpoint/whisper_package.h"
#include "tests/support/whisper.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using testing::kWhisperTiny;
using testing::ReadJson;
using testing::ReadNpy;
using testing::TinyWhisper;
using testing::TinyWhisperVocabulary;

int64_t Ms(const nlohmann::json& seconds) { return std::lround(seconds.get<double>() * 1000); }

// What the reference finds with the fixture's network of random weights, whose words have the strangest times.
class WhisperWordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto package = ModelPackage::Open(kWhisperTiny);
    ASSERT_TRUE(package.ok()) << package.status();
    auto whisper = WhisperPackage::From(*package);
    ASSERT_TRUE(whisper.ok()) << whisper.status();
    package_ = *std::move(whisper);
    ASSERT_TRUE(model_.decoder);
  }

  std::vector<WhisperWord> Find(const std::string& clip, const std::string& language,
                                const std::vector<int32_t>& text) {
    const auto encoded = ReadNpy(kWhisperTiny + clip + ".enc.npy");
    const CrossMemory memory = model_.decoder->Listen(encoded.values.data(), encoded.rows(), workspace_);
    std::vector<std::pair<int64_t, int64_t>> heads;
    for (const WhisperHead& head : package_->alignment_heads) heads.emplace_back(head.layer, head.head);
    const std::vector<int32_t> start = {package_->tokens.start, package_->FindLanguage(language)->token,
                                        package_->tokens.transcribe};
    const auto alignment = AlignWhisper(*model_.decoder, TinyWhisperVocabulary(), heads, memory, start, text,
                                        expected_[clip]["align"]["frames"], workspace_);
    return FindWords(package_->bpe, language, text, alignment);
  }

  static void ExpectWord(const WhisperWord& word, const nlohmann::json& text, const nlohmann::json& start,
                         const nlohmann::json& end, const nlohmann::json& probability) {
    EXPECT_EQ(word.text, text.get<std::string>());
    EXPECT_EQ(word.start_ms, Ms(start)) << text;
    EXPECT_EQ(word.end_ms, Ms(end)) << text;
    EXPECT_NEAR(word.probability, probability.get<float>(), 1e-3) << text;
  }

  // Rows of the fixture: text, tokens, start, end, probability.
  static void ExpectWords(const std::vector<WhisperWord>& words, const nlohmann::json& rows) {
    ASSERT_EQ(words.size(), rows.size());
    for (size_t i = 0; i < words.size(); ++i) {
      ExpectWord(words[i], rows[i][0], rows[i][2], rows[i][3], rows[i][4]);
      EXPECT_EQ(words[i].tokens, rows[i][1].size()) << rows[i];
    }
  }

  const nlohmann::json expected_ = ReadJson(kWhisperTiny + "expected.json");
  const TinyWhisper model_;
  std::optional<WhisperPackage> package_;
  Workspace workspace_;
};

TEST_F(WhisperWordsTest, AreCutTimedAndGivenTheirPunctuationAsTheReferenceDoesIt) {
  for (const std::string clip : {"clip_a", "clip_b"}) {
    for (const auto& given : expected_[clip]["words"]) {
      SCOPED_TRACE(given["text"]);
      const auto text = package_->bpe.Encode(given["text"].get<std::string>());
      ASSERT_TRUE(text.ok()) << text.status();
      std::vector<WhisperWord> words = Find(clip, given["language"], *text);
      ExpectWords(words, given["words"]);
      MergePunctuation(words);
      std::erase_if(words, [](const WhisperWord& word) { return word.text.empty(); });
      ExpectWords(words, given["merged"]);
    }
  }
}

TEST_F(WhisperWordsTest, OfStretchesAreThoseOfTheReference) {
  int compared = 0;
  for (const std::string clip : {"clip_a", "clip_b"}) {
    for (const auto& timed : expected_[clip]["timed"]) {
      if (!timed.contains("timed")) continue;  // bytes that are no text
      SCOPED_TRACE(timed);
      std::vector<WhisperStretch> stretches =
          DivideByTimes(timed["found"].get<std::vector<int32_t>>(), TinyWhisperVocabulary(),
                        expected_[clip]["align"]["frames"].get<int64_t>() * 10);
      std::vector<int32_t> text;
      for (const WhisperStretch& stretch : stretches) {
        text.insert(text.end(), stretch.words.begin(), stretch.words.end());
      }
      const auto words = WordsOfStretches(Find(clip, timed["language"], text), stretches);
      ASSERT_EQ(words.size(), timed["timed"].size());
      for (size_t i = 0; i < words.size(); ++i) {
        const auto& part = timed["timed"][i];
        EXPECT_EQ(stretches[i].start_ms, Ms(part["start"])) << i;
        EXPECT_EQ(stretches[i].end_ms, Ms(part["end"])) << i;
        ASSERT_EQ(words[i].size(), part["words"].size()) << i;
        for (size_t j = 0; j < words[i].size(); ++j) {
          const auto& word = part["words"][j];
          ExpectWord(words[i][j], word[0], word[1], word[2], word[3]);
        }
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, 10);
}

TEST_F(WhisperWordsTest, LettersOfSeveralTokensAreNotCut) {
  const auto text = package_->bpe.Encode("鱼 🎏");
  ASSERT_TRUE(text.ok());
  ASSERT_GT(text->size(), 5U) << "letters that the vocabulary has in pieces only";
  std::vector<std::string> words;
  for (const WhisperWord& word : Find("clip_b", "zh", *text)) words.push_back(word.text);
  EXPECT_THAT(words, ElementsAre("鱼", " ", "🎏"));
}

std::vector<std::string> Merged(const std::vector<std::string>& texts) {
  std::vector<WhisperWord> words;
  for (const std::string& text : texts) words.push_back({.text = text, .tokens = 1});
  MergePunctuation(words);
  std::vector<std::string> merged;
  size_t tokens = 0;
  for (const WhisperWord& word : words) {
    tokens += word.tokens;
    if (!word.text.empty()) merged.push_back(word.text);
  }
  EXPECT_EQ(tokens, texts.size());
  return merged;
}

TEST(PunctuationTest, OpensTheNextWordOrClosesTheLast) {
  EXPECT_THAT(Merged({" (", "one", ")", ",", " \"", "two", "\"", "."}), ElementsAre(" (one),", " \"two\"."));
  EXPECT_THAT(Merged({" ¿", "Qué", "?"}), ElementsAre(" ¿Qué?"));
  EXPECT_THAT(Merged({"好", "，", "去", "。"}), ElementsAre("好，", "去。"));
  EXPECT_THAT(Merged({" alone"}), ElementsAre(" alone"));
  EXPECT_THAT(Merged({}), ElementsAre());
}

TEST(StretchWordsTest, AFarTooLongWordAtASentencesEndIsShortened) {
  std::vector<WhisperStretch> stretches = {{.words = {1, 2, 3, 4, 5}, .start_ms = 0, .end_ms = 9000}};
  const auto words = WordsOfStretches({{" a", 1, 0, 300, 1},
                                       {" b", 1, 300, 600, 1},
                                       {".", 1, 600, 4000, 1},
                                       {" c", 1, 4000, 8000, 1},
                                       {" d", 1, 8000, 8300, 1}},
                                      stretches);
  ASSERT_EQ(words.size(), 1U);
  EXPECT_THAT(words[0], ElementsAre(WhisperWord{" a", 1, 0, 300, 1}, WhisperWord{" b.", 2, 300, 600, 1},
                                    WhisperWord{" c", 1, 7400, 8000, 1}, WhisperWord{" d", 1, 8000, 8300, 1}));
  EXPECT_EQ(stretches[0].end_ms, 8300);
}

TEST(StretchWordsTest, AStretchIsBelievedWhereAWordReachesFarOutOfIt) {
  std::vector<WhisperStretch> stretches = {{.words = {1}, .start_ms = 0, .end_ms = 1000},
                                           {.words = {2, 3}, .start_ms = 4000, .end_ms = 5000}};
  const auto words =
      WordsOfStretches({{" a", 1, 100, 400, 1}, {" b", 1, 3400, 4100, 1}, {" c", 1, 4100, 6000, 1}}, stretches);
  EXPECT_THAT(words[0], ElementsAre(WhisperWord{" a", 1, 100, 400, 1}));
  EXPECT_EQ(std::pair(stretches[0].start_ms, stretches[0].end_ms), (std::pair<int64_t, int64_t>(100, 400)));
  // Words last 700 ms by the middle.
  EXPECT_THAT(words[1], ElementsAre(WhisperWord{" b", 1, 3400, 4100, 1}, WhisperWord{" c", 1, 4100, 5000, 1}));
  EXPECT_EQ(std::pair(stretches[1].start_ms, stretches[1].end_ms), (std::pair<int64_t, int64_t>(4000, 5000)));
}

TEST(StretchWordsTest, StretchesWithoutWordsKeepTheirTimes) {
  std::vector<WhisperStretch> stretches = {{.words = {1}, .start_ms = 0, .end_ms = 1000}};
  EXPECT_THAT(WordsOfStretches({}, stretches), ElementsAre(ElementsAre()));
  EXPECT_EQ(stretches[0].end_ms, 1000);
  EXPECT_TRUE(WordsOfStretches({}, {}).empty());
}

}  // namespace
}  // namespace tutti

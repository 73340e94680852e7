#include "checkpoint/bpe_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "checkpoint/byte_letters.h"
#include "checkpoint/model_package.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string TextOf(const std::string& path) {
  auto text = ReadFile(TUTTI_SOURCE_DIR "/" + path);
  EXPECT_TRUE(text.ok()) << text.status() << " (make fetches it)";
  return text.ok() ? *std::move(text) : "";
}

template <typename T>
std::string ErrorOf(const absl::StatusOr<T>& result) {
  return result.ok() ? "no error" : Message(result.status());
}

TEST(MergesOfWordsTest, TheyAreTheMergesThatTheTokenizersState) {
  for (const std::string name : {".cache/models/whisper-base", "tests/data/fixtures/whisper_tiny"}) {
    const std::vector<std::string> tokens = ParseTokensText(TextOf(name + "/vocabulary.txt"));
    const auto stated = ParseTokenizerJson(TextOf(name + "/tokenizer.json"), tokens, "tokenizer.json");
    ASSERT_TRUE(stated.ok()) << stated.status();
    const auto end = std::ranges::find(tokens, "<|endoftext|>") - tokens.begin();
    std::vector<std::string> merges = MergesOfWords(std::span(tokens).first(static_cast<size_t>(end)));
    // The published file lacks the first merge, as if it were merges.txt's first line; OpenAI's package has it.
    if (stated->merges.front() != merges.front()) {
      EXPECT_EQ(merges.front(), "Ġ t");
      merges.erase(merges.begin());
    }
    EXPECT_EQ(merges, stated->merges) << name;
  }
}

TEST(MergesOfWordsTest, AWordIsMadeOfTheTwoThatEarlierOnesLeave) {
  const std::vector<std::string> words = {"a", "b", "c", "ab", "abc", "bc", "", "abab", "d", "Ġa"};
  EXPECT_THAT(MergesOfWords(words), ElementsAre("a b", "ab c", "b c", "ab ab", "Ġ a"))
      << "abc was made of ab and c, whatever came later";
  EXPECT_THAT(MergesOfWords(std::vector<std::string>{"a", "aaa"}), IsEmpty()) << "nothing makes aa";
}

TEST(TiktokenTest, ItsLinesAreWordsInTheOrderOfTheirMerges) {
  const auto parsed = ParseTiktoken("IQ== 0\nxA== 1\r\nIcQ= 2\n= 3\n", "a.tiktoken");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->tokens, ElementsAre(Pair(0, "!"), Pair(1, "Ä"), Pair(2, "!Ä"), Pair(3, "")));
  EXPECT_THAT(parsed->tables.merges, ElementsAre("! Ä"));
  EXPECT_THAT(parsed->tables.added, IsEmpty());
}

TEST(TiktokenTest, WhatIsMalformedIsNamedByItsLine) {
  const auto error = [](std::string_view text) { return ErrorOf(ParseTiktoken(text, "a.tiktoken")); };
  EXPECT_THAT(error("IQ== 0\nIQ=="), AllOf(HasSubstr("a.tiktoken: line 2"), HasSubstr("expected base64 and a number")));
  EXPECT_THAT(error("!! 0"), HasSubstr("line 1: \"!! 0\""));
  EXPECT_THAT(error("I 0"), HasSubstr("line 1"));
  EXPECT_THAT(error("IQ== 0x"), HasSubstr("line 1"));
  EXPECT_THAT(error("IQ== -1"), HasSubstr("token -1"));
  EXPECT_THAT(error("IQ== 99999999999999999999"), HasSubstr("line 1"));
  EXPECT_THAT(error("IQ== 0\nIg== 0"), HasSubstr("token 0 is \"!\" and"));
  EXPECT_THAT(error("IQ== 1"), HasSubstr("1 words, expected their numbers to be 0 to 0"));
  EXPECT_THAT(error(""), HasSubstr("0 words"));
}

TEST(VocabularyFilesTest, TheyHoldWordsMergesAndWhatIsTakenWhole) {
  const auto parsed = ParseVocabularyFiles({R"({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3})",
                                            "#version: 0.2\na b\r\n\n", R"({"<|de|>": 5, "<|en|>": 4, "<|0.00|>": 6})"},
                                           "dir");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->tokens, ElementsAre(Pair(0, "a"), Pair(1, "b"), Pair(2, "ab"), Pair(3, "<|endoftext|>"),
                                          Pair(4, "<|en|>"), Pair(5, "<|de|>"), Pair(6, "<|0.00|>")));
  EXPECT_THAT(parsed->tables.merges, ElementsAre("a b"));
  EXPECT_THAT(parsed->tables.added, ElementsAre("<|endoftext|>", "<|en|>", "<|de|>"));
  const auto error = [](const VocabularyFiles& files) { return ErrorOf(ParseVocabularyFiles(files, "dir")); };
  EXPECT_THAT(error({"[]", "", ""}), AllOf(HasSubstr("dir: vocab.json"), HasSubstr("array")));
  EXPECT_THAT(error({"{", "", ""}), HasSubstr("vocab.json"));
  EXPECT_THAT(error({R"({"a": -1})", "", ""}), HasSubstr("\"a\" is token \"-1\""));
  EXPECT_THAT(error({R"({"a": 18446744073709551615})", "", ""}), HasSubstr("expected 0 to"));
  EXPECT_THAT(error({R"({"a": 0})", "", R"({"b": 0})"}), AllOf(HasSubstr("added_tokens.json"), HasSubstr("token 0")));
}

TEST(TokenizerVocabularyTest, ItIsThatOfThePackageThatHasAListBesides) {
  for (const std::string name : {".cache/models/whisper-base", "tests/data/fixtures/whisper_tiny"}) {
    const std::vector<std::string> tokens = ParseTokensText(TextOf(name + "/vocabulary.txt"));
    const auto own = ParseTokenizerVocabulary(TextOf(name + "/tokenizer.json"), "tokenizer.json");
    ASSERT_TRUE(own.ok()) << own.status();
    const auto completed = CompleteVocabulary(own->tokens, static_cast<int64_t>(tokens.size()), "tokenizer.json");
    ASSERT_TRUE(completed.ok()) << completed.status();
    EXPECT_EQ(*completed, tokens) << name;
    const auto stated = ParseTokenizerJson(TextOf(name + "/tokenizer.json"), tokens, "tokenizer.json");
    ASSERT_TRUE(stated.ok()) << stated.status();
    EXPECT_EQ(own->tables.merges, stated->merges);
    EXPECT_EQ(own->tables.added, stated->added);
  }
}

TEST(TokenizerVocabularyTest, TwoTextsOfOneTokenAreRefused) {
  const auto error = [](const std::string& model) {
    return ErrorOf(ParseTokenizerVocabulary(
        R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, )" + model + "}", "tokenizer.json"));
  };
  EXPECT_EQ(error(R"("model": {"vocab": {"a": 0, "b": 5}, "merges": []})"), "no error");
  EXPECT_THAT(error(R"("model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"id": 0, "content": "b"}])"),
              AllOf(HasSubstr("tokenizer.json: added_tokens: token 0"), HasSubstr("\"b\"")));
  EXPECT_THAT(error(R"("model": {"vocab": {"a": 4000000}, "merges": []})"), HasSubstr("expected a number below"));
  EXPECT_THAT(error(R"("model": {"vocab": {"a": "0"}, "merges": []})"), HasSubstr("model.vocab: \"a\""));
}

TEST(CompleteVocabularyTest, TimesFollowAndNothingElseMayBeMissing) {
  const std::map<int64_t, std::string> known = {{0, "a"}, {1, "<|notimestamps|>"}, {4, "<|0.04|>"}};
  const auto all = CompleteVocabulary(known, 54, "dir");
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ((*all)[2], "<|0.00|>");
  EXPECT_EQ((*all)[53], "<|1.02|>");
  EXPECT_THAT(ErrorOf(CompleteVocabulary(known, 3, "dir")), HasSubstr("token 4 of \"<|0.04|>\", but the model has 3"));
  EXPECT_THAT(ErrorOf(CompleteVocabulary({{1, "<|notimestamps|>"}}, 3, "dir")), HasSubstr("dir: no token 0"));
  EXPECT_THAT(ErrorOf(CompleteVocabulary({{0, "a"}}, 2, "dir")), HasSubstr("no token 1"));
  EXPECT_EQ(TimeToken(1500), "<|30.00|>");
}

TEST(ByteLettersTest, EachByteHasALetterOfItsOwn) {
  EXPECT_EQ(InLetters(" a\n\xC3\xA4\xFF"), "ĠaĊÃ¤ÿ");
  std::vector<std::string> letters = LettersOfBytes();
  std::ranges::sort(letters);
  EXPECT_EQ(std::ranges::unique(letters).size(), 0u);
}

}  // namespace
}  // namespace tutti

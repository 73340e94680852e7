#include "checkpoint/byte_bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "checkpoint/model_package.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kFixtures = TUTTI_SOURCE_DIR "/tests/data/fixtures/";
const std::string kTinyBpe = kFixtures + "whisper_tiny";
const std::string kBaseBpe = TUTTI_SOURCE_DIR "/.cache/models/whisper-base";

struct Opened {
  std::vector<std::string> vocabulary;
  ByteBpe bpe;
};
// Of a package with vocabulary.txt and tokenizer.json.
absl::StatusOr<Opened> OpenBpe(const std::string& directory) {
  TUTTI_ASSIGN_OR_RETURN(const std::string lines, ReadFile(directory + "/vocabulary.txt"));
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(directory + "/tokenizer.json"));
  std::vector<std::string> vocabulary = ParseTokensText(lines);
  TUTTI_ASSIGN_OR_RETURN(const BpeTables tables, ParseTokenizerJson(text, vocabulary, "tokenizer.json"));
  const auto end = std::ranges::find(vocabulary, "<|endoftext|>") - vocabulary.begin();
  TUTTI_ASSIGN_OR_RETURN(ByteBpe bpe, ByteBpe::Make(vocabulary, static_cast<int32_t>(end), tables));
  return Opened{std::move(vocabulary), std::move(bpe)};
}

// The package's name in expected_bpe.json and where it is.
using Package = std::pair<std::string, std::string>;
class ByteBpeOfPackageTest : public ::testing::TestWithParam<Package> {
 protected:
  void SetUp() override {
    auto opened = OpenBpe(GetParam().second);
    ASSERT_TRUE(opened.ok()) << opened.status() << " (make fetches it)";
    bpe_ = std::make_unique<ByteBpe>(std::move(opened->bpe));
    expected_ = json::parse(testing::BytesOf(kFixtures + "expected_bpe.json")).at(GetParam().first);
  }

  std::unique_ptr<ByteBpe> bpe_;
  json expected_;
};
INSTANTIATE_TEST_SUITE_P(, ByteBpeOfPackageTest,
                         ::testing::Values(Package("whisper_tiny", kTinyBpe), Package("whisper-base", kBaseBpe)),
                         [](const auto& test) { return test.param.first == "whisper-base" ? "Base" : "Tiny"; });

TEST_P(ByteBpeOfPackageTest, TextBecomesTheTokensOfHuggingFacesTokenizers) {
  ASSERT_GT(expected_.at("encode").size(), 80u);
  for (const json& pair : expected_.at("encode")) {
    const auto text = pair[0].get<std::string>();
    const auto tokens = bpe_->Encode(text);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    EXPECT_EQ(*tokens, pair[1].get<std::vector<int32_t>>()) << json(text);
  }
}

TEST_P(ByteBpeOfPackageTest, TokensBecomeTheTextOfHuggingFacesTokenizers) {
  ASSERT_GT(expected_.at("decode").size(), 20u);
  for (const json& pair : expected_.at("decode")) {
    EXPECT_EQ(bpe_->Text(pair[0].get<std::vector<int32_t>>()), pair[1].get<std::string>()) << pair[0];
  }
}

TEST_P(ByteBpeOfPackageTest, ATextComesBackFromItsTokens) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int n = 0; n < 30; ++n) {
      // Letters of one to four bytes; surrogates are none.
      const auto letter = static_cast<char32_t>(random() % (1U << (7 + random() % 14)) % 0x110000);
      if (letter < 0x80) {
        text += static_cast<char>(letter);
      } else if (letter < 0x800) {
        text += {static_cast<char>(0xC0 | letter >> 6), static_cast<char>(0x80 | (letter & 63))};
      } else if (letter < 0x10000 && (letter < 0xD800 || letter > 0xDFFF)) {
        text += {static_cast<char>(0xE0 | letter >> 12), static_cast<char>(0x80 | (letter >> 6 & 63)),
                 static_cast<char>(0x80 | (letter & 63))};
      } else if (letter >= 0x10000) {
        text += {static_cast<char>(0xF0 | letter >> 18), static_cast<char>(0x80 | (letter >> 12 & 63)),
                 static_cast<char>(0x80 | (letter >> 6 & 63)), static_cast<char>(0x80 | (letter & 63))};
      }
    }
    const auto tokens = bpe_->Encode(text);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    EXPECT_EQ(bpe_->Text(*tokens), text);
    std::string pieces;
    size_t count = 0;
    for (const ByteBpe::Group& group : bpe_->Letters(*tokens)) {
      EXPECT_EQ(group.text.find("\uFFFD") == group.text.npos || text.find("\uFFFD") != text.npos, true);
      pieces += group.text;
      count += group.tokens;
    }
    EXPECT_EQ(pieces, text);
    EXPECT_EQ(count, tokens->size());
  }
}

// 256 bytes as words 0 to 255, then what a test adds.
std::vector<std::string> ByteVocabulary() {
  std::vector<std::string> vocabulary;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    const unsigned letter = printable ? byte : next++;
    vocabulary.push_back(
        letter < 0x80 ? std::string(1, static_cast<char>(letter))
                      : std::string{static_cast<char>(0xC0 | letter >> 6), static_cast<char>(0x80 | (letter & 63))});
  }
  return vocabulary;
}

TEST(ByteBpeTest, TheEarliestMergeOfTheListComesFirstAndOfOneTheLeftmost) {
  auto vocabulary = ByteVocabulary();
  for (const char* word : {"bc", "ab", "abc", "aa", "aaa"}) vocabulary.emplace_back(word);
  const auto bpe = ByteBpe::Make(vocabulary, 261, {.merges = {"b c", "a b", "ab c", "a a", "aa a"}, .added = {}});
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  EXPECT_THAT(*bpe->Encode("abc"), ElementsAre('a', 256));
  EXPECT_THAT(*bpe->Encode("ab"), ElementsAre(257));
  EXPECT_THAT(*bpe->Encode("aaaa"), ElementsAre(259, 259));
  EXPECT_THAT(*bpe->Encode("aaaaa"), ElementsAre(259, 260));
  EXPECT_THAT(*bpe->Encode("a b"), ElementsAre('a', ' ', 'b')) << "nothing is merged across a split";
}

TEST(ByteBpeTest, TheLongestAddedTokenThatBeginsFirstIsTaken) {
  auto vocabulary = ByteVocabulary();
  for (const char* token : {"<|a|>", "<|a|><", "|><|b", ""}) vocabulary.emplace_back(token);
  const auto bpe = ByteBpe::Make(vocabulary, 256, {.merges = {}, .added = {"<|a|>", "<|a|><", "|><|b"}});
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  EXPECT_THAT(*bpe->Encode("x<|a|>y"), ElementsAre('x', 256, 'y'));
  EXPECT_THAT(*bpe->Encode("<|a|><|b"), ElementsAre(257, '|', 'b'));
  EXPECT_EQ(bpe->Text(*bpe->Encode("x<|a|>y")), "xy") << "it is no word";
}

TEST(ByteBpeTest, TextThatIsNoUtf8IsRefusedWithItsPlace) {
  const auto bpe = ByteBpe::Make(ByteVocabulary(), 256, {});
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  for (const char* wrong : {"ab\x80", "ab\xC0\x80", "ab\xE4\xBD", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80"}) {
    EXPECT_EQ(Message(bpe->Encode(wrong).status()), "text: byte 2 is no UTF-8")
        << json(wrong).dump(-1, ' ', true, json::error_handler_t::replace);
  }
}

TEST(ByteBpeTest, LettersOfSeveralTokensStayTogetherAndBrokenOnesStandAlone) {
  const auto bpe = ByteBpe::Make(ByteVocabulary(), 256, {});
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  const auto groups = [&](const std::vector<int32_t>& tokens) {
    std::vector<std::pair<size_t, std::string>> found;
    for (const auto& group : bpe->Letters(tokens)) found.emplace_back(group.tokens, group.text);
    return found;
  };
  using Groups = std::vector<std::pair<size_t, std::string>>;
  EXPECT_EQ(groups({'a', 0xE4, 0xBD, 0xA0, 'b'}), (Groups{{1, "a"}, {3, "你"}, {1, "b"}}));
  EXPECT_EQ(groups({0xBD, 'a', 0xE4}), (Groups{{1, "\uFFFD"}, {1, "a"}, {1, "\uFFFD"}}));
  EXPECT_EQ(groups({'a', 1000, -1, 'b'}), (Groups{{1, "a"}, {1, ""}, {1, ""}, {1, "b"}})) << "tokens that are no words";
  EXPECT_EQ(groups({}), Groups());
}

TEST(ByteBpeTest, WrongTablesAreRefusedByName) {
  const auto error = [](const std::vector<std::string>& vocabulary, int32_t words, const BpeTables& tables) {
    const auto bpe = ByteBpe::Make(vocabulary, words, tables);
    return bpe.ok() ? "no error" : Message(bpe.status());
  };
  auto vocabulary = ByteVocabulary();
  EXPECT_EQ(error(vocabulary, 256, {}), "no error");
  EXPECT_THAT(error(vocabulary, 257, {}), HasSubstr("256 tokens, 257 of them words"));
  EXPECT_THAT(error(vocabulary, 200, {}), HasSubstr("no word for byte 200"));
  EXPECT_THAT(error(vocabulary, 256, {.merges = {"a b"}, .added = {}}), HasSubstr("merge 0: \"a b\""));
  EXPECT_THAT(error(vocabulary, 256, {.merges = {"ab"}, .added = {}}), HasSubstr("merge 0: \"ab\""));
  EXPECT_THAT(error(vocabulary, 256, {.merges = {}, .added = {"<|x|>"}}), HasSubstr("added token \"<|x|>\""));
  vocabulary.emplace_back("a");
  EXPECT_THAT(error(vocabulary, 256, {}), HasSubstr("tokens 97 and 256 are both \"a\""));
}

// tokenizer.json of two words and a special token, with `patch` merged over it.
std::string TokenizerError(const char* patch) {
  json document = {{"added_tokens", {{{"id", 3}, {"content", "<|x|>"}}}},
                   {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                   {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}}}, {"merges", {"a b"}}}}};
  document.merge_patch(json::parse(patch));
  const std::vector<std::string> vocabulary = {"a", "b", "ab", "<|x|>"};
  const auto tables = ParseTokenizerJson(document.dump(), vocabulary, "tokenizer.json");
  return tables.ok() ? "no error" : Message(tables.status());
}

TEST(TokenizerJsonTest, OtherTokenizersAreRefusedByName) {
  EXPECT_EQ(TokenizerError("{}"), "no error");
  EXPECT_THAT(TokenizerError(R"({"model": {"type": "Unigram"}})"),
              AllOf(HasSubstr("tokenizer.json: model.type: "), HasSubstr("Unigram")));
  EXPECT_THAT(TokenizerError(R"({"pre_tokenizer": {"type": "Metaspace"}})"), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(TokenizerError(R"({"pre_tokenizer": {"add_prefix_space": true}})"), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(TokenizerError(R"({"pre_tokenizer": {"use_regex": false}})"), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(TokenizerError(R"({"normalizer": {"type": "NFC"}})"), HasSubstr("normalizer"));
  EXPECT_THAT(TokenizerError(R"({"model": {"ignore_merges": true}})"), HasSubstr("model.ignore_merges"));
  EXPECT_THAT(TokenizerError(R"({"model": {"dropout": 0.1}})"), HasSubstr("model.dropout"));
  EXPECT_EQ(TokenizerError(R"({"model": {"dropout": 0.0, "unk_token": "<|x|>"}})"), "no error");
  EXPECT_THAT(TokenizerError(R"({"model": {"end_of_word_suffix": "</w>"}})"), HasSubstr("model.end_of_word_suffix"));
  EXPECT_THAT(TokenizerError(R"({"added_tokens": [{"id": 3, "content": "<|x|>", "lstrip": true}]})"),
              HasSubstr("added_tokens[0]: lstrip"));
}

TEST(TokenizerJsonTest, WhatTheVocabularyContradictsIsRefusedByName) {
  EXPECT_THAT(TokenizerError(R"({"model": {"vocab": {"a": 1}}})"),
              HasSubstr("model.vocab: \"a\" is token \"1\", the vocabulary of 4 has \"b\""));
  EXPECT_THAT(TokenizerError(R"({"model": {"vocab": {"a": 4}}})"), HasSubstr("no such token"));
  EXPECT_THAT(TokenizerError(R"({"model": {"vocab": {"a": [[]]}}})"), HasSubstr("is token \"[[]]\""));
  EXPECT_THAT(TokenizerError(R"({"model": {"vocab": [1]}})"), HasSubstr("model.vocab: expected a map"));
  EXPECT_THAT(TokenizerError(R"({"model": {"merges": {"a": "b"}}})"), HasSubstr("model.merges: expected a list"));
  EXPECT_THAT(TokenizerError(R"({"model": {"merges": ["a b", ["a"]]}})"), HasSubstr("model.merges[1]"));
  EXPECT_THAT(TokenizerError(R"({"added_tokens": [{"id": 2, "content": "<|x|>"}]})"), HasSubstr("added_tokens[0]"));
  EXPECT_THAT(TokenizerError(R"({"added_tokens": [{"id": 3}]})"), HasSubstr("added_tokens[0]: content"));
  EXPECT_THAT(Message(ParseTokenizerJson("{", {}, "tokenizer.json").status()), HasSubstr("tokenizer.json: "));
  EXPECT_EQ(TokenizerError(R"({"model": {"merges": [["a", "b"]]}})"), "no error");
}

}  // namespace
}  // namespace tutti

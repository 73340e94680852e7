#include "checkpoint/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Config Parse(std::string_view text) {
  auto config = Config::ParseYaml(text, "config.yaml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config();
}

std::string ParseError(std::string_view text) {
  const auto config = Config::ParseYaml(text, "config.yaml");
  return config.ok() ? "no error" : Message(config.status());
}

TEST(ConfigTest, DottedPathsReachIntoMaps) {
  const Config config = Parse("a:\n  b:\n    c: 3\nd: {e: [1, 2.0, -3]}\n");
  EXPECT_EQ(*config.GetInt("a.b.c", 0), 3);
  EXPECT_THAT(*config.GetInts("d.e", {}), ElementsAre(1, 2, -3));
  EXPECT_TRUE(config.Has("a.b"));
  EXPECT_FALSE(config.Has("a.c"));
  EXPECT_FALSE(config.Has("a.b.c.d"));
  EXPECT_EQ(config.source_name(), "config.yaml");
}

TEST(ConfigTest, AMissingKeyOrANullYieldsTheFallback) {
  const Config config = Parse("none: null\ntilde: ~\nempty:\n");
  for (const char* key : {"none", "tilde", "empty", "missing", "missing.deep", "empty.deep"}) {
    EXPECT_FALSE(config.Has(key)) << key;
    EXPECT_EQ(*config.GetInt(key, 7), 7) << key;
    EXPECT_EQ(*config.GetString(key, "x"), "x") << key;
    EXPECT_THAT(*config.GetStrings(key, {"y"}), ElementsAre("y")) << key;
  }
  EXPECT_EQ(*Config().GetDouble("x", 0.5), 0.5);
}

TEST(ConfigTest, NumbersAreReadWhateverTheirSpelling) {
  const Config config = Parse("i: 3.0\nj: +4\nneg: -100.0\nsmall: 1e-12\nhuge: 9007199254740993\n");
  EXPECT_EQ(*config.GetInt("i", 0), 3);
  EXPECT_EQ(*config.GetInt("j", 0), 4);
  EXPECT_EQ(*config.GetInt("neg", 0), -100);
  EXPECT_EQ(*config.GetInt("huge", 0), 9007199254740993);
  EXPECT_EQ(*config.GetDouble("small", 0), 1e-12);
  EXPECT_EQ(*config.GetDouble("i", 0), 3.0);
}

TEST(ConfigTest, BooleansAreThoseOfYaml11) {
  for (const char* word : {"true", "True", "yes", "on"})
    EXPECT_TRUE(*Parse(fmt::format("x: {}", word)).GetBool("x", false));
  for (const char* word : {"false", "False", "NO", "off"})
    EXPECT_FALSE(*Parse(fmt::format("x: {}", word)).GetBool("x", true));
  for (const char* word : {"1", "'true'", "tRUE", "[true]"})
    EXPECT_FALSE(Parse(fmt::format("x: {}", word)).GetBool("x", true).ok()) << word;
}

TEST(ConfigTest, AWrongTypeNamesFileKeyValueAndExpectation) {
  const Config config =
      Parse("frontend_conf:\n  n_mels: eighty\n  list: [1, x]\nmap: {a: 1}\nquoted: '3'\ninf: .inf\nbig: 1e400\n");
  EXPECT_EQ(Message(config.GetInt("frontend_conf.n_mels", 80).status()),
            "config.yaml: frontend_conf.n_mels: found \"eighty\", expected an integer");
  EXPECT_THAT(Message(config.GetInts("frontend_conf.list", {}).status()),
              HasSubstr("frontend_conf.list[1]: found \"x\""));
  EXPECT_THAT(Message(config.GetString("map", "").status()), HasSubstr("found a map of 1, expected text"));
  EXPECT_THAT(Message(config.GetStrings("map", {}).status()), HasSubstr("expected a list"));
  EXPECT_THAT(Message(config.GetInt("frontend_conf.n_mels.x", 1).status()),
              HasSubstr("frontend_conf.n_mels: found \"eighty\", expected a map"));
  EXPECT_FALSE(config.GetInt("quoted", 0).ok());
  EXPECT_EQ(*config.GetString("quoted", ""), "3");
  EXPECT_FALSE(config.GetDouble("inf", 0).ok());
  EXPECT_FALSE(config.GetDouble("big", 0).ok());
}

TEST(ConfigTest, ARangeIsPartOfTheError) {
  const Config config = Parse("n: 3");
  EXPECT_EQ(*config.GetIntBetween("n", 1, 3, 3), 3);
  EXPECT_EQ(Message(config.GetIntBetween("n", 1, 4, 9).status()), "config.yaml: n: found 3, expected 4 to 9");
}

TEST(ConfigTest, WithSetsOneValueInACopy) {
  const Config before = Parse("a: {b: 1, c: 2}\ns: 3");
  const Config after = *before.With("a.b", "x")->With("new.deep.key", "y");
  EXPECT_EQ(*after.GetString("a.b", ""), "x");
  EXPECT_EQ(*after.GetInt("a.c", 0), 2);
  EXPECT_EQ(*after.GetString("new.deep.key", ""), "y");
  EXPECT_EQ(*before.GetInt("a.b", 0), 1);
  EXPECT_FALSE(before.With("s.t", "x").ok());
}

TEST(ConfigTest, TopLevelKeysLieOverTheModelsOptions) {
  const Config config = Parse("model_conf: {a: 1, b: 2}\nb: 3\nc: 4\nscalar: 5");
  const Config options = *config.Overlay("model_conf");
  EXPECT_EQ(*options.GetInt("a", 0), 1);
  EXPECT_EQ(*options.GetInt("b", 0), 3);
  EXPECT_EQ(*options.GetInt("c", 0), 4);
  EXPECT_EQ(*config.Overlay("missing")->GetInt("b", 0), 3);
  EXPECT_FALSE(config.Overlay("scalar").ok());
}

TEST(ConfigTest, QuotedAndUnquotedChineseIsKept) {
  const Config config = Parse("tokens: [\"的\", 一, '<unk>', \"\\u662f\"]\n");
  EXPECT_THAT(*config.GetStrings("tokens", {}), ElementsAre("的", "一", "<unk>", "是"));
}

TEST(ConfigTest, AliasesShareAValueAndCostNothing) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) bomb += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  const Config config = Parse(bomb + "plain: &p {k: 1}\ncopy: *p\n");
  EXPECT_EQ(*config.GetInt("copy.k", 0), 1);
  EXPECT_TRUE(config.Has("a39"));
}

TEST(ConfigTest, WhatIsNoConfigIsRefusedWithItsPlace) {
  EXPECT_THAT(ParseError("a: [1, 2"), AllOf(HasSubstr("config.yaml: line "), HasSubstr("YAML")));
  EXPECT_THAT(ParseError("a: 1\n b: 2\n"), HasSubstr("line 2"));
  EXPECT_THAT(ParseError("a: 1\na: 2\n"), AllOf(HasSubstr("line 2"), HasSubstr("key \"a\" twice")));
  EXPECT_THAT(ParseError("a: *nothing"), HasSubstr("line 1"));
  EXPECT_THAT(ParseError("a: &a [*a]"), HasSubstr("alias within the value"));
  EXPECT_THAT(ParseError("[1]: 2"), HasSubstr("not a scalar"));
  EXPECT_THAT(ParseError("- 1\n- 2\n"), HasSubstr("found a list of 2, expected a map"));
  EXPECT_THAT(ParseError("just text"), HasSubstr("expected a map"));
  EXPECT_EQ(ParseError(""), "no error");
}

TEST(ConfigTest, DeepNestingIsRefusedBeforeItCostsAnything) {
  EXPECT_THAT(ParseError("a: " + std::string(100, '[') + std::string(100, ']')), HasSubstr("nested deeper than 64"));
  for (const char* opener : {"[", "{", "- ", "? ", "[{", "!!a ", "&a ", "'", "{a: ", "[a: ", "{? "}) {
    std::string flood;
    while (flood.size() < 200'000) flood += opener;
    EXPECT_THAT(ParseError(flood), HasSubstr("config.yaml: ")) << opener;
  }
  std::string stairs;
  for (int i = 0; i < 500; ++i) stairs += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(ParseError(stairs), HasSubstr("nested deeper than 64"));
}

TEST(ConfigTest, ADocumentOfAbsurdSizeIsRefused) {
  EXPECT_THAT(ParseError(std::string(2 << 20, ' ')), HasSubstr("bytes of YAML"));
}

}  // namespace
}  // namespace tutti

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/model_package.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TokensTest, AJsonArrayIsTheListById) {
  EXPECT_THAT(*ParseTokensJson(R"(["<blank>", "的", "a@@", "\"", ""])", "tokens.json"),
              ElementsAre("<blank>", "的", "a@@", "\"", ""));
}

TEST(TokensTest, WrongJsonNamesFileAndToken) {
  const auto error = [](std::string_view text) { return Message(ParseTokensJson(text, "tokens.json").status()); };
  EXPECT_THAT(error("{}"), HasSubstr("tokens.json: found a JSON object, expected an array"));
  EXPECT_THAT(error(R"(["a", null])"), HasSubstr("tokens.json: token 1: found a JSON null"));
  EXPECT_THAT(error(R"(["a")"), HasSubstr("tokens.json: "));
  EXPECT_THAT(error("[\"\xff\"]"), HasSubstr("UTF-8"));
  EXPECT_THAT(error(std::string(1'000'000, '[')), HasSubstr("tokens.json: "));
}

TEST(TokensTest, ATextHasOneTokenALine) {
  EXPECT_THAT(ParseTokensText("<blank>\n的 \r\n\n▁the\n"), ElementsAre("<blank>", "的", "", "▁the"));
  EXPECT_THAT(ParseTokensText("a"), ElementsAre("a"));
  EXPECT_THAT(ParseTokensText(""), IsEmpty());
}

TEST(SegDictTest, ALineIsAWordAndItsPieces) {
  const SegDict words = ParseSegDict("hello he@@ llo\r\n\n  alone \nhello\thel@@ lo\n");
  EXPECT_EQ(words.size(), 2u);
  EXPECT_THAT(words.at("hello"), ElementsAre("hel@@", "lo")) << "the last line wins";
  EXPECT_THAT(words.at("alone"), IsEmpty());
}

}  // namespace
}  // namespace tutti

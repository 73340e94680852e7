#include "base/language_names.h"

#include <gtest/gtest.h>

#include "checkpoint/model_package.h"
#include "checkpoint/whisper_package.h"

namespace tutti {
namespace {

TEST(LanguageNamesTest, ACodeHasItsEnglishName) {
  EXPECT_EQ(LanguageName("en"), "english");
  EXPECT_EQ(LanguageName("yue"), "cantonese");
  EXPECT_EQ(LanguageName("zh"), "chinese");
  EXPECT_EQ(LanguageName("af"), "afrikaans");
  EXPECT_EQ(LanguageName("xx"), "");
  EXPECT_EQ(LanguageName(""), "");
}

TEST(LanguageNamesTest, CodesAndNamesOfWhateverCaseGiveTheCode) {
  EXPECT_EQ(LanguageCode("EN"), "en");
  EXPECT_EQ(LanguageCode("Haitian Creole"), "ht");
  EXPECT_EQ(LanguageCode("mandarin"), "zh");
  EXPECT_EQ(LanguageCode("jv"), "jw");
  EXPECT_EQ(LanguageCode("Klingon"), "klingon");
  EXPECT_EQ(LanguageCode(""), "");
}

TEST(LanguageNamesTest, EachLanguageOfWhisperHasANameThatLeadsBackToIt) {
  const auto package = ModelPackage::Open(TUTTI_SOURCE_DIR "/.cache/models/whisper-base");
  ASSERT_TRUE(package.ok()) << package.status();
  const auto whisper = WhisperPackage::From(*package);
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  EXPECT_EQ(whisper->languages.size(), 99U);
  for (const WhisperLanguage& language : whisper->languages) {
    EXPECT_NE(LanguageName(language.code), "") << language.code;
    EXPECT_EQ(LanguageCode(LanguageName(language.code)), language.code);
  }
}

}  // namespace
}  // namespace tutti

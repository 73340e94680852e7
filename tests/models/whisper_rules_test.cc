#include "models/whisper_rules.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/support/whisper.h"

namespace tutti {
namespace {

// 10 words, an end, a start, no times, times from 13 to 19.
WhisperVocabulary SmallTokens() {
  WhisperVocabulary tokens;
  tokens.end = 10;
  tokens.start = 11;
  tokens.no_timestamps = 12;
  tokens.first_time = 13;
  tokens.vocabulary = 20;
  tokens.suppress_begin = {0, 10};
  return tokens;
}

constexpr float kForbidden = std::numeric_limits<float>::lowest();

class WhisperRulesTest : public ::testing::Test {
 protected:
  std::set<int32_t> Forbidden(const WhisperRuleOptions& options, const std::vector<int32_t>& history,
                              int64_t given = 0) {
    const WhisperRules rules(tokens_, options);
    logits_.resize(20, 0.0F);
    rules.Apply(history, given, logits_);
    std::set<int32_t> forbidden;
    for (int32_t id = 0; id < 20; ++id) {
      if (logits_[static_cast<size_t>(id)] == kForbidden) forbidden.insert(id);
    }
    return forbidden;
  }

  static std::set<int32_t> Range(int32_t first, int32_t end) {
    std::set<int32_t> ids;
    for (int32_t id = first; id < end; ++id) ids.insert(id);
    return ids;
  }

  // Words are likelier than all times together.
  void PreferWords() {
    logits_.assign(20, 0.0F);
    logits_[3] = 10;
  }

  const WhisperVocabulary tokens_ = SmallTokens();
  std::vector<float> logits_;
};

TEST(WhisperVocabularyTest, TakesIdsAndSizesFromThePackage) {
  const auto package = ModelPackage::Open(testing::kWhisperTiny);
  ASSERT_TRUE(package.ok()) << package.status();
  const auto whisper = WhisperPackage::From(*package);
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  const auto found = WhisperVocabulary::Of(*whisper), expected = testing::TinyWhisperVocabulary();
  EXPECT_EQ(found.end, expected.end);
  EXPECT_EQ(found.start, expected.start);
  EXPECT_EQ(found.translate, expected.translate);
  EXPECT_EQ(found.transcribe, expected.transcribe);
  EXPECT_EQ(found.start_of_previous, expected.start_of_previous);
  EXPECT_EQ(found.no_speech, expected.no_speech);
  EXPECT_EQ(found.no_timestamps, expected.no_timestamps);
  EXPECT_EQ(found.first_time, expected.first_time);
  EXPECT_EQ(found.vocabulary, expected.vocabulary);
  EXPECT_EQ(found.languages, expected.languages);
  EXPECT_EQ(found.suppress, expected.suppress);
  EXPECT_EQ(found.suppress_begin, expected.suppress_begin);
  const auto dims = WhisperDimsOf(whisper->sizes);
  ASSERT_TRUE(dims.ok()) << dims.status();
  EXPECT_EQ(dims->hidden, 128);
  EXPECT_EQ(dims->audio_positions, 500);
  auto uneven = whisper->sizes;
  uneven.decoder_units = 64;
  EXPECT_EQ(WhisperDimsOf(uneven).status().code(), absl::StatusCode::kInvalidArgument);
}

using Ids = std::set<int32_t>;

TEST_F(WhisperRulesTest, SuppressesAlwaysAndAtTheBeginning) {
  const WhisperRuleOptions options = {.suppress = {4, 5}};
  EXPECT_EQ(Forbidden(options, {}), (Ids{0, 4, 5, 10}));
  logits_.clear();
  EXPECT_EQ(Forbidden(options, {1}), (Ids{4, 5}));
  logits_.clear();
  EXPECT_EQ(Forbidden(options, {1, 2}, 2), (Ids{0, 4, 5, 10})) << "the first token after a given beginning";
  logits_.clear();
  EXPECT_EQ(Forbidden({.suppress_blank = false}, {}), Ids());
}

TEST_F(WhisperRulesTest, PenalisesEachTokenOfTheHistoryOnce) {
  logits_.assign(20, 3.0F);
  logits_[2] = -3;
  Forbidden({.repetition_penalty = 1.5F}, {1, 2, 1, 1});
  EXPECT_FLOAT_EQ(logits_[1], 2);
  EXPECT_FLOAT_EQ(logits_[2], -4.5F);
  EXPECT_FLOAT_EQ(logits_[3], 3);
}

TEST_F(WhisperRulesTest, ForbidsWhatWouldRepeatANgram) {
  EXPECT_EQ(Forbidden({.no_repeat_ngram_size = 3}, {1, 2, 3, 1, 2, 4, 1, 2}), (Ids{3, 4}));
  logits_.clear();
  EXPECT_EQ(Forbidden({.no_repeat_ngram_size = 3}, {1, 2}), Ids());
  logits_.clear();
  EXPECT_EQ(Forbidden({.no_repeat_ngram_size = 1}, {7, 8}), (Ids{7, 8}));
  logits_.clear();
  EXPECT_EQ(Forbidden({.no_repeat_ngram_size = 2}, {5, 5}), (Ids{5}));
}

TEST_F(WhisperRulesTest, BeginsWithATimeThatIsNotLate) {
  const WhisperRuleOptions options = {.timestamps = true, .suppress_blank = false, .max_initial_timestamp = 2};
  Ids expected = Range(0, 13);
  expected.merge(Range(16, 20));
  EXPECT_EQ(Forbidden(options, {}), expected);
  PreferWords();
  EXPECT_EQ(Forbidden(options, {1}, 1), Ids{12}) << "after a given beginning anything may follow";
}

TEST_F(WhisperRulesTest, HasTextBehindTheFirstTimeAndBehindAPair) {
  const WhisperRuleOptions options = {.timestamps = true, .suppress_blank = false};
  PreferWords();
  Ids expected = Range(12, 20);
  EXPECT_EQ(Forbidden(options, {13}), expected);
  PreferWords();
  EXPECT_EQ(Forbidden(options, {13, 1, 15, 15}), expected);
}

TEST_F(WhisperRulesTest, HasTheTwinOrTheEndBehindATimeThatEndsText) {
  const WhisperRuleOptions options = {.timestamps = true, .suppress_blank = false};
  logits_.assign(20, 0.0F);
  logits_[10] = 10;  // the end is likelier than all times
  Ids expected = Range(0, 10);
  expected.merge(Ids{12, 13, 14});
  EXPECT_EQ(Forbidden(options, {13, 1, 15}), expected);
}

TEST_F(WhisperRulesTest, NeverLetsTimesDecrease) {
  const WhisperRuleOptions options = {.timestamps = true, .suppress_blank = false};
  PreferWords();
  EXPECT_EQ(Forbidden(options, {13, 1, 15, 15, 2}), (Ids{12, 13, 14, 15}));
}

TEST_F(WhisperRulesTest, TakesATimeWhenAllOfThemAreMoreLikelyThanAnyWord) {
  const WhisperRuleOptions options = {.timestamps = true, .suppress_blank = false};
  logits_.assign(20, 0.0F);
  logits_[3] = 1;  // e¹ for the word, 6 · e⁰ for the times behind 13
  Ids expected = Range(0, 14);
  EXPECT_EQ(Forbidden(options, {13, 1}), expected);
  logits_.assign(20, 0.0F);
  logits_[3] = 2;  // e² = 7.4
  EXPECT_EQ(Forbidden(options, {13, 1}), (Ids{12, 13}));
}

}  // namespace
}  // namespace tutti

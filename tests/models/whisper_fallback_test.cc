#include "models/whisper_fallback.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace tutti {
namespace {

constexpr int32_t kStart = 558;

WhisperDecodeOptions Decode() { return {.prompt = {kStart, 559, 568, 572}, .beam_size = 5, .rules = {}}; }

// A text of ten tokens and its end, of that mean log-probability.
WhisperResult ResultOf(float mean, int32_t token = 1, WhisperEnd end = WhisperEnd::kToken) {
  WhisperSequence sequence = {std::vector<int32_t>(10, token), 11 * mean, 0, end};
  return {.sequences = {std::move(sequence)}, .no_speech_prob = 0.1F};
}

const std::string kRepetitive = std::string(200, 'a');

TEST(WhisperFallbackTest, ALikelyTextIsTakenAtOnce) {
  const SearchOptions options;
  WhisperFallback fallback(options, Decode(), kStart, 5);
  EXPECT_EQ(fallback.decode().temperature, 0);
  EXPECT_EQ(fallback.decode().beam_size, 5);
  EXPECT_EQ(fallback.decode().best_of, 1);
  EXPECT_FALSE(fallback.Take(ResultOf(-0.5F), "good"));
  EXPECT_EQ(fallback.temperature(), 0);
  const auto found = fallback.TakeBest();
  EXPECT_FALSE(found.runs_away);
  EXPECT_FLOAT_EQ(found.sequence.mean_log_prob(), -0.5F);
}

TEST(WhisperFallbackTest, WhereABeamSaysLittleForSoMuchSpeechTheLikelierOfItsTextAndTheGreedyOneIsTaken) {
  const SearchOptions options;
  for (const auto& [mean, taken] : {std::pair(-0.2F, 2), {-0.4F, 1}}) {
    WhisperFallback fallback(options, Decode(), kStart, 20);
    ASSERT_TRUE(fallback.Take(ResultOf(-0.3F, 1), "little"));
    EXPECT_EQ(fallback.decode().beam_size, 1);
    EXPECT_EQ(fallback.decode().temperature, 0);
    EXPECT_FALSE(fallback.Take(ResultOf(mean, 2), "more"));
    EXPECT_EQ(fallback.TakeBest().sequence.tokens.front(), taken);
  }
  WhisperFallback runs_away(options, Decode(), kStart, 20);
  ASSERT_TRUE(runs_away.Take(ResultOf(-0.3F, 1), "little"));
  EXPECT_FALSE(runs_away.Take(ResultOf(-0.1F, 2), kRepetitive));
  EXPECT_EQ(runs_away.TakeBest().sequence.tokens.front(), 1);
}

TEST(WhisperFallbackTest, NothingFollowsABeamThatSaysEnoughOrHearsShortSpeechNorAGreedySearch) {
  const SearchOptions options;
  EXPECT_FALSE(WhisperFallback(options, Decode(), kStart, 9.9).Take(ResultOf(-0.3F), "short"));
  WhisperResult enough = ResultOf(-0.3F);
  enough.sequences[0].tokens.resize(static_cast<size_t>(WhisperFallback::LeastTokens(20)), 1);
  EXPECT_FALSE(WhisperFallback(options, Decode(), kStart, 20).Take(enough, "enough"));
  SearchOptions greedy;
  greedy.beam_size = 1;
  WhisperDecodeOptions decode = Decode();
  decode.beam_size = 1;
  EXPECT_FALSE(WhisperFallback(greedy, decode, kStart, 20).Take(ResultOf(-0.3F), "little"));
}

TEST(WhisperFallbackTest, AnUnlikelyOneIsLookedForAgainWithDrawsOfTheNextTemperature) {
  SearchOptions options;
  options.best_of = 7;
  WhisperFallback fallback(options, Decode(), kStart, 5);
  ASSERT_TRUE(fallback.Take(ResultOf(-1.5F), "unsure"));
  EXPECT_EQ(fallback.decode().temperature, 0.2F);
  EXPECT_EQ(fallback.decode().beam_size, 1);
  EXPECT_EQ(fallback.decode().best_of, 7);
  const uint64_t seed = fallback.decode().seed;
  ASSERT_TRUE(fallback.Take(ResultOf(-0.5F), kRepetitive));
  EXPECT_EQ(fallback.decode().temperature, 0.4F);
  EXPECT_NE(fallback.decode().seed, seed);
  EXPECT_FALSE(fallback.Take(ResultOf(-0.9F, 3), "good"));
  EXPECT_EQ(fallback.temperature(), 0.4F);
  EXPECT_EQ(fallback.TakeBest().sequence.tokens.front(), 3);
}

TEST(WhisperFallbackTest, OfTextsThatAreAllUnlikelyTheLikeliestWithoutRepetitionIsTaken) {
  SearchOptions options;
  options.temperature = {0, 0.5F, 1};
  WhisperFallback fallback(options, Decode(), kStart, 5);
  EXPECT_TRUE(fallback.Take(ResultOf(-0.1F, 1), kRepetitive));
  EXPECT_TRUE(fallback.Take(ResultOf(-1.2F, 2), "unsure"));
  EXPECT_FALSE(fallback.Take(ResultOf(-1.4F, 3), "unsure"));
  EXPECT_EQ(fallback.temperature(), 1) << "the last, as the reference has it";
  const auto found = fallback.TakeBest();
  EXPECT_EQ(found.sequence.tokens.front(), 2);
  EXPECT_FALSE(found.runs_away);
}

TEST(WhisperFallbackTest, WhereAllRunAwayTheLikeliestIsTakenAndSaysSo) {
  SearchOptions options;
  options.temperature = {0, 0.5F, 1};
  WhisperFallback fallback(options, Decode(), kStart, 5);
  EXPECT_TRUE(fallback.Take(ResultOf(-0.3F, 1), kRepetitive));
  EXPECT_TRUE(fallback.Take(ResultOf(-0.1F, 2, WhisperEnd::kLoop), "aaaa"));
  EXPECT_FALSE(fallback.Take(ResultOf(-0.2F, 3), kRepetitive));
  const auto found = fallback.TakeBest();
  EXPECT_EQ(found.sequence.tokens.front(), 2);
  EXPECT_TRUE(found.runs_away);
}

TEST(WhisperFallbackTest, MoreThanAnybodyCanSayInThatTimeRunsAway) {
  const SearchOptions options;
  WhisperFallback fallback(options, Decode(), kStart, 1);
  const int64_t most = fallback.decode().most_tokens;
  EXPECT_EQ(most, WhisperFallback::MostTokens(1));
  WhisperResult result = ResultOf(-0.1F, 1, WhisperEnd::kLength);
  result.sequences[0].tokens.resize(static_cast<size_t>(most));
  EXPECT_TRUE(fallback.Take(result, "text"));
  result.sequences[0].tokens.resize(static_cast<size_t>(most) - 1);  // by another bound
  EXPECT_FALSE(fallback.Take(result, "text"));
}

TEST(WhisperFallbackTest, SilenceIsNotLookedForAgain) {
  const SearchOptions options;
  WhisperFallback fallback(options, Decode(), kStart, 5);
  WhisperResult result = ResultOf(-1.5F);
  result.no_speech_prob = 0.7F;
  EXPECT_FALSE(fallback.Take(result, "Thank you."));
  EXPECT_EQ(fallback.no_speech_prob(), 0.7F);
  EXPECT_TRUE(fallback.TakeBest().is_silence);
  WhisperFallback likely(options, Decode(), kStart, 5);
  result.sequences[0].log_prob = -1;
  EXPECT_FALSE(likely.Take(result, "Thank you."));
  EXPECT_FALSE(likely.TakeBest().is_silence);
}

TEST(WhisperFallbackTest, WhatIsNextToCertainlySilentIsSilenceUnlessItIsNextToCertainAsText) {
  const SearchOptions options;
  for (const auto& [no_speech, mean, is_silence] :
       {std::tuple(0.91F, -0.3F, true), {0.89F, -0.3F, false}, {0.95F, -0.2F, false}}) {
    WhisperFallback fallback(options, Decode(), kStart, 5);
    WhisperResult result = ResultOf(mean);
    result.no_speech_prob = no_speech;
    EXPECT_FALSE(fallback.Take(result, "you"));
    EXPECT_EQ(fallback.TakeBest().is_silence, is_silence) << no_speech << ", " << mean;
  }
}

TEST(WhisperFallbackTest, WhatIsLikelySilentAndRunsInALoopIsSilence) {
  const SearchOptions options;
  for (const auto& [no_speech, count, is_silence] :
       {std::tuple(0.7F, 12U, true), {0.7F, 11U, false}, {0.5F, 12U, false}}) {
    WhisperFallback fallback(options, Decode(), kStart, 5);
    WhisperResult result = ResultOf(-0.5F);
    result.no_speech_prob = no_speech;
    result.sequences[0].tokens.assign(count, 5);
    EXPECT_FALSE(fallback.Take(result, "5-5-5-5"));
    EXPECT_EQ(fallback.TakeBest().is_silence, is_silence) << no_speech << ", " << count;
  }
}

TEST(WhisperFallbackTest, WhatMayBeSilentAndIsUnlikelyAtEveryTemperatureIsSilence) {
  SearchOptions options;
  options.temperature = {0, 1};
  for (const auto& [no_speech, mean, is_silence] :
       {std::tuple(0.45F, -1.2F, true), {0.39F, -1.2F, false}, {0.45F, -0.9F, false}}) {
    WhisperFallback fallback(options, Decode(), kStart, 5);
    WhisperResult result = ResultOf(-1.5F);
    result.no_speech_prob = no_speech;
    EXPECT_TRUE(fallback.Take(result, "Thanks for watching!"));
    result.sequences = ResultOf(mean).sequences;
    EXPECT_FALSE(fallback.Take(result, "Thanks for watching!"));
    EXPECT_EQ(fallback.TakeBest().is_silence, is_silence) << no_speech << ", " << mean;
  }
}

TEST(WhisperFallbackTest, AThresholdOfOneTakesNothingForSilence) {
  SearchOptions options;
  options.no_speech_threshold = 1;
  options.temperature = {0};
  WhisperFallback fallback(options, Decode(), kStart, 5);
  WhisperResult result = ResultOf(-2);
  result.no_speech_prob = 1;
  EXPECT_FALSE(fallback.Take(result, "you"));
  EXPECT_FALSE(fallback.TakeBest().is_silence);
}

TEST(WhisperFallbackTest, TheLanguageIsFoundOnce) {
  SearchOptions options;
  WhisperDecodeOptions decode = Decode();
  decode.detect_language = true;
  WhisperFallback fallback(options, decode, kStart, 5);
  WhisperResult result = ResultOf(-1.5F);
  result.language = 560;
  result.language_prob = 0.75F;
  ASSERT_TRUE(fallback.Take(result, "unsure"));
  EXPECT_FALSE(fallback.decode().detect_language);
  EXPECT_EQ(fallback.decode().prompt, (std::vector<int32_t>{kStart, 560, 568, 572}));
  result.language = -1;
  result.language_prob = 0;
  fallback.Take(result, "unsure");
  EXPECT_EQ(fallback.language(), 560);
  EXPECT_EQ(fallback.language_prob(), 0.75F);
}

}  // namespace
}  // namespace tutti

#include "models/whisper_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::DecodeAlone;
using testing::kWhisperTiny;
using testing::ReadJson;
using testing::ReadNpy;
using testing::TinyWhisper;
using testing::TinyWhisperVocabulary;

class WhisperSearchTest : public ::testing::Test {
 protected:
  std::vector<float> Encoded(const std::string& clip) const { return ReadNpy(kWhisperTiny + clip + ".enc.npy").values; }

  WhisperDecodeOptions Plain() const {
    WhisperDecodeOptions options;
    options.prompt = {558, 559, 568, 572};
    options.rules.suppress = tokens_.suppress;
    return options;
  }

  absl::Status CreationOf(const WhisperDecodeOptions& options) {
    return WhisperSearch::Create(tokens_, testing::TinyWhisperDims(), options, pool_).status();
  }

  const WhisperVocabulary tokens_ = TinyWhisperVocabulary();
  const TinyWhisper model_;
  Workspace workspace_;
  KvPool pool_{2, 64, int64_t{1} << 24};
};

TEST_F(WhisperSearchTest, FindsTheTokensAndScoresOfCtranslate2) {
  const auto expected = ReadJson(kWhisperTiny + "expected.json");
  for (const std::string clip : {"clip_a", "clip_b"}) {
    const auto encoded = Encoded(clip);
    ASSERT_GE(expected[clip]["cases"].size(), 13U);
    for (const auto& [name, of_case] : expected[clip]["cases"].items()) {
      const auto result = DecodeAlone(model_, tokens_, encoded, testing::WhisperCase(of_case, tokens_), workspace_);
      const auto sequences = of_case["tokens"].get<std::vector<std::vector<int32_t>>>();
      ASSERT_GE(result.sequences.size(), sequences.size()) << clip << ", " << name;
      for (size_t i = 0; i < sequences.size(); ++i) {
        EXPECT_EQ(result.sequences[i].tokens, sequences[i]) << clip << ", " << name << ", " << i;
        EXPECT_NEAR(result.sequences[i].score, of_case["scores"][i].get<float>(), 1e-3) << clip << ", " << name;
      }
      EXPECT_NEAR(result.no_speech_prob, of_case["no_speech_prob"].get<float>(), 1e-4) << clip << ", " << name;
    }
  }
}

TEST_F(WhisperSearchTest, DetectsTheLanguageAndGoesOnInIt) {
  const auto expected = ReadJson(kWhisperTiny + "expected.json");
  for (const std::string clip : {"clip_a", "clip_b"}) {
    auto options = Plain();
    options.detect_language = true;
    const auto result = DecodeAlone(model_, tokens_, Encoded(clip), options, workspace_);
    EXPECT_EQ(result.language, 560) << "zh";
    EXPECT_NEAR(result.language_prob, expected[clip]["languages"]["zh"].get<float>(), 1e-3);
    options.detect_language = false;
    options.prompt[1] = 560;
    const auto given = DecodeAlone(model_, tokens_, Encoded(clip), options, workspace_);
    EXPECT_EQ(result.sequences[0].tokens, given.sequences[0].tokens);
    EXPECT_EQ(given.language, -1);
  }
}

TEST_F(WhisperSearchTest, GoesOnFromAGivenBeginning) {
  const auto encoded = Encoded("clip_b");
  for (const int64_t beam_size : {1, 5}) {
    auto options = Plain();
    options.beam_size = beam_size;
    const auto free = DecodeAlone(model_, tokens_, encoded, options, workspace_);
    const auto& tokens = free.sequences[0].tokens;
    ASSERT_GT(tokens.size(), 4U);
    options.prefix.assign(tokens.begin(), tokens.begin() + 4);
    const auto led = DecodeAlone(model_, tokens_, encoded, options, workspace_);
    EXPECT_TRUE(std::equal(options.prefix.begin(), options.prefix.end(), led.sequences[0].tokens.begin()));
    if (beam_size == 1) {
      EXPECT_EQ(led.sequences[0].tokens, tokens);
    }
    EXPECT_GT(led.sequences[0].log_prob, free.sequences[0].log_prob) << "what is given costs nothing";
  }
}

TEST_F(WhisperSearchTest, DrawsTheSameFromTheSameSeedAndOtherwiseElse) {
  const auto encoded = Encoded("clip_b");
  auto options = Plain();
  options.temperature = 0.8F;
  options.best_of = 3;
  options.seed = 7;
  const auto first = DecodeAlone(model_, tokens_, encoded, options, workspace_);
  const auto again = DecodeAlone(model_, tokens_, encoded, options, workspace_);
  ASSERT_EQ(first.sequences.size(), 3U);
  std::set<std::vector<int32_t>> different;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first.sequences[i].tokens, again.sequences[i].tokens);
    EXPECT_EQ(first.sequences[i].score, again.sequences[i].score);
    different.insert(first.sequences[i].tokens);
    if (i > 0) {
      EXPECT_GE(first.sequences[i - 1].score, first.sequences[i].score);
    }
    for (const int32_t token : first.sequences[i].tokens) {
      EXPECT_EQ(std::ranges::count(tokens_.suppress, token), 0) << "what is suppressed is never drawn";
    }
  }
  EXPECT_EQ(different.size(), 3U);
  options.seed = 8;
  EXPECT_NE(DecodeAlone(model_, tokens_, encoded, options, workspace_).sequences[0].tokens, first.sequences[0].tokens);
}

TEST_F(WhisperSearchTest, OfAlmostNoTemperatureDrawsTheBest) {
  auto options = Plain();
  const auto greedy = DecodeAlone(model_, tokens_, Encoded("clip_a"), options, workspace_);
  options.temperature = 1e-3F;
  const auto drawn = DecodeAlone(model_, tokens_, Encoded("clip_a"), options, workspace_);
  EXPECT_EQ(drawn.sequences[0].tokens, greedy.sequences[0].tokens);
  EXPECT_EQ(drawn.sequences[0].score, greedy.sequences[0].score);
}

TEST_F(WhisperSearchTest, ALoopEndsItsHypothesis) {
  auto options = Plain();
  options.rules.suppress.clear();
  for (int32_t id = 0; id < tokens_.vocabulary; ++id) {
    if (id != 5) options.rules.suppress.push_back(id);
  }
  const auto greedy = DecodeAlone(model_, tokens_, Encoded("clip_b"), options, workspace_);
  EXPECT_EQ(greedy.sequences[0].tokens, std::vector<int32_t>(48, 5));
  EXPECT_EQ(greedy.sequences[0].end, WhisperEnd::kLoop);
  options.temperature = 0.5F;
  options.best_of = 2;
  const auto drawn = DecodeAlone(model_, tokens_, Encoded("clip_b"), options, workspace_);
  ASSERT_EQ(drawn.sequences.size(), 2U);
  EXPECT_EQ(drawn.sequences[1].tokens, std::vector<int32_t>(48, 5));
}

TEST_F(WhisperSearchTest, ATextThatEndsIsBetterThanALoop) {
  auto options = Plain();
  options.rules.suppress.clear();
  for (int32_t id = 0; id < tokens_.vocabulary; ++id) {
    if (id != 5 && id != tokens_.end) options.rules.suppress.push_back(id);
  }
  options.beam_size = 3;
  options.patience = 100;       // on to the end
  options.length_penalty = 10;  // the longer, the better
  const auto result = DecodeAlone(model_, tokens_, Encoded("clip_b"), options, workspace_);
  EXPECT_EQ(result.sequences.front().end, WhisperEnd::kToken);
  for (size_t i = 1; i < result.sequences.size(); ++i) {
    EXPECT_LE(result.sequences[i - 1].end, result.sequences[i].end);
  }
}

TEST_F(WhisperSearchTest, ATextHasNoMoreTokensThanItMayAndSaysSo) {
  auto options = Plain();
  options.most_tokens = 5;
  for (const int64_t beam_size : {1, 5}) {
    options.beam_size = beam_size;
    const auto result = DecodeAlone(model_, tokens_, Encoded("clip_a"), options, workspace_);
    EXPECT_EQ(result.sequences[0].tokens.size(), 5U);
    EXPECT_EQ(result.sequences[0].end, WhisperEnd::kLength);
  }
  options.most_tokens = 400;
  options.prefix = {10, 11};
  EXPECT_EQ(DecodeAlone(model_, tokens_, Encoded("clip_a"), options, workspace_).sequences[0].end, WhisperEnd::kToken);
}

TEST_F(WhisperSearchTest, MeansOverTheTokensAndTheEnd) {
  const auto result = DecodeAlone(model_, tokens_, Encoded("clip_a"), Plain(), workspace_);
  const WhisperSequence& best = result.sequences[0];
  const auto length = static_cast<float>(best.tokens.size());
  EXPECT_FLOAT_EQ(best.mean_log_prob(), best.score * length / (length + 1));
}

TEST_F(WhisperSearchTest, RefusesWhatItCannotDo) {
  const auto refused = [this](auto change) {
    auto options = Plain();
    change(options);
    const absl::Status status = CreationOf(options);
    return status.code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(CreationOf(Plain()).ok());
  EXPECT_TRUE(refused([](auto& o) { o.prompt = {}; }));
  EXPECT_TRUE(refused([](auto& o) { o.prompt = {558, 558}; }));
  EXPECT_TRUE(refused([](auto& o) { o.prompt[1] = 1074; }));
  EXPECT_TRUE(refused([](auto& o) { o.prefix = {-1}; }));
  EXPECT_TRUE(refused([](auto& o) { o.rules.suppress = {5000}; }));
  EXPECT_TRUE(refused([](auto& o) { o.beam_size = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.beam_size = 1000; }));
  EXPECT_TRUE(refused([](auto& o) { o.beam_size = 5, o.temperature = 1; }));
  EXPECT_TRUE(refused([](auto& o) { o.best_of = 5; }));
  EXPECT_TRUE(refused([](auto& o) { o.temperature = NAN; }));
  EXPECT_TRUE(refused([](auto& o) { o.prefix.assign(224, 1); }));
  EXPECT_TRUE(refused([](auto& o) { o.prompt.insert(o.prompt.begin(), 448, 1); }));
  EXPECT_TRUE(refused([](auto& o) { o.prompt = {558}, o.detect_language = true; }));
}

TEST_F(WhisperSearchTest, EndsAtTheLastPositionWhateverTheModelSays) {
  auto options = Plain();
  options.rules.suppress.push_back(tokens_.end);
  for (const int64_t beam_size : {1, 3}) {
    options.beam_size = beam_size;
    const auto result = DecodeAlone(model_, tokens_, Encoded("clip_b"), options, workspace_);
    EXPECT_EQ(result.sequences[0].tokens.size(), 224U);
  }
  options.prompt.insert(options.prompt.begin(), 400, 1);
  const auto result = DecodeAlone(model_, tokens_, Encoded("clip_b"), options, workspace_);
  EXPECT_EQ(result.sequences[0].tokens.size(), 448U - 403U);
}

}  // namespace
}  // namespace tutti

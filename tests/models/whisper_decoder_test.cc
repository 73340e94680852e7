#include "models/whisper_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "nn/team.h"
#include "tests/support/random.h"
#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::kWhisperTiny;
using testing::RandomFloats;
using testing::ReadNpy;
using testing::TinyWhisper;

constexpr int64_t kDecoderWidth = 64, kVocabulary = 1074;

// Logits after each of `tokens`, of which the first `prefill` are heard at once and the others one by one.
std::vector<float> LogitsOf(const TinyWhisper& model, const CrossMemory& memory, const std::vector<int32_t>& tokens,
                            size_t prefill, Workspace& workspace) {
  KvPool pool = model.decoder->MakePool(int64_t{1} << 24);
  KvSequence cache(pool);
  std::vector<float> hidden(tokens.size() * kDecoderWidth), logits(tokens.size() * kVocabulary);
  for (size_t at = 0; at < tokens.size();) {
    const size_t count = at == 0 ? prefill : 1;
    const std::vector<WhisperInput> inputs = {{&cache, &memory, std::span(tokens).subspan(at, count)}};
    model.decoder->Run(inputs, workspace, hidden.data() + at * kDecoderWidth);
    at += count;
  }
  model.decoder->Logits(hidden.data(), static_cast<int64_t>(tokens.size()), workspace, logits.data());
  return logits;
}

// What a rule has forbidden in the reference is the lowest float.
void ExpectNear(std::span<const float> found, const std::vector<float>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  size_t compared = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    if (expected[i] == std::numeric_limits<float>::lowest()) continue;
    ASSERT_NEAR(found[i], expected[i], tolerance) << i;
    ++compared;
  }
  EXPECT_GT(compared, 50U);
}

class WhisperDecoderClipTest : public ::testing::TestWithParam<std::string> {};

TEST_P(WhisperDecoderClipTest, AgreesWithCtranslate2) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  Workspace workspace;
  const auto encoded = ReadNpy(kWhisperTiny + GetParam() + ".enc.npy");
  const CrossMemory memory = model.decoder->Listen(encoded.values.data(), encoded.rows(), workspace);
  ExpectNear(LogitsOf(model, memory, {558}, 1, workspace),
             ReadNpy(kWhisperTiny + GetParam() + ".start_logits.npy").values, 1e-2);

  const auto expected = ReadNpy(kWhisperTiny + GetParam() + ".logits.npy");
  std::vector<int32_t> tokens = {558, 559, 568, 572};
  for (int64_t step = 0; step + 1 < expected.rows(); ++step) {  // what the reference found
    const auto row = expected.values.begin() + step * kVocabulary;
    tokens.push_back(static_cast<int32_t>(std::max_element(row, row + kVocabulary) - row));
  }
  const auto logits = LogitsOf(model, memory, tokens, 4, workspace);
  ExpectNear(std::span(logits).subspan(3 * kVocabulary), expected.values, 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Clips, WhisperDecoderClipTest, ::testing::Values("clip_a", "clip_b"));

TEST(WhisperDecoderTest, ReadsAQuantisedPackageAsCtranslate2Does) {
  const TinyWhisper model(ComputeType::kF32, testing::kFixtures + "whisper_tiny_int8/");
  ASSERT_TRUE(model.decoder);
  Workspace workspace;
  const auto encoded = model.Encode(ReadNpy(kWhisperTiny + "clip_b.feats.npy").values, 500, workspace);
  const CrossMemory memory = model.decoder->Listen(encoded.data(), 250, workspace);
  const auto expected = ReadNpy(testing::kFixtures + "whisper_tiny_int8/clip_b.logits.npy");
  const auto logits = LogitsOf(model, memory, {558, 559, 568, 572}, 4, workspace);
  ExpectNear(std::span(logits).last(kVocabulary), {expected.values.begin(), expected.values.begin() + kVocabulary},
             1e-2);
}

TEST(WhisperDecoderTest, APromptHeardAtOnceHasTheBitsOfOneHeardTokenByToken) {
  Workspace workspace;
  const auto encoded = RandomFloats(37 * kDecoderWidth, 1);
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 40; ++i) tokens.push_back(i * 23 % 1074);
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const TinyWhisper model(type);
    ASSERT_TRUE(model.decoder);
    const CrossMemory memory = model.decoder->Listen(encoded.data(), 37, workspace);
    EXPECT_EQ(memory.type(), type);
    const auto one_by_one = LogitsOf(model, memory, tokens, 1, workspace);
    EXPECT_EQ(LogitsOf(model, memory, tokens, 40, workspace), one_by_one) << Name(type);
    EXPECT_EQ(LogitsOf(model, memory, tokens, 17, workspace), one_by_one) << Name(type);
  }
}

TEST(WhisperDecoderTest, ATeamListensAndDecodesWithTheBitsOfOneThread) {
  Workspace workspace, with_team;
  Team team(2);
  with_team.set_team(&team);
  const auto encoded = RandomFloats(300 * kDecoderWidth, 2);
  std::vector<int32_t> tokens(120, 5);
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const TinyWhisper model(type);
    ASSERT_TRUE(model.decoder);
    const CrossMemory memory = model.decoder->Listen(encoded.data(), 300, workspace);
    const CrossMemory shared = model.decoder->Listen(encoded.data(), 300, with_team);
    // Many tokens at once, which share rows, then one by one, which share outputs.
    for (const size_t prefill : {120, 100}) {
      EXPECT_EQ(LogitsOf(model, memory, tokens, prefill, workspace),
                LogitsOf(model, shared, tokens, prefill, with_team))
          << Name(type);
    }
  }
}

}  // namespace
}  // namespace tutti

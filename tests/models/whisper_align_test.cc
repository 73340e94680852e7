#include "models/whisper_align.h"

#include <gtest/gtest.h>

#include "nn/team.h"
#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::kWhisperTiny;
using testing::ReadJson;
using testing::ReadNpy;
using testing::TinyWhisper;
using testing::TinyWhisperVocabulary;

using Heads = std::vector<std::pair<int64_t, int64_t>>;

WhisperAlignment Align(const TinyWhisper& model, const std::string& clip, const std::vector<int32_t>& text,
                       int64_t frames, Workspace& workspace) {
  const auto config = ReadJson(kWhisperTiny + "config.json");
  const auto encoded = ReadNpy(kWhisperTiny + clip + ".enc.npy");
  const CrossMemory memory = model.decoder->Listen(encoded.values.data(), encoded.rows(), workspace);
  const std::vector<int32_t> start = {558, 559, 568};
  return AlignWhisper(*model.decoder, TinyWhisperVocabulary(), config["alignment_heads"].get<Heads>(), memory, start,
                      text, frames, workspace);
}

TEST(WhisperAlignTest, FindsTheTimesAndProbabilitiesOfCtranslate2) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  Workspace workspace, with_team;
  Team team(2);
  with_team.set_team(&team);
  const auto expected = ReadJson(kWhisperTiny + "expected.json");
  for (const std::string clip : {"clip_a", "clip_b"}) {
    const auto& align = expected[clip]["align"];
    const auto text = align["tokens"].get<std::vector<int32_t>>();
    const auto found = Align(model, clip, text, align["frames"], workspace);
    EXPECT_EQ(found.path, align["path"].get<Heads>()) << clip;
    const auto probs = align["probabilities"].get<std::vector<float>>();
    ASSERT_EQ(found.probs.size(), probs.size()) << clip;
    for (size_t i = 0; i < probs.size(); ++i) EXPECT_NEAR(found.probs[i], probs[i], 1e-3) << clip << ", " << i;
    const auto shared = Align(model, clip, text, align["frames"], with_team);
    EXPECT_EQ(shared.path, found.path);
    EXPECT_EQ(shared.probs, found.probs);
  }
}

TEST(WhisperAlignTest, OfNothingIsNothing) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  Workspace workspace;
  EXPECT_TRUE(Align(model, "clip_b", {}, 299, workspace).path.empty());
  EXPECT_TRUE(Align(model, "clip_b", {5, 6}, 1, workspace).path.empty());
}

TEST(WhisperAlignTest, TakesAudioShorterThanTheMedian) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  Workspace workspace;
  const auto found = Align(model, "clip_b", {5, 6}, 4, workspace);
  ASSERT_FALSE(found.path.empty());
  EXPECT_EQ(found.path.back(), (std::pair<int64_t, int64_t>{2, 1}));
}

}  // namespace
}  // namespace tutti

#include "models/sense_voice.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>

#include "models/synthetic.h"
#include "tests/support/asr.h"
#include "tests/support/npy.h"
#include "tests/support/random.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using testing::kFixtures;
using testing::ReadNpy;
using testing::RelativeError;

const std::string kTinySenseVoice = kFixtures + "sensevoice_tiny";

ModelPackage TinyPackage(std::string_view options) {
  auto package = ModelPackage::Open(kTinySenseVoice);
  EXPECT_TRUE(package.ok()) << package.status();
  if (!package.ok()) return {};
  std::ifstream file(kTinySenseVoice + "/config.yaml");
  std::string yaml((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto config = Config::ParseYaml(fmt::format("{}\n{}\n", yaml, options), "config.yaml");
  EXPECT_TRUE(config.ok()) << config.status();
  if (config.ok()) package->config = *config;
  return *std::move(package);
}

// The model as the fixtures' results were made: language zh, with inverse text normalisation.
std::shared_ptr<const SenseVoice> TinyModel() {
  auto model = SenseVoice::Load(TinyPackage("language: zh\nuse_itn: true"));
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

std::vector<Hypothesis> Recognise(const SenseVoice& model, const std::vector<float>& rows,
                                  const std::vector<int64_t>& offsets) {
  Workspace workspace;
  std::vector<Hypothesis> hypotheses(offsets.size() - 1,
                                     {.ids = {7}, .scores = {0}, .times = {}});  // leftovers must go
  model.Recognise({rows.data(), model.frontend()->width(), offsets}, workspace, hypotheses);
  return hypotheses;
}

class SenseVoiceFixtureTest : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string clip_ = kTinySenseVoice + "/" + GetParam();
  const std::shared_ptr<const SenseVoice> model_ = TinyModel();
};

TEST_P(SenseVoiceFixtureTest, EveryStageAgreesWithTheReferenceOnItsFeatures) {
  ASSERT_NE(model_, nullptr);
  const auto features = ReadNpy(clip_ + ".feats.npy");
  const std::vector<int64_t> plain = {0, features.rows()};
  const RaggedBatch batch = {features.values.data(), features.width(), plain};
  std::vector<int64_t> offsets(2);
  SenseVoice::PromptedOffsets(batch, offsets.data());
  std::vector<float> prompted(static_cast<size_t>(offsets[1] * features.width()));
  model_->AddPrompts(batch, offsets, prompted.data());

  Workspace workspace;
  const auto expected = ReadNpy(clip_ + ".enc.npy");
  ASSERT_EQ(expected.rows(), offsets[1]);
  std::vector<float> encoded(expected.values.size());
  model_->encoder().Run({prompted.data(), features.width(), offsets}, workspace, encoded.data());
  EXPECT_LT(RelativeError(encoded, expected.values), 1e-5);
  const auto log_probs = ReadNpy(clip_ + ".logp.npy");
  std::vector<float> found(log_probs.values.size());
  model_->output().LogProbs(encoded.data(), offsets[1], workspace, found.data());
  for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], log_probs.values[i], 1e-4);
}

TEST_P(SenseVoiceFixtureTest, TextIsTheReferences) {
  ASSERT_NE(model_, nullptr);
  const auto expected = testing::ReadJson(kFixtures + "expected_models.json");
  const std::string text = expected["sensevoice_tiny/" + GetParam()][0]["text"];
  std::vector<float> rows;
  model_->frontend()->Compute(testing::ReadWav(kFixtures + "audio/" + GetParam() + ".wav"), rows);
  const auto hypotheses =
      Recognise(*model_, rows, {0, static_cast<int64_t>(rows.size()) / model_->frontend()->width()});
  EXPECT_EQ(model_->Text(hypotheses[0]).text, text);
}

TEST_P(SenseVoiceFixtureTest, GreedyDropsBlanksAndRepeatsAndKeepsTheBestScoreOfARepeat) {
  ASSERT_NE(model_, nullptr);
  const auto log_probs = ReadNpy(clip_ + ".logp.npy");
  const auto features = ReadNpy(clip_ + ".feats.npy");
  const auto found = Recognise(*model_, features.values, {0, features.rows()})[0];
  std::vector<int32_t> ids;
  std::vector<float> scores;
  int64_t last = 0;
  for (int64_t row = 0; row < log_probs.rows(); ++row) {
    const auto begin = log_probs.values.begin() + row * log_probs.width();
    const auto best = std::max_element(begin, begin + log_probs.width());
    const int64_t id = best - begin;
    if (id != 0 && id == last) scores.back() = std::max(scores.back(), *best);
    if (id != 0 && id != last) {
      ids.push_back(static_cast<int32_t>(id));
      scores.push_back(*best);
    }
    last = id;
  }
  EXPECT_EQ(found.ids, ids);
  EXPECT_LT(ids.size(), static_cast<size_t>(log_probs.rows())) << "nothing to drop: the test sees nothing";
  ASSERT_EQ(found.scores.size(), scores.size());
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(found.scores[i], scores[i], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Clips, SenseVoiceFixtureTest, ::testing::Values("clip_a", "clip_b"),
                         [](const auto& info) { return info.param; });

TEST(SenseVoiceTest, ASegmentHasTheSameBitsAloneAndInABatch) {
  const auto model = MakeSyntheticSenseVoice(
      {.width = 48, .heads = 4, .hidden = 96, .blocks = 3, .tp_blocks = 2, .taps = 11, .vocabulary = 100}, 7);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<int64_t> offsets = {0, 17, 17, 18, 149, 300};
  const int64_t width = (*model)->frontend()->width();
  const auto rows = testing::RandomFloats(offsets.back() * width, 3);
  const auto together = Recognise(**model, rows, offsets);
  EXPECT_TRUE(together[1].ids.empty());
  EXPECT_FALSE(together[2].ids.empty());
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const std::vector<float> only(rows.begin() + offsets[i] * width, rows.begin() + offsets[i + 1] * width);
    const auto alone = Recognise(**model, only, {0, offsets[i + 1] - offsets[i]})[0];
    EXPECT_EQ(together[i].ids, alone.ids) << i;
    ASSERT_EQ(together[i].scores.size(), alone.scores.size());
    EXPECT_TRUE(std::equal(alone.scores.begin(), alone.scores.end(), together[i].scores.begin())) << i;
  }
}

TEST(SenseVoiceTest, LanguageAndNormalisationChooseThePromptRows) {
  const auto options = [](std::string_view yaml) {
    auto config = Config::ParseYaml(yaml, "config.yaml");
    EXPECT_TRUE(config.ok()) << config.status();
    return SenseVoiceOptions::FromConfig(*config);
  };
  EXPECT_EQ(options("model_conf: {}")->language, 0);
  EXPECT_EQ(options("model_conf: {}")->text_norm, 15);
  EXPECT_EQ(options("model_conf: {language: yue}")->language, 7);
  EXPECT_EQ(options("language: ja")->language, 11);
  EXPECT_EQ(options("use_itn: true")->text_norm, 14);
  EXPECT_EQ(options("{use_itn: true, text_norm: woitn}")->text_norm, 15);
  EXPECT_THAT(Message(options("language: fr").status()), HasSubstr("config.yaml: language: \"fr\", expected auto, zh"));
  EXPECT_THAT(Message(options("text_norm: no").status()), HasSubstr("expected withitn or woitn"));
}

TEST(SenseVoiceTest, AutoIsF32BecauseNoAccuracyWasMeasured) {
  const auto load = [](ComputeType type) { return (*SenseVoice::Load(TinyPackage(""), type))->compute_type(); };
  EXPECT_EQ(load(ComputeType::kAuto), ComputeType::kF32);
  EXPECT_EQ(load(ComputeType::kInt8), ResolveComputeType(ComputeType::kInt8));
}

TEST(SenseVoiceTest, LoadsThroughTheTableOfFamilies) {
  const auto package = ModelPackage::Open(kTinySenseVoice);
  ASSERT_TRUE(package.ok()) << package.status();
  const auto model = AsrModel::Load(*package);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->family(), "sensevoice");
}

TEST(SenseVoiceLoadTest, RefusesWeightsThatAreNotTheConfigurations) {
  const auto load = [](const std::function<void(ModelPackage&)>& change) {
    ModelPackage package = TinyPackage("");
    change(package);
    return SenseVoice::Load(package).status();
  };
  EXPECT_THAT(Message(load([](ModelPackage& package) { package.tokens.pop_back(); })),
              HasSubstr("model.pt: tensor ctc.ctc_lo.weight has shape"));
  EXPECT_THAT(Message(load([](ModelPackage& package) { package.tokens.clear(); })), HasSubstr("expected tokens.json"));
  const auto with_tp_blocks = [&load](int count) {
    return load([count](ModelPackage& package) {
      std::ifstream file(kTinySenseVoice + "/config.yaml");
      std::string yaml((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      constexpr std::string_view kLine = "tp_blocks: 2";
      const size_t at = yaml.find(kLine);
      ASSERT_NE(at, yaml.npos);
      package.config = *Config::ParseYaml(yaml.replace(at, kLine.size(), fmt::format("tp_blocks: {}", count)), "c");
    });
  };
  EXPECT_THAT(Message(with_tp_blocks(1)), HasSubstr("tp_blocks is 1, but the weights hold encoder.tp_encoders.1"));
  EXPECT_THAT(Message(with_tp_blocks(3)), HasSubstr("encoder.tp_encoders.2"));
  EXPECT_TRUE(with_tp_blocks(2).ok());
}

}  // namespace
}  // namespace tutti

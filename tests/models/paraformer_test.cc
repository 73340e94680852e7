#include "models/paraformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <thread>
#include <tuple>

#include "tests/support/asr.h"
#include "tests/support/npy.h"
#include "tests/support/random.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using testing::kFixtures;
using testing::LoadParaformer;
using testing::ParaformerStages;
using testing::ReadNpy;
using testing::RelativeError;

std::vector<float> Features(const AsrModel& model, const std::string& wav) {
  std::vector<float> rows;
  model.frontend()->Compute(testing::ReadWav(wav), rows);
  return rows;
}

std::string Transcribe(const AsrModel& model, const std::vector<float>& rows) {
  Workspace workspace;
  const int64_t width = model.frontend()->width();
  const std::vector<int64_t> offsets = {0, static_cast<int64_t>(rows.size()) / width};
  Hypothesis hypothesis;
  model.Recognise({rows.data(), width, offsets}, workspace, {&hypothesis, 1});
  return model.Text(hypothesis).text;
}

TEST(ParaformerTest, AutoIsF32InNetworksNarrowerThanTheOneWhoseAccuracyWasMeasured) {
  const auto type_in_use = [](const std::string& directory) {
    const auto package = ModelPackage::Open(directory);
    EXPECT_TRUE(package.ok()) << package.status();
    return (*Paraformer::Load(*package, ComputeType::kAuto))->compute_type();
  };
  EXPECT_EQ(type_in_use(kFixtures + "paraformer_tiny"), ComputeType::kF32);
  EXPECT_EQ(type_in_use(TUTTI_SOURCE_DIR "/models/demo-paraformer"),
            ResolveComputeType(ComputeType::kAuto, {.bf16 = true, .int8 = true}));
}

class ParaformerFixtureTest : public ::testing::TestWithParam<std::string> {
 protected:
  const std::string clip_ = kFixtures + "paraformer_tiny/" + GetParam();
  const std::shared_ptr<const Paraformer> model_ = LoadParaformer(kFixtures + "paraformer_tiny");
  Workspace workspace_;
};

TEST_P(ParaformerFixtureTest, EveryStageAgreesWithTheReferenceOnItsFeatures) {
  ASSERT_NE(model_, nullptr);
  const auto features = ReadNpy(clip_ + ".feats.npy");
  const std::vector<int64_t> offsets = {0, features.rows()};
  const ParaformerStages stages(*model_, {features.values.data(), features.width(), offsets}, workspace_);
  EXPECT_LT(RelativeError(stages.encoded, ReadNpy(clip_ + ".enc.npy").values), 1e-5);
  EXPECT_LT(RelativeError(stages.alphas, ReadNpy(clip_ + ".alphas.npy").values), 1e-5);
  EXPECT_LT(RelativeError(stages.acoustic, ReadNpy(clip_ + ".acoustic.npy").values), 1e-4);
  const auto log_probs = ReadNpy(clip_ + ".logp.npy").values;
  ASSERT_EQ(stages.log_probs.size(), log_probs.size());
  for (size_t i = 0; i < log_probs.size(); ++i) ASSERT_NEAR(stages.log_probs[i], log_probs[i], 1e-4);
}

TEST_P(ParaformerFixtureTest, TextIsTheReferences) {
  ASSERT_NE(model_, nullptr);
  const auto expected = testing::ReadJson(kFixtures + "expected_models.json");
  const std::string text = expected["paraformer_tiny/" + GetParam()][0]["text"];
  EXPECT_EQ(Transcribe(*model_, ReadNpy(clip_ + ".feats.npy").values), text);
  EXPECT_EQ(Transcribe(*model_, Features(*model_, kFixtures + "audio/" + GetParam() + ".wav")), text);
}

TEST_P(ParaformerFixtureTest, GreedyPicksTheBestLogProbabilityOfEachToken) {
  ASSERT_NE(model_, nullptr);
  const auto log_probs = ReadNpy(clip_ + ".logp.npy");
  const auto features = ReadNpy(clip_ + ".feats.npy");
  const std::vector<int64_t> offsets = {0, features.rows()};
  Hypothesis hypothesis;
  model_->Recognise({features.values.data(), features.width(), offsets}, workspace_, {&hypothesis, 1});
  size_t at = 0;
  for (int64_t token = 0; token < log_probs.rows(); ++token) {
    const auto row = log_probs.values.begin() + token * log_probs.width();
    const auto best = std::max_element(row, row + log_probs.width());
    if (best - row <= 2) continue;  // <blank>, <s>, </s>
    ASSERT_LT(at, hypothesis.ids.size());
    EXPECT_EQ(hypothesis.ids[at], best - row);
    EXPECT_NEAR(hypothesis.scores[at], *best, 1e-4);
    ++at;
  }
  EXPECT_EQ(at, hypothesis.ids.size());
  EXPECT_TRUE(hypothesis.times.empty());
}

INSTANTIATE_TEST_SUITE_P(Clips, ParaformerFixtureTest, ::testing::Values("clip_a", "clip_b"),
                         [](const auto& info) { return info.param; });

TEST(ParaformerTest, UnitsCarryMeanScoresAndNoTimes) {
  const auto model = LoadParaformer(kFixtures + "paraformer_tiny");
  ASSERT_NE(model, nullptr);
  const SegmentText text = model->Text({.ids = {3, 4}, .scores = {-0.5F, -1.5F}, .times = {}});
  EXPECT_EQ(text.text, "的一");
  ASSERT_EQ(text.units.size(), 2U);
  EXPECT_EQ(text.units[1].text, "一");
  EXPECT_EQ(text.units[1].score, -1.5F);
  EXPECT_EQ(text.units[1].start_ms, -1);
}

TEST(ParaformerTest, SegmentsOfNoRowsOrOneRowAreFine) {
  const auto model = LoadParaformer(kFixtures + "paraformer_tiny");
  ASSERT_NE(model, nullptr);
  Workspace workspace;
  const auto rows = testing::RandomFloats(560, 1);
  std::vector<Hypothesis> hypotheses(3, {.ids = {7}, .scores = {0}, .times = {}});  // leftovers must go
  const std::vector<int64_t> one = {0, 0, 1, 1}, none = {0, 0, 0, 0}, nothing = {0};
  model->Recognise({rows.data(), 560, one}, workspace, hypotheses);
  EXPECT_TRUE(hypotheses[0].ids.empty());
  EXPECT_TRUE(hypotheses[2].ids.empty());
  model->Recognise({nullptr, 560, none}, workspace, hypotheses);
  EXPECT_TRUE(hypotheses[1].ids.empty());
  model->Recognise({nullptr, 560, nothing}, workspace, {});
  EXPECT_EQ(model->Text(hypotheses[0]).text, "");
}

TEST(ParaformerTest, TheDemoModelTranscribes) {
  const auto model = LoadParaformer(TUTTI_SOURCE_DIR "/models/demo-paraformer");
  ASSERT_NE(model, nullptr);
  // It has never heard this speaker: whatever it hears, it is words of its vocabulary.
  const std::string text = Transcribe(*model, Features(*model, kFixtures + "audio/clip_a.wav"));
  EXPECT_NE(text, "");
  EXPECT_EQ(text.find("@@"), text.npos) << text;
}

TEST(ParaformerTest, OneModelGivesEveryThreadTheSameText) {
  const auto model = LoadParaformer(kFixtures + "paraformer_tiny");
  ASSERT_NE(model, nullptr);
  const auto rows = ReadNpy(kFixtures + "paraformer_tiny/clip_a.feats.npy").values;
  const std::string expected = Transcribe(*model, rows);
  std::vector<std::string> texts(8);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&text, &model, &rows] {
      for (int i = 0; i < 3; ++i) text = Transcribe(*model, rows);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(texts, ::testing::Each(expected));
}

ModelPackage TinyPackage() {
  auto package = ModelPackage::Open(kFixtures + "paraformer_tiny");
  EXPECT_TRUE(package.ok()) << package.status();
  return package.ok() ? *std::move(package) : ModelPackage();
}

// What loading says when, in the text of config.yaml, `replacement` stands for each `line`.
absl::Status LoadWith(const std::vector<std::pair<std::string, std::string>>& replacements) {
  std::ifstream file(kFixtures + "paraformer_tiny/config.yaml");
  std::string yaml((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const auto& [line, replacement] : replacements) {
    const size_t at = yaml.find(line);
    if (at == yaml.npos) return absl::NotFoundError(line);
    yaml.replace(at, line.size(), replacement);
  }
  ModelPackage package = TinyPackage();
  auto config = Config::ParseYaml(yaml, "config.yaml");
  if (!config.ok()) return config.status();
  package.config = *config;
  return Paraformer::Load(package).status();
}

TEST(ParaformerLoadTest, NamesTheTensorWhoseShapeIsNotWhatTheConfigurationSays) {
  const absl::Status status = LoadWith({{"output_size: 64", "output_size: 128"}, {"idim: 64", "idim: 128"}});
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(Message(status), HasSubstr("model.pt: tensor encoder.encoders0.0.self_attn.linear_q_k_v.weight has shape "
                                         "[192, 560], expected [384, 560]"));
}

TEST(ParaformerLoadTest, SelectsThePredictorByItsNameAndItsShape) {
  const absl::Status status = LoadWith({{"CifPredictorV2", "CifPredictor"}});
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(Message(status), HasSubstr("predictor.cif_conv1d.weight has shape [64, 64, 3], expected [64, 1, 3]"));
}

TEST(ParaformerLoadTest, RefusesWeightsWithMoreLayersThanTheConfigurationUses) {
  const std::tuple<const char*, const char*, const char*> kCases[] = {
      {"num_blocks: 4", "num_blocks: 3", "encoder.encoders.2."},
      {"att_layer_num: 3", "att_layer_num: 2", "decoder.decoders.2."},
      {"num_blocks: 5", "num_blocks: 4", "decoder.decoders2.1."}};
  for (const auto& [line, replacement, layer] : kCases) {
    const absl::Status status = LoadWith({{line, replacement}});
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(Message(status), HasSubstr(layer));
  }
}

TEST(ParaformerLoadTest, RefusesWidthsThatDoNotFitTogether) {
  EXPECT_THAT(Message(LoadWith({{"attention_heads: 4", "attention_heads: 5"}})), HasSubstr("attention_heads 5"));
  EXPECT_THAT(Message(LoadWith({{"idim: 64", "idim: 32"}})), HasSubstr("idim is 32"));
}

TEST(ParaformerLoadTest, RefusesGraphsItDoesNotKnow) {
  const std::pair<const char*, const char*> kCases[] = {{"SANMEncoder", "ConformerEncoder"},
                                                        {"input_layer: pe", "input_layer: conv2d"},
                                                        {"normalize_before: true", "normalize_before: false"},
                                                        {"ParaformerSANMDecoder", "TransformerDecoder"},
                                                        {"CifPredictorV2", "CifPredictorV3"}};
  for (const auto& [line, replacement] : kCases) {
    EXPECT_EQ(LoadWith({{line, replacement}}).code(), absl::StatusCode::kUnimplemented) << replacement;
  }
}

TEST(AsrModelTest, AnUnknownFamilyIsAnErrorThatListsTheKnownOnes) {
  ModelPackage package = TinyPackage();
  ASSERT_TRUE(AsrModel::Load(package).ok());
  package.model_type = "Conformer";
  const auto model = AsrModel::Load(package);
  ASSERT_EQ(model.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(Message(model.status()), HasSubstr("Conformer"));
  EXPECT_THAT(Message(model.status()), HasSubstr("there is Paraformer, SenseVoiceSmall"));
}

}  // namespace
}  // namespace tutti

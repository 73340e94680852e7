// A Whisper that knows English only: its vocabulary is one token smaller, and its prompt has neither language nor task.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "checkpoint/byte_letters.h"
#include "models/whisper.h"
#include "tests/checkpoint/ctranslate2_file.h"
#include "tests/support/asr.h"
#include "tests/support/folder.h"
#include "tests/support/random.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The published vocabulary's size and special tokens, and a small network of random weights.
class WhisperEnglishTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kWidth = 32, kHidden = 64, kTokens = 51'864;
  static constexpr int32_t kEnd = 50'256, kStart = 50'257, kNoTimes = 50'362;

  void SetUp() override {
    Tensor("encoder/conv1", {kWidth, 80, 3});
    Tensor("encoder/conv2", {kWidth, kWidth, 3});
    Tensor("decoder/embeddings", {kTokens, kWidth}, false);
    for (const auto& [half, positions] : {std::tuple<std::string, uint32_t>("encoder", 1500), {"decoder", 448}}) {
      variables_.push_back(
          ctranslate2_file::Variable(half + "/num_heads", {}, ctranslate2_file::kI8, ctranslate2_file::Raw(int8_t{2})));
      Add(half + "/position_encodings/encodings", {positions, kWidth}, 1);
      Norm(half + "/layer_norm");
      const std::string layer = half + "/layer_0/";
      Norm(layer + "self_attention/layer_norm");
      Tensor(layer + "self_attention/linear_0", {3 * kWidth, kWidth});
      Tensor(layer + "self_attention/linear_1", {kWidth, kWidth});
      Norm(layer + "ffn/layer_norm");
      Tensor(layer + "ffn/linear_0", {kHidden, kWidth});
      Tensor(layer + "ffn/linear_1", {kWidth, kHidden});
      if (half == "encoder") continue;
      Norm(layer + "attention/layer_norm");
      Tensor(layer + "attention/linear_0", {kWidth, kWidth});
      Tensor(layer + "attention/linear_1", {2 * kWidth, kWidth});
      Tensor(layer + "attention/linear_2", {kWidth, kWidth});
    }
    folder_.Write("model.bin", ctranslate2_file::File(variables_));
    folder_.Write("config.json", R"({"suppress_ids": [50256, 50257, 50357, 50358], "suppress_ids_begin": []})");
    std::string vocabulary;
    for (int32_t i = 0; i < kEnd; ++i) {
      vocabulary += (i < 256 ? LettersOfBytes()[static_cast<size_t>(i)] : fmt::format("w{}", i)) + "\n";
    }
    vocabulary += "<|endoftext|>\n<|startoftranscript|>\n<|en|>\n";
    for (int i = 1; i < 99; ++i) vocabulary += fmt::format("<|l{}|>\n", i);
    for (const char* name : {"translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"}) {
      vocabulary += fmt::format("<|{}|>\n", name);
    }
    for (int i = 0; i <= 1500; ++i) vocabulary += fmt::format("<|{:.2f}|>\n", i * 0.02);
    folder_.Write("vocabulary.txt", vocabulary);
    const auto package = ModelPackage::Open(folder_.path());
    ASSERT_TRUE(package.ok()) << package.status();
    auto model = Whisper::Load(*package, CheckpointWeights(package->weights), ComputeType::kF32);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
  }

  std::vector<int32_t> Prompt(const SearchOptions& options) const {
    const auto decode = model_->Translate(options);
    if (!decode.ok()) ADD_FAILURE() << decode.status();
    return decode.ok() ? decode->prompt : std::vector<int32_t>();
  }

  std::shared_ptr<const Whisper> model_;

 private:
  void Add(const std::string& name, const std::vector<uint32_t>& shape, float deviation, float mean = 0) {
    int64_t size = 1;
    for (const uint32_t n : shape) size *= n;
    std::vector<float> values = testing::RandomFloats(size, ++seed_, deviation);
    for (float& value : values) value += mean;
    variables_.push_back(
        ctranslate2_file::Variable(name, shape, ctranslate2_file::kF32, ctranslate2_file::Raw(values)));
  }
  void Norm(const std::string& name) {
    Add(name + "/gamma", {kWidth}, 0.1F, 1);
    Add(name + "/beta", {kWidth}, 0.1F);
  }
  void Tensor(const std::string& name, const std::vector<uint32_t>& shape, bool with_bias = true) {
    Add(name + "/weight", shape, 0.2F);
    if (with_bias) Add(name + "/bias", {shape[0]}, 0.1F);
  }

  const testing::Folder folder_;
  std::vector<std::string> variables_;
  uint32_t seed_ = 0;
};

TEST_F(WhisperEnglishTest, IsToldNeitherLanguageNorTask) {
  EXPECT_THAT(model_->languages(), ElementsAre("en"));
  EXPECT_FALSE(model_->translates());
  SearchOptions options;
  for (const char* language : {"", "auto", "en", "English"}) {
    options.language = language;
    EXPECT_THAT(Prompt(options), ElementsAre(kStart, kNoTimes)) << language;
    EXPECT_FALSE(model_->Translate(options)->detect_language);
  }
  options.without_timestamps = false;
  EXPECT_THAT(Prompt(options), ElementsAre(kStart));
  EXPECT_THAT(model_->Translate(options, {}, "en")->prompt, ElementsAre(kStart));
}

TEST_F(WhisperEnglishTest, CannotTranslateNorHearAnotherLanguageAndSaysSo) {
  SearchOptions options;
  options.task = Task::kTranslate;
  EXPECT_THAT(std::string(model_->Check(options).message()),
              HasSubstr("task: translate, but the model knows English only"));
  options = {};
  options.language = "de";
  EXPECT_THAT(std::string(model_->Check(options).message()),
              HasSubstr("language: \"de\", but the model knows English only"));
}

TEST_F(WhisperEnglishTest, HearsEnglishByItself) {
  SearchOptions options;
  options.beam_size = 2;
  options.max_new_tokens = 10;
  options.temperature = {0};
  options.no_speech_threshold = 1;  // scores this low are a random network's
  std::vector<float> features;
  model_->frontend()->Compute(testing::ReadWav(testing::kFixtures + "audio/clip_b.wav"), features);
  Workspace workspace;
  const auto decoding = model_->NewDecoding();
  const std::vector<Decoding::Utterance> clip = {{1, features.data(), std::ssize(features) / 80, &options}};
  decoding->Admit(clip, workspace);
  std::vector<Decoding::Finished> finished;
  while (!decoding->empty()) decoding->Step(workspace, finished);
  ASSERT_EQ(finished.size(), 1U);
  ASSERT_TRUE(finished[0].hypothesis.ok()) << finished[0].hypothesis.status();
  const Hypothesis& heard = *finished[0].hypothesis;
  EXPECT_EQ(heard.language, "en");
  EXPECT_EQ(heard.language_probability, 1.0F);
  EXPECT_FALSE(heard.ids.empty());
  for (const int32_t id : heard.ids) EXPECT_THAT(id, ::testing::Not(::testing::AnyOf(kEnd, kStart)));
}

}  // namespace
}  // namespace tutti

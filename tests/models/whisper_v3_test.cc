// A Whisper shaped as large-v3 and its distilled forms are: 128 mels, one language more, few layers in the decoder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/whisper.h"
#include "tests/support/asr.h"
#include "tests/support/npy.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::kFixtures;

const std::string kWhisperV3 = kFixtures + "whisper_v3/";

class WhisperV3Test : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto package = ModelPackage::Open(kWhisperV3);
    ASSERT_TRUE(package.ok()) << package.status();
    auto model = Whisper::Load(*package, CheckpointWeights(package->weights), ComputeType::kF32);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    model_->frontend()->Compute(testing::ReadWav(kFixtures + "audio/clip_b.wav"), features_);
    // Scores this low are a random network's; they shall not make its text silence.
    options_.language = "yue";
    options_.beam_size = 1;
    options_.no_speech_threshold = 1;
    options_.temperature = {0};
  }

  int64_t frames() const { return static_cast<int64_t>(features_.size()) / model_->frontend()->width(); }

  Hypothesis Hear(const SearchOptions& options) {
    const auto decoding = model_->NewDecoding();
    const std::vector<Decoding::Utterance> clip = {{1, features_.data(), frames(), &options}};
    decoding->Admit(clip, workspace_);
    std::vector<Decoding::Finished> finished;
    while (!decoding->empty()) decoding->Step(workspace_, finished);
    if (finished.size() == 1 && finished[0].hypothesis.ok()) return *finished[0].hypothesis;
    ADD_FAILURE() << finished.size() << " results";
    return {};
  }

  std::vector<int32_t> Expected(const std::string& name) const { return expected_["cases"][name]["tokens"][0]; }

  const nlohmann::json expected_ = testing::ReadJson(kWhisperV3 + "expected.json");
  std::shared_ptr<const Whisper> model_;
  std::vector<float> features_;
  SearchOptions options_;
  Workspace workspace_;
};

TEST_F(WhisperV3Test, TheEncodingIsThatOfCtranslate2) {
  ASSERT_EQ(model_->frontend()->width(), 128);
  ASSERT_EQ(frames(), expected_["frames"].get<int64_t>());
  const std::vector<int64_t> offsets = {0, frames()}, windows = {expected_["window"]};
  const int64_t rows = WhisperEncoder::Rows(windows[0]), width = model_->package().sizes.width;
  std::vector<float> encoded(static_cast<size_t>(rows * width));
  model_->encoder().Run(RaggedBatch{features_.data(), 128, offsets}, windows, workspace_, encoded.data());
  const auto every_tenth = testing::ReadNpy(kWhisperV3 + "clip_b.enc.npy");
  ASSERT_EQ(every_tenth.rows(), rows / 10);
  for (int64_t i = 0; i < every_tenth.rows() * width; ++i) {
    ASSERT_NEAR(encoded[static_cast<size_t>(i / width * 10 * width + i % width)],
                every_tenth.values[static_cast<size_t>(i)], 1e-3)
        << i;
  }
}

TEST_F(WhisperV3Test, FindsTheTokensOfCtranslate2InAudio) {
  SearchOptions translate = options_, beam = options_;
  translate.language = "de";
  translate.task = Task::kTranslate;
  beam.beam_size = 5;
  EXPECT_EQ(Hear(options_).ids, Expected("greedy"));
  EXPECT_EQ(Hear(translate).ids, Expected("greedy translate"));
  EXPECT_EQ(Hear(beam).ids, Expected("beam"));
}

TEST_F(WhisperV3Test, TimesBeginOneTokenLater) {
  options_.without_timestamps = false;
  std::vector<int32_t> words;
  std::ranges::copy_if(Expected("greedy with times"), std::back_inserter(words),
                       [this](int32_t token) { return token < model_->vocabulary().end; });
  const Hypothesis timed = Hear(options_);
  EXPECT_EQ(timed.ids, words);
  EXPECT_GE(timed.parts.size(), 2U);
}

TEST_F(WhisperV3Test, FindsTheLanguageAsCtranslate2Does) {
  EXPECT_THAT(model_->languages(), ::testing::Contains("yue"));
  const auto all = expected_["languages"].get<std::map<std::string, float>>();
  const auto likeliest = std::ranges::max_element(all, {}, [](const auto& language) { return language.second; });
  options_.language = "auto";
  const Hypothesis found = Hear(options_);
  EXPECT_EQ(found.language, likeliest->first);
  EXPECT_NEAR(found.language_probability.value_or(0), likeliest->second, 1e-3);
}

}  // namespace
}  // namespace tutti

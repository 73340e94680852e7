#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "models/decoding.h"
#include "models/whisper.h"
#include "tests/support/wav.h"
#include "tests/support/whisper.h"

namespace tutti::testing {

// The small Whisper of random weights, and two clips as it takes them.
class WhisperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto package = ModelPackage::Open(kWhisperTiny);
    ASSERT_TRUE(package.ok()) << package.status();
    auto model = Whisper::Load(*package, CheckpointWeights(package->weights), ComputeType::kF32);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    for (const std::string clip : {"clip_a", "clip_b"}) {
      model_->frontend()->Compute(ReadWav(fmt::format("{}audio/{}.wav", kFixtures, clip)), features_.emplace_back());
    }
  }

  // Clip 0 or 1, under its own number.
  Decoding::Utterance Clip(size_t i, const SearchOptions& options) const {
    const auto rows = static_cast<int64_t>(features_[i].size()) / model_->frontend()->width();
    return {static_cast<int64_t>(i), features_[i].data(), rows, &options};
  }

  Hypothesis Alone(size_t clip, const SearchOptions& options) {
    const auto decoding = model_->NewDecoding();
    decoding->Admit({{Clip(clip, options)}}, workspace_);
    std::vector<Decoding::Finished> finished;
    while (!decoding->empty()) decoding->Step(workspace_, finished);
    if (finished.size() != 1 || !finished[0].hypothesis.ok()) {
      ADD_FAILURE() << finished.size() << " results";
      return {};
    }
    return *finished[0].hypothesis;
  }

  std::vector<int32_t> Expected(const std::string& clip, const std::string& name) const {
    return ReadJson(kWhisperTiny + "expected.json")[clip]["cases"][name]["tokens"][0];
  }

  // What stands before the start in a prompt.
  std::string TextBefore(const WhisperDecodeOptions& decode) const {
    const auto start = std::ranges::find(decode.prompt, model_->vocabulary().start);
    return model_->PlainText({decode.prompt.begin() + 1, start});
  }

  std::string Refused(const SearchOptions& options) const { return std::string(model_->Check(options).message()); }

  // Scores this low are a random network's; they shall not make its text silence.
  static SearchOptions Greedy() {
    SearchOptions options;
    options.language = "en";
    options.beam_size = 1;
    options.no_speech_threshold = 1;
    options.temperature = {0};
    return options;
  }

  std::shared_ptr<const Whisper> model_;
  std::vector<std::vector<float>> features_;
  Workspace workspace_;
};

}  // namespace tutti::testing

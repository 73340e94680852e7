#include "models/whisper_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/synthetic.h"
#include "nn/team.h"
#include "tests/support/random.h"
#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::kWhisperTiny;
using testing::RandomFloats;
using testing::ReadNpy;
using testing::RelativeError;
using testing::TinyWhisper;

constexpr int64_t kMels = 80, kEncoderWidth = 64;

// Windows with this many frames of this many.
struct Window {
  int64_t frames, of;
};
const std::vector<Window> kWindows = {{299, 500}, {0, 2}, {710, 1000}, {1000, 1000}, {1, 193}, {31, 32}, {5, 7}};

std::vector<std::vector<float>> EncodeTogether(const WhisperEncoder& encoder, const std::vector<size_t>& which,
                                               Workspace& workspace) {
  std::vector<std::vector<float>> features;
  std::vector<const float*> starts;
  std::vector<int64_t> offsets = {0}, windows;
  int64_t rows = 0;
  for (const size_t i : which) {
    features.push_back(RandomFloats(kWindows[i].frames * kMels, 100 + static_cast<uint32_t>(i)));
    offsets.push_back(offsets.back() + kWindows[i].frames);
    windows.push_back(kWindows[i].of);
    rows += WhisperEncoder::Rows(kWindows[i].of);
  }
  for (const auto& of_window : features) starts.push_back(of_window.data());
  std::vector<float> encoded(static_cast<size_t>(rows * kEncoderWidth));
  encoder.Run({starts, kMels, offsets}, windows, workspace, encoded.data());
  std::vector<std::vector<float>> parts;
  const float* at = encoded.data();
  for (const int64_t window : windows) {
    const int64_t floats = WhisperEncoder::Rows(window) * kEncoderWidth;
    parts.emplace_back(at, at + floats);
    at += floats;
  }
  return parts;
}

TEST(WhisperEncoderTest, AgreesWithCtranslate2) {
  const TinyWhisper model;
  ASSERT_TRUE(model.encoder);
  Workspace workspace;
  const auto encoded = model.Encode(ReadNpy(kWhisperTiny + "clip_b.feats.npy").values, 500, workspace);
  const auto expected = ReadNpy(kWhisperTiny + "clip_b.enc.npy");
  ASSERT_EQ(encoded.size(), expected.values.size());
  for (size_t i = 0; i < encoded.size(); ++i) ASSERT_NEAR(encoded[i], expected.values[i], 1e-3) << i;
}

TEST(WhisperEncoderTest, StaysNearF32InNarrowerTypes) {
  const TinyWhisper model;
  ASSERT_TRUE(model.encoder);
  Workspace workspace;
  const auto expected = EncodeTogether(*model.encoder, {0, 2}, workspace);
  for (const ComputeType type : {ComputeType::kBf16, ComputeType::kInt8}) {
    const TinyWhisper narrow(type);
    const auto found = EncodeTogether(*narrow.encoder, {0, 2}, workspace);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_LT(RelativeError(found[i], expected[i]), 0.1) << Name(type);
  }
}

TEST(WhisperEncoderTest, EveryWindowHasTheSameBitsAloneInAnyBatchAndWithATeam) {
  Workspace workspace, with_team;
  Team team(2);
  with_team.set_team(&team);
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const TinyWhisper model(type);
    ASSERT_TRUE(model.encoder);
    std::vector<std::vector<float>> alone;
    for (size_t i = 0; i < kWindows.size(); ++i) alone.push_back(EncodeTogether(*model.encoder, {i}, workspace)[0]);
    const std::vector<size_t> order = {3, 0, 6, 2, 5, 1, 4};
    const auto together = EncodeTogether(*model.encoder, order, workspace);
    const auto shared = EncodeTogether(*model.encoder, order, with_team);
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_EQ(together[i], alone[order[i]]) << Name(type) << ", window " << order[i];
      EXPECT_EQ(shared[i], alone[order[i]]) << Name(type) << ", window " << order[i];
    }
  }
}

TEST(WhisperEncoderTest, PaddingIsZerosOfFeatures) {
  const TinyWhisper model;
  ASSERT_TRUE(model.encoder);
  Workspace workspace;
  auto features = RandomFloats(40 * kMels, 1);
  const auto short_of_it = model.Encode(features, 100, workspace);
  features.resize(100 * kMels, 0.0F);
  EXPECT_EQ(model.Encode(features, 100, workspace), short_of_it);
}

TEST(WhisperEncoderTest, LoadsEverySizeAndSaysWhatDoesNotFit) {
  const RandomWeights source(5);
  WhisperDims dims = {
      .mels = 128, .width = 48, .encoder_heads = 3, .hidden = 72, .encoder_layers = 3, .audio_positions = 40};
  const auto encoder = WhisperEncoder::Load(source, dims);
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  Workspace workspace;
  const auto features = RandomFloats(80 * 128, 2);
  const std::vector<int64_t> offsets = {0, 80}, windows = {80};
  std::vector<float> encoded(40 * 48);
  encoder->Run(RaggedBatch{features.data(), 128, offsets}, windows, workspace, encoded.data());
  EXPECT_TRUE(std::ranges::all_of(encoded, [](float x) { return std::isfinite(x); }));

  const auto checkpoint = Checkpoint::Open(kWhisperTiny + "model.bin");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  dims = testing::TinyWhisperDims();
  dims.mels = 128;
  const auto wrong = WhisperEncoder::Load(CheckpointWeights(*checkpoint), dims);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Message(wrong.status()).find("encoder/conv1/weight"), std::string::npos) << wrong.status();
  dims = testing::TinyWhisperDims();
  dims.encoder_heads = 3;
  EXPECT_EQ(WhisperEncoder::Load(CheckpointWeights(*checkpoint), dims).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti

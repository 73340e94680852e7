#include "models/fsmn_vad.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/random.h"
#include "tests/support/vad_model.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoadVadModel;
using testing::RandomFloats;
using testing::ReadWav;

const std::string kVadFixtures = TUTTI_SOURCE_DIR "/tests/data/fixtures";

class FsmnVadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = LoadVadModel();
    ASSERT_NE(model_, nullptr);
  }

  std::vector<VadSegment> Detect(std::span<const float> samples, const VadOptions& options) {
    auto segments = DetectSpeech(model_, samples, options, workspace_);
    EXPECT_TRUE(segments.ok()) << segments.status();
    return *segments;
  }

  const std::vector<float> sound_ = ReadWav(kVadFixtures + "/audio/long.wav");  // 50 s of sentences with pauses
  std::shared_ptr<const FsmnVad> model_;
  Workspace workspace_;
};

// Feeds samples in random pieces up to `longest` and returns what the events say.
std::vector<VadSegment> InPieces(VadStream& stream, std::span<const float> samples, size_t longest,
                                 Workspace& workspace, std::mt19937& random) {
  std::vector<VadEvent> events;
  while (true) {
    const size_t piece = std::min(samples.size(), random() % (longest + 1));
    const bool is_final = piece == samples.size() && random() % 2 == 0;
    stream.Accept(samples.first(piece), is_final, workspace, events);
    samples = samples.subspan(piece);
    if (is_final) break;
  }
  std::vector<VadSegment> segments;
  AppendSegments(events, segments);
  return segments;
}

TEST_F(FsmnVadTest, SegmentsOfARealRecordingAreTheReferences) {
  std::ifstream file(kVadFixtures + "/expected_models.json");
  const auto expected = nlohmann::json::parse(file);
  const std::string prefix = "fsmn_vad_real/long|";
  int cases = 0;
  for (const auto& [key, result] : expected.items()) {
    if (key.compare(0, prefix.size(), prefix) != 0) continue;
    const auto call = nlohmann::json::parse(key.substr(prefix.size()));
    VadOptions options = model_->default_options();
    options.dynamic_silence = !call.contains("max_end_silence_time");
    options.max_end_silence_time = call.value("max_end_silence_time", options.max_end_silence_time);
    std::vector<VadSegment> segments;
    for (const auto& pair : result[0]["value"]) segments.push_back({pair[0], pair[1]});
    EXPECT_EQ(Detect(sound_, options), segments) << key;
    ++cases;
  }
  EXPECT_EQ(cases, 3);
}

TEST_F(FsmnVadTest, AnyCutGivesTheSegmentsOfTheWhole) {
  std::mt19937 random(1);
  const auto sound = std::span(sound_).first(16'000 * 20);
  VadOptions impatient, dynamic, loud;
  impatient.max_end_silence_time = 300;
  dynamic.dynamic_silence = true;
  dynamic.chunk_size = 7000;
  loud.snr_thres = 12;
  loud.decibel_thres = -25;
  for (const VadOptions& options : {VadOptions(), impatient, dynamic, loud}) {
    const auto whole = Detect(sound, options);
    EXPECT_GT(whole.size(), 1u);
    const auto stream = VadStream::Create(model_, options);
    ASSERT_TRUE(stream.ok());
    for (const size_t longest : {size_t{1'000'000}, size_t{9600}, size_t{3200}, size_t{700}}) {
      // One stream for all: as new after each end.
      EXPECT_EQ(InPieces(**stream, sound, longest, workspace_, random), whole) << longest;
    }
  }
}

TEST_F(FsmnVadTest, SilenceProbabilitiesHaveTheSameBitsForAnyCutOfTheStream) {
  std::vector<float> features;
  model_->frontend()->Compute(std::span(sound_).first(16'000 * 8), features);
  const int64_t rows = static_cast<int64_t>(features.size()) / model_->frontend()->width();
  const int ids[] = {0, 5, 17};
  FsmnVad::Memory memory;
  std::vector<float> whole(static_cast<size_t>(rows)), pieces(whole.size());
  model_->Silence(features.data(), rows, ids, memory, workspace_, whole.data());
  std::mt19937 random(2);
  for (const uint32_t longest : {1U, 7U, 40U, 200U}) {
    FsmnVad::Memory carried;
    for (int64_t row = 0; row < rows;) {
      const int64_t piece = std::min<int64_t>(rows - row, 1 + random() % longest);
      model_->Silence(features.data() + row * model_->frontend()->width(), piece, ids, carried, workspace_,
                      pieces.data() + row);
      row += piece;
    }
    ASSERT_TRUE(whole == pieces) << longest;
  }
}

TEST_F(FsmnVadTest, WhatIsNotSpeechHasNoSegments) {
  for (const bool dynamic : {false, true}) {
    VadOptions options;
    options.dynamic_silence = dynamic;
    EXPECT_THAT(Detect({}, options), IsEmpty());
    EXPECT_THAT(Detect(std::vector<float>(1, 0.5F), options), IsEmpty());
    EXPECT_THAT(Detect(std::vector<float>(399, 0.5F), options), IsEmpty());
    EXPECT_THAT(Detect(std::vector<float>(400, 0.5F), options), IsEmpty());
    EXPECT_THAT(Detect(std::vector<float>(16'000 * 5), options), IsEmpty());
    EXPECT_THAT(Detect(RandomFloats(16'000 * 5, 3, 0.01F), options), IsEmpty());
  }
}

TEST_F(FsmnVadTest, AudioOfWholeChunksEndsWithAnEmptyOne) {
  VadOptions options;
  options.dynamic_silence = true;
  options.chunk_size = 10'000;
  const auto whole = Detect(std::span(sound_).first(16'000 * 20), options);
  EXPECT_GT(whole.size(), 0u);
  const auto stream = VadStream::Create(model_, options);
  ASSERT_TRUE(stream.ok());
  std::vector<VadEvent> events;
  (*stream)->Accept(std::span(sound_).first(16'000 * 20), false, workspace_, events);
  (*stream)->Accept({}, true, workspace_, events);
  std::vector<VadSegment> segments;
  AppendSegments(events, segments);
  EXPECT_EQ(segments, whole);
}

TEST_F(FsmnVadTest, NoSegmentIsLongerThanTheLongestAllowed) {
  VadOptions options;
  options.max_single_segment_time = 5000;
  const auto segments = Detect(sound_, options);
  EXPECT_GT(segments.size(), Detect(sound_, {}).size());
  for (const VadSegment& segment : segments) EXPECT_LE(segment.end_ms - segment.start_ms, 5010);
}

TEST_F(FsmnVadTest, SingleModeFindsTheFirstSegmentOnly) {
  VadOptions options;
  options.detect_mode = VadOptions::DetectMode::kSingle;
  EXPECT_EQ(Detect(sound_, options), std::vector<VadSegment>({Detect(sound_, {})[0]}));
}

TEST_F(FsmnVadTest, FirstNeededFrameLetsOldAudioGo) {
  const auto stream = VadStream::Create(model_, {});
  ASSERT_TRUE(stream.ok());
  std::vector<VadEvent> events;
  (*stream)->Accept(std::vector<float>(16'000 * 10), false, workspace_, events);
  // 400 ms before the next decision, two rows of right context and the frames of the last samples.
  EXPECT_GE((*stream)->first_needed_frame(), 1000 - 40 - 2 - 2);
}

TEST_F(FsmnVadTest, ReadsItsOptionsFromThePackageTopLevelFirst) {
  EXPECT_EQ(model_->default_options().max_end_silence_time, 800);
  EXPECT_FALSE(model_->default_options().dynamic_silence);
  auto package = ModelPackage::Open(TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad");
  ASSERT_TRUE(package.ok());
  package->config = *Config::ParseYaml(
      "model_conf: {max_end_silence_time: 700, snr_thres: -5, do_extend: 0}\n"
      "max_end_silence_time: 900\n"
      "frontend_conf: {lfr_m: 5, lfr_n: 1}\n",
      "test.yaml");
  const auto model = FsmnVad::Load(*package);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->default_options().max_end_silence_time, 900);
  EXPECT_EQ((*model)->default_options().snr_thres, -5);
  EXPECT_FALSE((*model)->default_options().do_extend);
}

TEST_F(FsmnVadTest, WeightsFromTheOnnxFileGiveTheSameSegments) {
  auto package = ModelPackage::Open(TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad");
  ASSERT_TRUE(package.ok());
  const auto onnx = Checkpoint::Open(TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad/model.onnx");
  ASSERT_TRUE(onnx.ok()) << onnx.status();
  const auto expected = Detect(sound_, {});
  package->weights = *onnx;
  const auto model = FsmnVad::Load(*package);
  ASSERT_TRUE(model.ok()) << model.status();
  model_ = *model;
  EXPECT_EQ(Detect(sound_, {}), expected);
}

TEST_F(FsmnVadTest, RefusesAPackageItCannotServeAndSaysWhy) {
  auto package = ModelPackage::Open(TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad");
  ASSERT_TRUE(package.ok());
  const auto refused = [&](const std::string& yaml) {
    ModelPackage changed = *package;
    changed.config = *Config::ParseYaml(yaml, "test.yaml");
    return FsmnVad::Load(changed).status();
  };
  const std::string rows = "frontend_conf: {lfr_m: 5, lfr_n: 1}\n";
  EXPECT_THAT(Message(refused(rows + "encoder_conf: {rorder: 3}")), HasSubstr("rorder: 3"));
  EXPECT_THAT(Message(refused(rows + "encoder_conf: {proj_dim: 64}")), HasSubstr("encoder.fsmn.0"));
  EXPECT_THAT(Message(refused(rows + "encoder_conf: {fsmn_layers: 5}")), HasSubstr("encoder.fsmn.4"));
  EXPECT_THAT(Message(refused(rows + "encoder: Transformer")), HasSubstr("Transformer"));
  EXPECT_THAT(Message(refused(rows + "sil_pdf_ids: [248]")), HasSubstr("248"));
  EXPECT_THAT(Message(refused(rows + "max_end_silence_time: -5")), HasSubstr("max_end_silence_time"));
  EXPECT_THAT(Message(refused(rows + "model_conf: {sample_rate: 8000}")), HasSubstr("8000"));
  EXPECT_THAT(Message(refused("frontend_conf: {lfr_m: 5, lfr_n: 2}")), HasSubstr("lfr_n"));
  package->model_type = "Paraformer";
  EXPECT_THAT(Message(refused(rows)), HasSubstr("Paraformer"));
}

TEST_F(FsmnVadTest, RefusesSilenceClassesTheModelDoesNotHave) {
  VadOptions options;
  options.sil_pdf_ids = {0, 248};
  const auto stream = VadStream::Create(model_, options);
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(stream.status()), HasSubstr("248"));
}

}  // namespace
}  // namespace tutti

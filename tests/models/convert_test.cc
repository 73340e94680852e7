#include "models/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "checkpoint/gguf_package.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/half.h"
#include "models/fsmn_vad.h"
#include "models/paraformer.h"
#include "tests/models/convert_fixture.h"
#include "tests/support/asr.h"
#include "tests/support/folder.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using testing::kConvertedTypes;
using testing::kFixtures;

const std::string kTiny = kFixtures + "paraformer_tiny";
const std::string kDemo = TUTTI_SOURCE_DIR "/models/demo-paraformer";  // f16
const std::string kSense = kFixtures + "sensevoice_tiny";
const std::string kVad = TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad";

ModelPackage Open(const std::string& path) {
  auto package = ModelPackage::Open(path);
  EXPECT_TRUE(package.ok()) << package.status();
  return package.ok() ? *std::move(package) : ModelPackage();
}

// What a recording becomes, with the bits of every score.
struct Outcome {
  std::vector<int32_t> ids;
  std::vector<float> scores;
  std::string text;
  ComputeType type = ComputeType::kAuto;
  bool operator==(const Outcome&) const = default;
  friend void PrintTo(const Outcome& outcome, std::ostream* out) {
    *out << Name(outcome.type) << " " << outcome.text << " " << ::testing::PrintToString(outcome.scores);
  }
};

Outcome Recognise(const AsrModel& model) {
  std::vector<float> rows;
  model.frontend()->Compute(testing::ReadWav(kFixtures + "audio/clip_a.wav"), rows);
  const int64_t width = model.frontend()->width();
  const std::vector<int64_t> offsets = {0, static_cast<int64_t>(rows.size()) / width};
  Workspace workspace;
  Hypothesis hypothesis;
  model.Recognise({rows.data(), width, offsets}, workspace, {&hypothesis, 1});
  EXPECT_FALSE(hypothesis.ids.empty());
  return {hypothesis.ids, hypothesis.scores, model.Text(hypothesis).text, model.compute_type()};
}

Outcome Recognise(const std::string& path, ComputeType type) {
  const auto model = AsrModel::Load(Open(path), type);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? Recognise(**model) : Outcome();
}

class ConvertTest : public testing::ConvertFixture {};

TEST_F(ConvertTest, AConvertedModelGivesWhatItsDirectoryGivesToTheLastBit) {
  for (const std::string& directory : {kTiny, kDemo, kSense}) {
    for (const ComputeType type : kConvertedTypes) {
      const Outcome converted = Recognise(Convert(directory, type), type);
      // What runs in f32 because the CPU lacks the type has rounded weights, which the directory's are not.
      if (converted.type != type) continue;
      EXPECT_EQ(converted, Recognise(directory, type)) << directory << " " << Name(type);
    }
  }
}

TEST_F(ConvertTest, AnF32FileGivesWhatTheDirectoryGivesInEveryType) {
  const std::string file = Convert(kDemo, ComputeType::kF32);
  for (const ComputeType type : kConvertedTypes) EXPECT_EQ(Recognise(file, type), Recognise(kDemo, type)) << Name(type);
}

TEST_F(ConvertTest, AutoTakesTheTypeOfTheFileWhereTheCpuHasIt) {
  for (const ComputeType type : kConvertedTypes) {
    const std::string file = Convert(kTiny, type);
    const bool narrow = type != ComputeType::kF32 && ResolveComputeType(type) == type;
    const ComputeType expected = narrow ? type : ResolveComputeType(ComputeType::kAuto);
    EXPECT_EQ(Recognise(file, ComputeType::kAuto).type, expected) << Name(type);
    EXPECT_EQ(Recognise(file, ComputeType::kF32).type, ComputeType::kF32) << Name(type);
  }
}

TEST_F(ConvertTest, TheBytesDependOnTheModelAlone) {
  for (const ComputeType type : kConvertedTypes) {
    const std::string first = testing::BytesOf(Convert(kTiny, type, "first"));
    EXPECT_EQ(first, testing::BytesOf(Convert(kTiny, type, "second")));
    EXPECT_EQ(first, testing::BytesOf(Convert(Convert(kTiny, ComputeType::kF32), type, "third"))) << "from an f32 file";
  }
}

TEST_F(ConvertTest, AVadStaysF32AndGivesTheSameBits) {
  const std::string file = Convert(kVad, ComputeType::kInt8);
  EXPECT_EQ(testing::BytesOf(file), testing::BytesOf(Convert(kVad, ComputeType::kF32, "f32")));
  const auto samples = testing::ReadWav(kFixtures + "audio/long.wav");
  std::vector<float> silence[2];
  for (const auto& [path, out] : {std::pair(kVad, &silence[0]), std::pair(file, &silence[1])}) {
    const auto vad = FsmnVad::Load(Open(path));
    ASSERT_TRUE(vad.ok()) << vad.status();
    std::vector<float> rows;
    (*vad)->frontend()->Compute(samples, rows);
    out->resize(rows.size() / static_cast<size_t>((*vad)->frontend()->width()));
    FsmnVad::Memory memory;
    Workspace workspace;
    const std::vector<int> ids = {0};
    (*vad)->Silence(rows.data(), static_cast<int64_t>(out->size()), ids, memory, workspace, out->data());
  }
  EXPECT_EQ(silence[0], silence[1]);
}

TEST_F(ConvertTest, WhatDoesNotRunIsNotConverted) {
  EXPECT_EQ(ConvertModel("/nowhere", folder_ / "x", ComputeType::kF32).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(ConvertModel(kTiny, folder_ / "x", ComputeType::kAuto)), HasSubstr("expected f32, bf16 or int8"));
  const std::string broken = folder_ / "broken";
  std::filesystem::copy(kTiny, broken);
  std::filesystem::remove(broken + "/tokens.json");
  EXPECT_THAT(Message(ConvertModel(broken, folder_ / "x", ComputeType::kF32)), HasSubstr("token"));
  const std::string narrow = Convert(kTiny, ComputeType::kInt8);
  EXPECT_THAT(Message(ConvertModel(narrow, folder_ / "x", ComputeType::kF32)),
              HasSubstr("is converted to int8 already"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x"));
}

// Hands out a checkpoint's tensors, some of them replaced, and notes how each is asked for.
class TestWeights final : public WeightSource {
 public:
  explicit TestWeights(std::shared_ptr<const Checkpoint> checkpoint) : weights_(std::move(checkpoint)) {}

  bool Has(std::string_view name) const override { return weights_.Has(name); }
  absl::StatusOr<Weight> Get(std::string_view name, std::span<const int64_t> shape) const override {
    others.emplace(name);
    const auto found = replaced.find(std::string(name));
    if (found != replaced.end()) return Weight(found->second);
    return weights_.Get(name, shape);
  }
  absl::StatusOr<StoredMatrix> GetMatrix(std::string_view name, int64_t out, int64_t in) const override {
    matrices.emplace(name);
    return WeightSource::GetMatrix(name, out, in);
  }

  std::map<std::string, std::vector<float>> replaced;
  mutable std::set<std::string> matrices, others;

 private:
  const CheckpointWeights weights_;
};

TEST_F(ConvertTest, EveryMatrixOfTheNetworkButTheOutputLayerIsNarrow) {
  for (const std::string& directory : {kTiny, kDemo, kSense, kFixtures + "whisper_forms/openai"}) {
    const ModelPackage package = Open(directory);
    const TestWeights weights(package.weights);
    ASSERT_TRUE(AsrModel::Load(package, weights, ComputeType::kF32).ok());
    EXPECT_GT(weights.matrices.size(), 10u);
    for (const std::string& name : weights.others) {
      const bool is_output = name == "decoder.output_layer.weight" || name == "ctc.ctc_lo.weight";
      const bool is_matrix = weights.matrices.contains(name) && !is_output;
      EXPECT_EQ(IsNarrowMatrix(name), is_matrix) << name;
    }
  }
}

// Writes the tiny Paraformer as FunASR's runtime/llama.cpp does and gives the values that its tensors then stand for.
class UpstreamParaformer {
 public:
  UpstreamParaformer(const ModelPackage& package, gguf::TensorType type) : package_(package), type_(type) {
    writer_.Add("general.architecture", std::string("paraformer"));
    const auto put = [&](const char* key, const char* from) {
      writer_.AddU32(key, static_cast<uint32_t>(*package.config.GetInt(from, 0)));
    };
    put("pf.enc.output_size", "encoder_conf.output_size");
    put("pf.enc.attention_heads", "encoder_conf.attention_heads");
    put("pf.enc.num_blocks", "encoder_conf.num_blocks");
    put("pf.enc.kernel_size", "encoder_conf.kernel_size");
    put("pf.dec.num_blocks", "decoder_conf.num_blocks");
    put("pf.dec.att_layer_num", "decoder_conf.att_layer_num");
    put("pf.dec.attention_heads", "decoder_conf.attention_heads");
    put("pf.dec.kernel_size", "decoder_conf.kernel_size");
    writer_.AddU32("pf.dec.decoders3", 1);
    writer_.AddU32("pf.vocab_size", static_cast<uint32_t>(package.tokens.size()));
    writer_.Add("pf.vocab", package.tokens);
    writer_.AddF32("pf.predictor.tail_threshold", 0.45F);
    writer_.AddF32("pf.predictor.threshold", 1.0F);
    AddFloats("cmvn.shift", {static_cast<int64_t>(package.cmvn.shift.size())}, package.cmvn.shift);
    AddFloats("cmvn.scale", {static_cast<int64_t>(package.cmvn.scale.size())}, package.cmvn.scale);
    for (const auto& [name, view] : package.weights->tensors()) AddTensor(name, view.shape);
  }

  absl::Status Write(const std::string& path) const { return writer_.Write(path); }
  const std::map<std::string, std::vector<float>>& values() const { return values_; }

 private:
  void AddTensor(const std::string& name, const std::vector<int64_t>& shape) {
    if (name == "decoder.embed.0.weight") return;
    const std::vector<float> floats = *package_.weights->Floats(name, shape);
    const bool narrow = shape.size() == 2 && name.find("norm") == name.npos && name.find("cif_output") == name.npos;
    if (name.ends_with("fsmn_block.weight")) {
      std::vector<float> by_taps;
      for (int64_t j = 0; j < shape[2]; ++j) {
        for (int64_t c = 0; c < shape[0]; ++c) by_taps.push_back(floats[static_cast<size_t>(c * shape[2] + j)]);
      }
      AddFloats(name, {shape[2], shape[0]}, by_taps);
    } else if (narrow && type_ == gguf::kTensorF16) {
      AddHalves(name, shape, floats);
    } else if (narrow && type_ == gguf::kTensorQ8_0 && shape[1] % 32 == 0) {
      AddBlocks(name, shape, floats);
    } else {
      AddFloats(name, shape, floats);
    }
  }

  void Add(const std::string& name, gguf::TensorType type, const std::vector<int64_t>& shape, std::string bytes) {
    writer_.AddTensor(name, type, shape, bytes.size(),
                      [bytes](const GgufWriter::Sink& sink) { return sink(std::as_bytes(std::span(bytes))); });
  }
  template <typename T>
  static void Append(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  void AddFloats(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& floats) {
    std::string bytes;
    for (const float value : floats) Append(bytes, value);
    Add(name, gguf::kTensorF32, shape, bytes);
  }

  // Cut to the 11 bits that a half has; weights are neither tiny nor huge.
  static uint16_t Half(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto exponent = static_cast<int>((bits >> 23) & 0xff) - 112;
    if (exponent <= 0) return 0;
    return static_cast<uint16_t>((bits >> 16 & 0x8000) | static_cast<uint32_t>(exponent) << 10 | (bits >> 13 & 0x3ff));
  }

  void AddHalves(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& floats) {
    std::string bytes;
    for (const float value : floats) {
      Append(bytes, Half(value));
      values_[name].push_back(FloatFromHalf(Half(value)));
    }
    Add(name, gguf::kTensorF16, shape, bytes);
  }

  void AddBlocks(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& floats) {
    std::string bytes;
    for (size_t block = 0; block < floats.size(); block += 32) {
      float largest = 0;
      for (size_t i = 0; i < 32; ++i) largest = std::max(largest, std::abs(floats[block + i]));
      const float scale = largest / 127;
      Append(bytes, Half(scale));
      for (size_t i = 0; i < 32; ++i) {
        const auto level = static_cast<int8_t>(scale > 0 ? std::round(floats[block + i] / scale) : 0);
        Append(bytes, level);
        values_[name].push_back(FloatFromHalf(Half(scale)) * static_cast<float>(level));
      }
    }
    Add(name, gguf::kTensorQ8_0, shape, bytes);
  }

  const ModelPackage& package_;
  const gguf::TensorType type_;
  GgufWriter writer_{32};
  std::map<std::string, std::vector<float>> values_;
};

TEST_F(ConvertTest, UpstreamParaformersOfEveryTypeRun) {
  const ModelPackage package = Open(kTiny);
  for (const auto type : {gguf::kTensorF32, gguf::kTensorF16, gguf::kTensorQ8_0}) {
    const UpstreamParaformer upstream(package, type);
    ASSERT_TRUE(upstream.Write(folder_ / "upstream.gguf").ok());
    EXPECT_EQ(upstream.values().empty(), type == gguf::kTensorF32);
    TestWeights weights(package.weights);
    weights.replaced = upstream.values();
    const auto expected = AsrModel::Load(package, weights, ComputeType::kF32);
    ASSERT_TRUE(expected.ok()) << expected.status();
    EXPECT_EQ(Recognise(folder_ / "upstream.gguf", ComputeType::kF32), Recognise(**expected)) << type;
    const std::string ours = Convert(folder_ / "upstream.gguf", ComputeType::kF32);
    EXPECT_EQ(Recognise(ours, ComputeType::kInt8), Recognise(folder_ / "upstream.gguf", ComputeType::kInt8)) << type;
  }
}

TEST_F(ConvertTest, AnUpstreamVadHasTheOptionsAndTheBitsOfItsDirectory) {
  const ModelPackage package = Open(kVad);
  GgufWriter writer(32);
  writer.Add("general.architecture", std::string("fsmn-vad"));
  for (const auto& [key, value] : {std::pair("input_dim", 400U),
                                   {"input_affine_dim", 140U},
                                   {"linear_dim", 250U},
                                   {"proj_dim", 128U},
                                   {"fsmn_layers", 4U},
                                   {"lorder", 20U},
                                   {"output_affine_dim", 140U},
                                   {"output_dim", 248U},
                                   {"n_mels", 80U},
                                   {"lfr_m", 5U},
                                   {"lfr_n", 1U}}) {
    writer.AddU32(std::string("vad.") + key, value);
  }
  const auto add = [&writer](const std::string& name, const std::vector<int64_t>& shape, std::vector<float> floats) {
    writer.AddTensor(name, gguf::kTensorF32, shape, floats.size() * sizeof(float),
                     [floats](const GgufWriter::Sink& sink) { return sink(std::as_bytes(std::span(floats))); });
  };
  add("cmvn.shift", {400}, package.cmvn.shift);
  add("cmvn.scale", {400}, package.cmvn.scale);
  for (const auto& [name, view] : package.weights->tensors()) {
    auto floats = *package.weights->Floats(name, view.shape);
    if (!name.ends_with("conv_left.weight")) {
      add(name, view.shape, floats);
      continue;
    }
    std::vector<float> by_taps;
    for (size_t j = 0; j < 20; ++j) {
      for (size_t c = 0; c < 128; ++c) by_taps.push_back(floats[c * 20 + j]);
    }
    add(name, {20, 128}, by_taps);
  }
  ASSERT_TRUE(writer.Write(folder_ / "vad.gguf").ok());
  const auto expected = FsmnVad::Load(package), found = FsmnVad::Load(Open(folder_ / "vad.gguf"));
  ASSERT_TRUE(expected.ok() && found.ok()) << found.status();
  const auto samples = testing::ReadWav(kFixtures + "audio/long.wav");
  Workspace workspace;
  EXPECT_EQ(*DetectSpeech(*found, samples, (*found)->default_options(), workspace),
            *DetectSpeech(*expected, samples, (*expected)->default_options(), workspace));
}

}  // namespace
}  // namespace tutti

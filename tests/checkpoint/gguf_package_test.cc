#include "checkpoint/gguf_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/gguf_config.h"
#include "checkpoint/gguf_writer.h"
#include "tests/checkpoint/gguf_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using gguf_file::ArrayKey;
using gguf_file::Bytes;
using gguf_file::File;
using gguf_file::Key;
using gguf_file::Raw;
using gguf_file::Tensor;
using gguf_file::Text;
using gguf_file::TextKey;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string PackageError(const std::string& file) {
  const auto bytes = Bytes(file);
  const auto package = ParseGgufPackage("the.gguf", bytes);
  return package.ok() ? "no error" : Message(package.status());
}

std::vector<std::string> Ours(std::vector<std::string> more = {}) {
  more.insert(more.begin(), {TextKey("general.architecture", "tutti"), Key<uint32_t>("tutti.format", gguf::kU32, 1),
                             TextKey("tutti.compute_type", "int8"), TextKey("tutti.config.model", "Paraformer")});
  return more;
}

TEST(GgufPackageTest, OurDialectHoldsAWholeModel) {
  std::string kernel;
  for (const float value : {1.0F, 2.0F, 3.0F, 10.0F, 20.0F, 30.0F}) kernel += Raw(value);  // [taps 2, width 3]
  kernel.resize(32);
  const auto bytes = Bytes(
      File(Ours({ArrayKey("tutti.tokens", gguf::kString, 2, Text("<blank>") + Text("的")),
                 ArrayKey("tutti.bpe.merges", gguf::kString, 1, Text("a b")),
                 ArrayKey("tutti.bpe.added", gguf::kString, 1, Text("<blank>")),
                 ArrayKey("tutti.seg_dict.words", gguf::kString, 1, Text("hello")),
                 ArrayKey("tutti.seg_dict.pieces", gguf::kString, 1, Text("he llo"))}),
           {Tensor("l.fsmn_block.weight", {3, 2}, gguf::kTensorF32, 0), Tensor("cmvn.shift", {1}, gguf::kTensorF32, 32),
            Tensor("cmvn.scale", {1}, gguf::kTensorF32, 64), Tensor("l.w_1.weight", {64, 128}, gguf::kTensorI8, 96),
            Tensor("l.w_2.weight", {128, 63}, gguf::kTensorI8, 96)},
           kernel + Raw(-8.5F) + std::string(28, '\0') + Raw(0.25F) + std::string(28 + 64 * 128, '\0')));
  const auto package = ParseGgufPackage("the.gguf", bytes);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->model_type, "Paraformer");
  EXPECT_EQ(package->stored_type, ComputeType::kInt8);
  EXPECT_THAT(package->tokens, ElementsAre("<blank>", "的"));
  EXPECT_THAT(package->seg_dict.at("hello"), ElementsAre("he", "llo"));
  EXPECT_THAT(package->bpe.merges, ElementsAre("a b"));
  EXPECT_THAT(package->bpe.added, ElementsAre("<blank>"));
  EXPECT_THAT(package->cmvn.shift, ElementsAre(-8.5F));
  EXPECT_THAT(package->cmvn.scale, ElementsAre(0.25F));
  EXPECT_FALSE(package->weights->Has("cmvn.shift"));
  EXPECT_THAT(*package->weights->Floats("l.fsmn_block.weight", {3, 1, 2}), ElementsAre(1, 10, 2, 20, 3, 30));
  EXPECT_EQ(package->weights->Find("l.w_1.weight")->dtype, DType::kI8Panels);
  EXPECT_EQ(package->weights->Find("l.w_2.weight")->dtype, DType::kI8) << "63 rows do not fit panels";
}

TEST(GgufPackageTest, WhatKeysMustSayIsSaidInErrors) {
  EXPECT_THAT(PackageError(File({}, {}, "")), AllOf(HasSubstr("the.gguf"), HasSubstr("general.architecture: missing")));
  EXPECT_THAT(PackageError(File({TextKey("general.architecture", "llama")}, {}, "")),
              AllOf(HasSubstr("\"llama\""), HasSubstr("tutti, paraformer or fsmn-vad")));
  EXPECT_THAT(PackageError(File({TextKey("general.architecture", "sensevoice-small")}, {}, "")),
              HasSubstr("GGUF files of SenseVoice are not supported yet"));
  EXPECT_THAT(PackageError(File({TextKey("general.architecture", "paraformer")}, {}, "")),
              HasSubstr("pf.enc.output_size: missing, expected an integer"));
  EXPECT_THAT(
      PackageError(File({TextKey("general.architecture", "fsmn-vad"), TextKey("vad.input_dim", "400")}, {}, "")),
      HasSubstr("vad.input_dim: another type, expected an integer"));
  EXPECT_THAT(PackageError(File(
                  {TextKey("general.architecture", "tutti"), Key<uint32_t>("tutti.format", gguf::kU32, 2)}, {}, "")),
              HasSubstr("tutti.format: 2, this version of tutti reads 1"));
  const auto ours = [](size_t without, const std::string& with) {
    auto keys = Ours();
    keys[without] = with;
    return PackageError(File(keys, {}, ""));
  };
  EXPECT_EQ(ours(0, TextKey("general.architecture", "tutti")), "no error");
  EXPECT_THAT(ours(2, TextKey("tutti.compute_type", "int4")), HasSubstr("\"int4\", expected f32, bf16 or int8"));
  EXPECT_THAT(ours(3, TextKey("tutti.config.encoder", "x")), HasSubstr("model: missing"));
  EXPECT_THAT(PackageError(File(Ours({ArrayKey("tutti.seg_dict.words", gguf::kString, 1, Text("a"))}), {}, "")),
              HasSubstr("1 texts and tutti.seg_dict.pieces 0"));
  EXPECT_THAT(PackageError(File(Ours({TextKey("tutti.config.model.x", "a")}), {}, "")),
              HasSubstr("\"tutti.config.model.x\": a value where another key needs a map"));
}

TEST(GgufPackageTest, WrongStatisticsAndKernelsAreRefused) {
  const std::string data = Raw(1.0F) + Raw(__builtin_nanf("")) + std::string(120, '\0');
  const auto error = [&](const std::vector<std::string>& tensors) { return PackageError(File(Ours(), tensors, data)); };
  const std::string shift = Tensor("cmvn.shift", {2}, gguf::kTensorF32, 32);
  EXPECT_THAT(error({shift}), HasSubstr("no tensor cmvn.scale"));
  EXPECT_THAT(error({shift, Tensor("cmvn.scale", {1}, gguf::kTensorF32, 32)}), HasSubstr("expected [2]"));
  EXPECT_THAT(error({shift, Tensor("cmvn.scale", {2}, gguf::kTensorF32, 0)}), HasSubstr("finite numbers"));
  EXPECT_THAT(error({Tensor("l.fsmn_block.weight", {0, uint64_t{1} << 47}, gguf::kTensorF32, 0)}),
              HasSubstr("a kernel without elements"));
  // The same bytes under so many names that copies of them would fill the memory.
  std::vector<std::string> kernels;
  for (int i = 0; i < 100; ++i) {
    kernels.push_back(Tensor(std::to_string(i) + ".fsmn_block.weight", {4, 8}, gguf::kTensorF32, 0));
  }
  EXPECT_THAT(error(kernels), HasSubstr("kernels larger than the file"));
}

TEST(GgufConfigTest, GettersGiveTheSameAfterwards) {
  const std::string yaml =
      "model: Paraformer\n"
      "normalize: null\n"
      "frontend_conf: {cmvn_file: am.mvn, n_mels: 80, dither: 0.0, upsacle_samples: True, window: hamming}\n"
      "predictor_conf: {tail_threshold: 0.45, noise: 1e-3}\n"
      "model_conf: {sil_pdf_ids: [0, 3], version: '3', names: [a, b c]}\n"
      "optim_conf: {betas: [[1, 2], [3]], a.b: 4, empty: {}}\n"
      "init_param: model.pt\n";
  const auto config = Config::ParseYaml(yaml, "config.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const testing::Folder folder;
  GgufWriter writer(32);
  PutConfig(*config, "tutti.config.", writer);
  ASSERT_TRUE(writer.Write(folder / "a").ok());
  const auto bytes = Bytes(testing::BytesOf(folder / "a"));
  const auto contents = ParseGguf(bytes);
  ASSERT_TRUE(contents.ok()) << contents.status();
  const auto again = ConfigFromKeys(contents->metadata, "tutti.config.", "the.gguf");
  ASSERT_TRUE(again.ok()) << again.status();
  for (const Config& each : {*config, *again}) {
    EXPECT_EQ(*each.GetString("model", ""), "Paraformer");
    EXPECT_EQ(*each.GetInt("frontend_conf.n_mels", 0), 80);
    EXPECT_EQ(*each.GetDouble("frontend_conf.dither", 1), 0);
    EXPECT_TRUE(*each.GetBool("frontend_conf.upsacle_samples", false));
    EXPECT_EQ(*each.GetString("frontend_conf.window", ""), "hamming");
    EXPECT_EQ(*each.GetDouble("predictor_conf.tail_threshold", 0), 0.45);
    EXPECT_EQ(*each.GetDouble("predictor_conf.noise", 0), 1e-3);
    EXPECT_THAT(*each.GetInts("model_conf.sil_pdf_ids", {}), ElementsAre(0, 3));
    EXPECT_THAT(*each.GetStrings("model_conf.names", {}), ElementsAre("a", "b c"));
    EXPECT_EQ(*each.GetString("model_conf.version", ""), "3");
    EXPECT_FALSE(each.GetInt("model_conf.version", 0).ok()) << "it is in quotes";
    EXPECT_FALSE(each.Has("normalize"));
  }
  EXPECT_FALSE(again->Has("init_param")) << "there is no such file any more";
  EXPECT_FALSE(again->Has("frontend_conf.cmvn_file"));
  EXPECT_FALSE(again->Has("optim_conf"));
  EXPECT_THAT(again->GetInt("model", 0).status().ToString(), HasSubstr("the.gguf: model"));
}

}  // namespace
}  // namespace tutti

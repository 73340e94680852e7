#include "checkpoint/whisper_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "tests/checkpoint/ctranslate2_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ctranslate2_file::Raw;
using ctranslate2_file::Variable;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kTinyWhisper = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny";
const std::string kTinyWhisperInt8 = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny_int8";
const std::string kBaseWhisper = TUTTI_SOURCE_DIR "/.cache/models/whisper-base";

absl::StatusOr<WhisperPackage> OpenWhisper(const std::string& directory) {
  TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(directory));
  return WhisperPackage::From(package);
}

// A directory of its own for a test to spoil.
class WhisperPackageTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::copy(kTinyWhisper, folder_.path()); }

  void Write(const std::string& name, std::string_view text) {
    const absl::Status status = WriteFileAtomically(folder_ / name, text);
    ASSERT_TRUE(status.ok()) << status;
  }
  void Replace(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = testing::BytesOf(folder_ / name);
    const size_t at = text.find(from);
    ASSERT_NE(at, text.npos) << from;
    Write(name, text.replace(at, from.size(), to));
  }
  std::string Error() const {
    const auto package = OpenWhisper(folder_.path());
    return package.ok() ? "no error" : Message(package.status());
  }

  const testing::Folder folder_;
};

TEST_F(WhisperPackageTest, OpensThePackageThatCTranslate2Wrote) {
  const auto package = ModelPackage::Open(kTinyWhisper);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->model_type, "Whisper");
  EXPECT_EQ(package->tokens.size(), 1074u);
  const auto whisper = WhisperPackage::From(*package);
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  const WhisperSizes& sizes = whisper->sizes;
  EXPECT_EQ(sizes.mels, 80);
  EXPECT_EQ(sizes.width, 64);
  EXPECT_EQ(sizes.encoder_layers, 2);
  EXPECT_EQ(sizes.encoder_heads, 2);
  EXPECT_EQ(sizes.encoder_units, 128);
  EXPECT_EQ(sizes.encoder_positions, 500);
  EXPECT_EQ(sizes.decoder_layers, 2);
  EXPECT_EQ(sizes.decoder_heads, 2);
  EXPECT_EQ(sizes.decoder_units, 128);
  EXPECT_EQ(sizes.decoder_positions, 448);
  EXPECT_EQ(sizes.vocabulary, 1074);
  EXPECT_EQ(whisper->tokens.end, 557);
  EXPECT_EQ(whisper->tokens.start, 558);
  EXPECT_EQ(whisper->tokens.translate, 567);
  EXPECT_EQ(whisper->tokens.transcribe, 568);
  EXPECT_EQ(whisper->tokens.start_of_previous, 570);
  EXPECT_EQ(whisper->tokens.no_speech, 571);
  EXPECT_EQ(whisper->tokens.no_times, 572);
  EXPECT_EQ(whisper->tokens.first_time, 573);
  EXPECT_TRUE(whisper->is_multilingual);
  ASSERT_EQ(whisper->languages.size(), 8u);
  EXPECT_EQ(whisper->languages[7].code, "ja");
  ASSERT_NE(whisper->FindLanguage("en"), nullptr);
  EXPECT_EQ(whisper->FindLanguage("en")->token, 559);
  EXPECT_EQ(whisper->FindLanguage("xx"), nullptr);
  ASSERT_EQ(whisper->alignment_heads.size(), 3u);
  EXPECT_EQ(whisper->alignment_heads[0].layer, 0);
  EXPECT_EQ(whisper->alignment_heads[0].head, 1);
  EXPECT_EQ(whisper->suppressed.size(), 31u);
  EXPECT_EQ(whisper->suppressed.back(), 571);
  EXPECT_THAT(whisper->suppressed_first, ElementsAre(220, 557));
  EXPECT_EQ(whisper->bpe.Text(*whisper->bpe.Encode("今天 <|en|>ok")), "今天 ok");
}

TEST_F(WhisperPackageTest, AVocabularyInJsonAndMergesAsPairsAreTheSame) {
  const auto text = ModelPackage::Open(kTinyWhisper), json = ModelPackage::Open(kTinyWhisperInt8);
  ASSERT_TRUE(text.ok() && json.ok()) << text.status() << json.status();
  EXPECT_EQ(json->tokens, text->tokens);
  EXPECT_EQ(json->bpe.merges, text->bpe.merges);
  EXPECT_EQ(json->bpe.added, text->bpe.added);
  EXPECT_TRUE(WhisperPackage::From(*json).ok());
}

TEST_F(WhisperPackageTest, OpensThePublishedWhisperBase) {
  const auto whisper = OpenWhisper(kBaseWhisper);
  ASSERT_TRUE(whisper.ok()) << whisper.status() << " (make fetches it)";
  EXPECT_EQ(whisper->sizes.width, 512);
  EXPECT_EQ(whisper->sizes.encoder_layers, 6);
  EXPECT_EQ(whisper->sizes.encoder_heads, 8);
  EXPECT_EQ(whisper->sizes.encoder_positions, 1500);
  EXPECT_EQ(whisper->sizes.decoder_units, 2048);
  EXPECT_EQ(whisper->sizes.vocabulary, 51865);
  EXPECT_EQ(whisper->tokens.end, 50257);
  EXPECT_EQ(whisper->tokens.no_speech, 50362);
  EXPECT_EQ(whisper->tokens.first_time, 50364);
  EXPECT_EQ(whisper->languages.size(), 99u);
  EXPECT_EQ(whisper->FindLanguage("su")->token, 50357);
  EXPECT_EQ(whisper->alignment_heads.size(), 8u);
}

TEST_F(WhisperPackageTest, WithoutAlignmentHeadsThoseOfTheUpperHalfAreTaken) {
  Write("config.json", "{}");
  const auto whisper = OpenWhisper(folder_.path());
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  ASSERT_EQ(whisper->alignment_heads.size(), 2u);
  EXPECT_EQ(whisper->alignment_heads[1].layer, 1);
  EXPECT_EQ(whisper->alignment_heads[1].head, 1);
}

TEST_F(WhisperPackageTest, AWrongConfigurationIsRefusedByItsKey) {
  const auto error = [&](std::string_view config) {
    Write("config.json", config);
    return Error();
  };
  EXPECT_THAT(error("["), HasSubstr("config.json: "));
  EXPECT_THAT(error(std::string(100'000, '[')), HasSubstr("config.json: nested too deep at byte 64"));
  EXPECT_THAT(error("[]"), HasSubstr("found a JSON array, expected an object"));
  EXPECT_THAT(error(R"({"alignment_heads": [[0, 1], [1]]})"), HasSubstr("alignment_heads: found \"[1]\" in it"));
  EXPECT_THAT(
      error(R"({"alignment_heads": [[2, 0]]})"),
      AllOf(HasSubstr("config.json: alignment_heads: found layer 2, head 0"), HasSubstr("2 layers of 2 heads")));
  EXPECT_THAT(error(R"({"suppress_ids": [1, 1074]})"), HasSubstr("suppress_ids: found 1074, expected tokens below"));
  EXPECT_THAT(error(R"({"suppress_ids_begin": [-1]})"), HasSubstr("suppress_ids_begin: found -1"));
  EXPECT_THAT(error(R"({"suppress_ids": ["a"]})"), HasSubstr("suppress_ids: found"));
}

TEST_F(WhisperPackageTest, AWrongVocabularyIsRefused) {
  Replace("vocabulary.txt", "<|notimestamps|>", "<|other|>");
  EXPECT_THAT(Error(), HasSubstr("tokenizer.json: added_tokens[15]: \"<|notimestamps|>\""));
  fs::remove(folder_ / "vocabulary.txt");
  EXPECT_THAT(Error(), HasSubstr("has neither vocabulary.json nor vocabulary.txt"));
  fs::copy(kTinyWhisper + "/vocabulary.txt", folder_ / "vocabulary.txt");
  Replace("vocabulary.txt", "<|10.00|>\n", "");
  EXPECT_THAT(Error(), HasSubstr("embeddings of 1074 tokens, but the vocabulary has 1073"));
}

TEST_F(WhisperPackageTest, AMissingSpecialTokenIsNamed) {
  Replace("vocabulary.txt", "<|nospeech|>", "<|nothing|>");
  Replace("tokenizer.json", "<|nospeech|>", "<|nothing|>");
  EXPECT_THAT(Error(), HasSubstr("the vocabulary has no <|nospeech|> and no <|nocaptions|>"));
}

// model.bin of so much that sizes can be read, with one variable after another in place of another.
std::string ModelBin(const std::map<std::string, std::string>& changed) {
  const auto matrix = [](const std::string& name, const std::vector<uint32_t>& shape) {
    size_t size = 4;
    for (const uint32_t n : shape) size *= n;
    return std::pair(name, Variable(name, shape, ctranslate2_file::kF32, std::string(size, '\0')));
  };
  const auto scalar = [](const std::string& name, int8_t value) {
    return std::pair(name, Variable(name, {}, ctranslate2_file::kI8, Raw(value)));
  };
  std::map<std::string, std::string> variables = {
      matrix("encoder/conv1/weight", {4, 80, 3}),
      matrix("encoder/position_encodings/encodings", {5, 4}),
      matrix("encoder/layer_0/self_attention/linear_0/weight", {12, 4}),
      matrix("encoder/layer_0/ffn/linear_0/weight", {6, 4}),
      scalar("encoder/num_heads", 2),
      matrix("decoder/embeddings/weight", {1074, 4}),
      matrix("decoder/position_encodings/encodings", {7, 4}),
      matrix("decoder/layer_0/self_attention/linear_0/weight", {12, 4}),
      matrix("decoder/layer_0/ffn/linear_0/weight", {6, 4}),
      scalar("decoder/num_heads", 2),
      scalar("decoder/pre_norm", 1),
      scalar("decoder/activation", 3),
  };
  for (const auto& [name, variable] : changed) variables[name] = variable;
  std::vector<std::string> list;
  for (const auto& [name, variable] : variables) {
    if (!variable.empty()) list.push_back(variable);
  }
  return ctranslate2_file::File(list);
}

TEST_F(WhisperPackageTest, AnotherNetworkIsRefusedByItsVariable) {
  Write("config.json", "{}");
  fs::remove(folder_ / "preprocessor_config.json");
  const auto error = [&](const std::string& name, const std::vector<uint32_t>& shape, const std::string& data) {
    const auto type = shape.empty() ? ctranslate2_file::kI8 : ctranslate2_file::kF32;
    Write("model.bin", ModelBin({{name, Variable(name, shape, type, data)}}));
    return Error();
  };
  EXPECT_EQ(error("decoder/alibi", {}, Raw(int8_t{0})), "no error");
  EXPECT_THAT(error("decoder/pre_norm", {}, Raw(int8_t{0})), HasSubstr("decoder/pre_norm: found 0, expected 1"));
  EXPECT_THAT(error("decoder/activation", {}, Raw(int8_t{0})), HasSubstr("decoder/activation: found 0, expected 3"));
  EXPECT_THAT(error("decoder/alibi", {1}, Raw(0.0F)), HasSubstr("decoder/alibi: f32 of 1 elements"));
  EXPECT_THAT(error("encoder/num_heads", {}, Raw(int8_t{3})), HasSubstr("encoder_heads: found 3, expected a divisor"));
  EXPECT_THAT(error("decoder/num_heads", {}, Raw(int8_t{0})), HasSubstr("decoder_heads: found 0, expected 1 to 4"));
  EXPECT_THAT(error("encoder/conv1/weight", {4, 80}, std::string(1280, '\0')), HasSubstr("expected 3 sizes"));
  EXPECT_THAT(error("encoder/conv1/weight", {4, 0, 3}, ""), HasSubstr("expected 3 sizes from 1"));
  EXPECT_THAT(error("encoder/conv1/weight", {2, 1, 1}, std::string(8, '\0')), HasSubstr("4 wide, expected 2"));
  EXPECT_THAT(error("decoder/position_encodings/encodings", {2, 2}, std::string(16, '\0')),
              HasSubstr("decoder: rows of 4 and positions of 2, expected the width 4"));
}

TEST_F(WhisperPackageTest, MissingVariablesAreNamed) {
  Write("config.json", "{}");
  for (const std::string name : {"encoder/conv1/weight", "decoder/embeddings/weight",
                                 "decoder/position_encodings/encodings", "encoder/layer_0/ffn/linear_0/weight"}) {
    Write("model.bin", ModelBin({{name, ""}}));
    EXPECT_THAT(Error(), HasSubstr(name));
  }
  Write("model.bin", ModelBin({{"encoder/layer_0/self_attention/linear_0/weight", ""}}));
  EXPECT_THAT(Error(), HasSubstr("0 layers of encoder"));
}

}  // namespace
}  // namespace tutti

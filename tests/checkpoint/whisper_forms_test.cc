// The same Whisper in the formats of CTranslate2, OpenAI, Hugging Face and FunASR.
#include "tests/support/whisper_forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "checkpoint/byte_letters.h"
#include "checkpoint/model_package.h"
#include "checkpoint/whisper_package.h"
#include "tests/checkpoint/ctranslate2_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kWhisperForms;

const std::string kCt2Form = kWhisperForms + "ctranslate2";
const std::string kOpenAiForm = kWhisperForms + "openai";
const std::string kHuggingFaceForm = kWhisperForms + "huggingface";

ModelPackage OpenForm(const std::string& path) {
  auto package = ModelPackage::Open(path);
  EXPECT_TRUE(package.ok()) << package.status();
  return package.ok() ? *std::move(package) : ModelPackage();
}
std::string FormError(const std::string& path) {
  const auto package = ModelPackage::Open(path);
  return package.ok() ? "no error" : Message(package.status());
}
std::vector<std::pair<int64_t, int64_t>> HeadsOf(const WhisperPackage& whisper) {
  std::vector<std::pair<int64_t, int64_t>> heads;
  for (const auto& [layer, head] : whisper.alignment_heads) heads.emplace_back(layer, head);
  return heads;
}

// Every tensor that the other format has is what CTranslate2's has, to the last bit, and none of the network is
// missing.
void ExpectSameWeights(const ModelPackage& found, const ModelPackage& expected) {
  ASSERT_TRUE(found.weights != nullptr && expected.weights != nullptr);
  for (const auto& [name, view] : expected.weights->tensors()) {
    if (view.shape.empty() || name == "decoder/projection/weight") continue;  // options, and another name
    const auto floats = found.weights->Floats(name, view.shape);
    ASSERT_TRUE(floats.ok()) << floats.status();
    EXPECT_EQ(*floats, *expected.weights->Floats(name, view.shape)) << name;
  }
}

void ExpectSameTokenizer(const ModelPackage& found, const ModelPackage& expected) {
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(found.bpe.merges, expected.bpe.merges);
  EXPECT_EQ(found.bpe.added, expected.bpe.added);
}

class WhisperFormsTest : public ::testing::Test {
 protected:
  // A form to spoil.
  void Copy(const std::string& form) { fs::copy(form, folder_.path(), fs::copy_options::recursive); }
  void ExpectSame(const std::string& path) const {
    const ModelPackage found = OpenForm(path), expected = OpenForm(kCt2Form);
    ExpectSameWeights(found, expected);
    ExpectSameTokenizer(found, expected);
    const auto whisper = WhisperPackage::From(found), original = WhisperPackage::From(expected);
    ASSERT_TRUE(whisper.ok() && original.ok()) << whisper.status() << original.status();
    EXPECT_EQ(whisper->suppressed, original->suppressed);
    EXPECT_EQ(whisper->suppressed_first, original->suppressed_first);
    EXPECT_EQ(whisper->sizes.decoder_heads, 2);
    EXPECT_EQ(whisper->languages.size(), 8u);
  }

  const testing::Folder folder_;
};

TEST_F(WhisperFormsTest, OpenAisCheckpointIsTheSameModel) {
  ExpectSame(kOpenAiForm);
  ExpectSame(kOpenAiForm + "/base.pt");
  const ModelPackage package = OpenForm(kOpenAiForm);
  EXPECT_EQ(package.format, "OpenAI");
  EXPECT_EQ(package.tokenizer_source, "multilingual.tiktoken");
  EXPECT_THAT(HeadsOf(*WhisperPackage::From(package)), ElementsAre(std::pair(1, 0), std::pair(1, 1)))
      << "of these sizes none were published: the upper half";
}

TEST_F(WhisperFormsTest, FunAsrsPackageIsTheSameModel) {
  testing::WriteFunAsrForm(folder_);
  ExpectSame(folder_.path());
}

TEST_F(WhisperFormsTest, ACheckpointWithoutDimsTakesTheHeadsOfFunAsrsConfiguration) {
  testing::WriteFunAsrForm(folder_);
  const auto file = Checkpoint::Open(kOpenAiForm + "/base.pt");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->dims().at("n_text_head"), 2);
  EXPECT_EQ((*file)->dims().size(), 10u);
  // As FunASR saves what it has trained: a module around OpenAI's.
  folder_.Write("large-v3.pt", testing::TorchFileOf(**file, "model."));
  ExpectSame(folder_.path());
  folder_.Write("config.yaml", "model: WhisperWarp\n");
  EXPECT_THAT(FormError(folder_.path()), AllOf(HasSubstr("large-v3.pt"), HasSubstr("dims.n_audio_head: missing")));
}

TEST_F(WhisperFormsTest, HuggingFacesDirectoryIsTheSameModel) {
  ExpectSame(kHuggingFaceForm);
  const ModelPackage package = OpenForm(kHuggingFaceForm);
  EXPECT_EQ(package.format, "Hugging Face");
  EXPECT_EQ(package.tokenizer_source, "vocab.json, merges.txt, added_tokens.json");
  EXPECT_EQ(HeadsOf(*WhisperPackage::From(package)), HeadsOf(*WhisperPackage::From(OpenForm(kCt2Form))));
  const int64_t shards = static_cast<int64_t>(fs::file_size(kHuggingFaceForm + "/model-00001-of-00002.safetensors") +
                                              fs::file_size(kHuggingFaceForm + "/model-00002-of-00002.safetensors"));
  EXPECT_EQ(package.weights->file_bytes(), shards);
}

class HuggingFaceFormTest : public WhisperFormsTest {
 protected:
  // The directory without its weights, which `tensors_` has.
  void SetUp() override {
    Copy(kHuggingFaceForm);
    for (const char* name : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
      auto shard = Checkpoint::Open(folder_ / name);
      ASSERT_TRUE(shard.ok()) << shard.status();
      tensors_.insert((*shard)->tensors().begin(), (*shard)->tensors().end());
      shards_.push_back(*std::move(shard));
      fs::remove(folder_ / name);
    }
    fs::remove(folder_ / "model.safetensors.index.json");
  }
  Checkpoint All() const { return Checkpoint("all", tensors_, {}, shards_); }
  // One tensor, or all whose names begin like this, are left out.
  Checkpoint Without(const std::string& beginning) const {
    TensorMap some = tensors_;
    std::erase_if(some, [&](const auto& tensor) { return tensor.first.starts_with(beginning); });
    return Checkpoint("some", std::move(some), {}, shards_);
  }

  TensorMap tensors_;
  std::vector<std::shared_ptr<const Checkpoint>> shards_;
};

TEST_F(HuggingFaceFormTest, OneFileWillDo) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All()));
  ExpectSame(folder_.path());
}

TEST_F(HuggingFaceFormTest, NamesMayLackTheModelBeforeThem) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All(), "model."));
  ExpectSame(folder_.path());
}

TEST_F(HuggingFaceFormTest, TorchsFileWillDo) {
  folder_.Write("pytorch_model.bin", testing::TorchFileOf(All()));
  ExpectSame(folder_.path());
}

TEST_F(HuggingFaceFormTest, TokenizerJsonIsTakenFirst) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All()));
  fs::copy(kCt2Form + "/tokenizer.json", folder_ / "tokenizer.json");
  folder_.Write("vocab.json", "[");
  ExpectSame(folder_.path());
}

TEST_F(HuggingFaceFormTest, ListsThatNoFileStatesFollowFromTheVocabulary) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All()));
  folder_.Write("generation_config.json", R"({"suppress_tokens": null})");
  ExpectSame(folder_.path());
  fs::remove(folder_ / "generation_config.json");
  ExpectSame(folder_.path());
  folder_.Write("generation_config.json", R"({"suppress_tokens": [], "begin_suppress_tokens": [3]})");
  const auto whisper = WhisperPackage::From(OpenForm(folder_.path()));
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  EXPECT_EQ(whisper->suppressed, WhisperPackage::From(OpenForm(kCt2Form))->suppressed)
      << "faster-whisper suppresses symbols whatever a retrained model states";
  EXPECT_THAT(whisper->suppressed_first, ElementsAre(3));
}

TEST_F(HuggingFaceFormTest, AMissingTensorIsNamedAsTheFileHasIt) {
  for (const std::string name :
       {"model.encoder.conv1.bias", "model.encoder.layers.0.self_attn.q_proj.bias", "model.decoder.layers.1.fc2.weight",
        "model.decoder.layers.1.encoder_attn.k_proj.weight", "model.decoder.embed_tokens.weight"}) {
    folder_.Write("model.safetensors", testing::SafetensorsOf(Without(name)));
    EXPECT_THAT(FormError(folder_.path()), AllOf(HasSubstr("model.safetensors"), HasSubstr("no tensor " + name)));
  }
}

TEST_F(HuggingFaceFormTest, RowsThatDoNotFitTogetherAreRefused) {
  TensorMap changed = tensors_;
  changed["model.encoder.layers.0.self_attn.v_proj.weight"] = tensors_["model.encoder.layers.0.fc2.weight"];
  folder_.Write("model.safetensors", testing::SafetensorsOf(Checkpoint("changed", changed, {}, shards_)));
  EXPECT_THAT(FormError(folder_.path()), AllOf(HasSubstr("model.encoder.layers.0.self_attn.v_proj.weight"),
                                               HasSubstr("[32, 64] does not fit below [32, 32]")));
}

TEST_F(HuggingFaceFormTest, AWrongConfigurationIsRefusedByItsKey) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All()));
  fs::remove(folder_ / "generation_config.json");
  const auto error = [this](std::string_view config) {
    folder_.Write("config.json", config);
    return FormError(folder_.path());
  };
  constexpr const char* kHeads = R"("encoder_attention_heads": 2, "decoder_attention_heads": 2)";
  const auto with = [&](const std::string& more) { return error(fmt::format("{{{}, {}}}", kHeads, more)); };
  EXPECT_EQ(with(R"("model_type": "whisper")"), "no error");
  EXPECT_THAT(error("["), HasSubstr("config.json"));
  EXPECT_THAT(error("[]"), HasSubstr("config.json: found a JSON array"));
  EXPECT_THAT(error("{}"), HasSubstr("config.json: model_type: missing"));
  EXPECT_THAT(with(R"("model_type": "wav2vec2")"),
              HasSubstr("model_type: found \"\\\"wav2vec2\\\"\", expected \"whisper\""));
  EXPECT_THAT(with(R"("model_type": "whisper", "scale_embedding": true)"), HasSubstr("scale_embedding: found"));
  EXPECT_THAT(with(R"("model_type": "whisper", "activation_function": "relu")"), HasSubstr("activation_function"));
  EXPECT_THAT(with(R"("model_type": "whisper", "suppress_tokens": 3)"),
              AllOf(HasSubstr("config.json: suppress_tokens"), HasSubstr("expected a list of integers")));
  EXPECT_THAT(error(R"({"model_type": "whisper", "encoder_attention_heads": 0})"),
              HasSubstr("encoder_attention_heads: found \"0\", expected a number from 1 up"));
  EXPECT_THAT(error(R"({"model_type": "whisper", "encoder_attention_heads": 2})"),
              HasSubstr("decoder_attention_heads: found nothing"));
}

TEST_F(HuggingFaceFormTest, FeaturesThatTheWeightsDoNotTakeAreRefused) {
  folder_.Write("model.safetensors", testing::SafetensorsOf(All()));
  folder_.Write("preprocessor_config.json", R"({"feature_size": 128})");
  EXPECT_THAT(FormError(folder_.path()),
              AllOf(HasSubstr("preprocessor_config.json: feature_size"), HasSubstr("expected 80")));
  folder_.Write("preprocessor_config.json", R"({"hop_length": 200})");
  EXPECT_THAT(FormError(folder_.path()), HasSubstr("hop_length"));
}

TEST_F(WhisperFormsTest, ShardsAreFilesOfTheDirectoryThatHoldDifferentTensors) {
  Copy(kHuggingFaceForm);
  const auto error = [this](const std::string& index) {
    folder_.Write("model.safetensors.index.json", index);
    return FormError(folder_.path());
  };
  EXPECT_THAT(error("{}"), HasSubstr("model.safetensors.index.json: weight_map"));
  EXPECT_THAT(error(R"({"weight_map": {}})"), HasSubstr("0 files"));
  EXPECT_THAT(error(R"({"weight_map": {"a": 1}})"), HasSubstr("weight_map: \"a\""));
  EXPECT_THAT(error(R"({"weight_map": {"a": "../x"}})"), HasSubstr("expected a file name within the model directory"));
  EXPECT_THAT(error(R"({"weight_map": {"a": "none.safetensors"}})"), HasSubstr("none.safetensors"));
  fs::copy(folder_ / "model-00001-of-00002.safetensors", folder_ / "twice.safetensors");
  EXPECT_THAT(error(R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "twice.safetensors"}})"),
              HasSubstr("an earlier file has it too"));
}

TEST_F(WhisperFormsTest, WithoutATokenizerTheErrorSaysWhichFileToPutThere) {
  Copy(kOpenAiForm);
  fs::remove(folder_ / "multilingual.tiktoken");
  EXPECT_THAT(FormError(folder_ / "base.pt"),
              AllOf(HasSubstr(folder_.path() + ": no tokenizer"), HasSubstr("tokenizer.json"),
                    HasSubstr("multilingual.tiktoken from OpenAI's package")));
  fs::copy(kCt2Form + "/vocabulary.json", folder_ / "vocabulary.json");
  ExpectSame(folder_ / "base.pt");
  fs::copy(kCt2Form + "/tokenizer.json", folder_ / "tokenizer.json");
  ExpectSame(folder_ / "base.pt");
}

TEST_F(WhisperFormsTest, TheVocabularyOfAnotherModelIsRefused) {
  Copy(kOpenAiForm);
  const std::string words = testing::BytesOf(folder_ / "multilingual.tiktoken");
  folder_.Write("multilingual.tiktoken", words.substr(0, words.find(" 300\n") - 20));
  EXPECT_THAT(FormError(folder_.path()), HasSubstr("multilingual.tiktoken: "));
  folder_.Write("multilingual.tiktoken", "IQ== 0\n");
  EXPECT_THAT(FormError(folder_.path()),
              AllOf(HasSubstr("1 words"), HasSubstr("is it the vocabulary of another model?")));
}

TEST_F(WhisperFormsTest, ADirectoryOfSeveralCheckpointsIsAskedWhichIsMeant) {
  Copy(kOpenAiForm);
  fs::copy(folder_ / "base.pt", folder_ / "small.pt");
  EXPECT_THAT(FormError(folder_.path()), HasSubstr("2 files that end in .pt"));
  ExpectSame(folder_ / "small.pt");
  fs::remove(folder_ / "base.pt");
  ExpectSame(folder_.path());
  fs::remove(folder_ / "small.pt");
  EXPECT_THAT(FormError(folder_.path()), AllOf(HasSubstr("no model"), HasSubstr("model.safetensors")));
}

TEST_F(WhisperFormsTest, ACheckpointOfAnotherKindIsRefused) {
  const auto other = Checkpoint::Open(kHuggingFaceForm + "/model-00001-of-00002.safetensors");
  ASSERT_TRUE(other.ok()) << other.status();
  folder_.Write("x.pt", testing::TorchFileOf(**other));
  EXPECT_THAT(FormError(folder_.path()), AllOf(HasSubstr("without a config.yaml"), HasSubstr("no tensor")));
}

TEST_F(WhisperFormsTest, ACTranslate2PackageNeedsNoTokenizerJson) {
  Copy(kCt2Form);
  fs::remove(folder_ / "tokenizer.json");
  ExpectSame(folder_.path());
}

TEST_F(WhisperFormsTest, PublishedListsAreDerivedAsPublished) {
  const std::string base = TUTTI_SOURCE_DIR "/.cache/models/whisper-base";
  for (const auto& entry : fs::directory_iterator(base)) {
    fs::create_symlink(entry.path(), folder_ / entry.path().filename().string());
  }
  fs::remove(folder_ / "config.json");
  folder_.Write("config.json", "{}");
  const auto stated = WhisperPackage::From(OpenForm(base));
  ASSERT_TRUE(stated.ok()) << stated.status();
  for (const bool with_merges : {true, false}) {
    if (!with_merges) fs::remove(folder_ / "tokenizer.json");
    const auto derived = WhisperPackage::From(OpenForm(folder_.path()));
    ASSERT_TRUE(derived.ok()) << derived.status();
    EXPECT_EQ(derived->suppressed, stated->suppressed);
    EXPECT_EQ(derived->suppressed_first, stated->suppressed_first);
    EXPECT_EQ(HeadsOf(*derived), HeadsOf(*stated));
  }
}

// A CTranslate2 package of published proportions, but narrow: only what sizes are read from.
struct Proportions {
  const char* name;
  uint32_t mels, heads, encoder_layers, decoder_layers, vocabulary;
  size_t languages, alignment_heads;
};

class ProportionsTest : public ::testing::TestWithParam<Proportions> {};
INSTANTIATE_TEST_SUITE_P(, ProportionsTest,
                         ::testing::Values(Proportions{"large_v2", 80, 20, 32, 32, 51865, 99, 23},
                                           Proportions{"large_v3", 128, 20, 32, 32, 51866, 100, 10},
                                           Proportions{"turbo", 128, 20, 32, 4, 51866, 100, 6},
                                           Proportions{"distil", 128, 20, 32, 2, 51866, 100, 20},
                                           Proportions{"base_en", 80, 8, 6, 6, 51864, 0, 5}),
                         [](const auto& test) { return test.param.name; });

TEST_P(ProportionsTest, SizesLanguagesAndHeadsFollowFromThePackage) {
  const Proportions& expected = GetParam();
  const testing::Folder folder;
  std::vector<std::string> variables;
  const auto matrix = [&](const std::string& name, const std::vector<uint32_t>& shape) {
    size_t size = 4;
    for (const uint32_t n : shape) size *= n;
    variables.push_back(ctranslate2_file::Variable(name, shape, ctranslate2_file::kF32, std::string(size, '\0')));
  };
  const uint32_t width = expected.heads;  // one column a head
  for (const auto& [part, layers, positions] :
       {std::tuple("encoder", expected.encoder_layers, 1500U), {"decoder", expected.decoder_layers, 448U}}) {
    const std::string half(part);
    for (uint32_t i = 0; i < layers; ++i) {
      matrix(fmt::format("{}/layer_{}/self_attention/linear_0/weight", half, i), {3 * width, width});
    }
    matrix(half + "/layer_0/ffn/linear_0/weight", {4 * width, width});
    matrix(half + "/position_encodings/encodings", {positions, width});
    variables.push_back(ctranslate2_file::Variable(half + "/num_heads", {}, ctranslate2_file::kI8,
                                                   ctranslate2_file::Raw(static_cast<int8_t>(expected.heads))));
  }
  matrix("encoder/conv1/weight", {width, expected.mels, 3});
  matrix("decoder/embeddings/weight", {expected.vocabulary, width});
  folder.Write("model.bin", ctranslate2_file::File(variables));
  folder.Write("config.json", "{}");
  folder.Write("preprocessor_config.json", fmt::format(R"({{"feature_size": {}}})", expected.mels));
  // As many words, of letters that each byte has; languages before the tasks.
  const size_t languages = expected.languages == 0 ? 99 : expected.languages;
  const size_t words = expected.vocabulary - 1501 - 8 - languages;
  std::string vocabulary;
  for (size_t i = 0; i < words; ++i) vocabulary += (i < 256 ? LettersOfBytes()[i] : fmt::format("w{}", i)) + "\n";
  vocabulary += "<|endoftext|>\n<|startoftranscript|>\n";
  for (size_t i = 0; i < languages; ++i) vocabulary += fmt::format("<|l{}|>\n", i);
  for (const char* name : {"translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"}) {
    vocabulary += fmt::format("<|{}|>\n", name);
  }
  for (int i = 0; i <= 1500; ++i) vocabulary += fmt::format("<|{:.2f}|>\n", i * 0.02);
  folder.Write("vocabulary.txt", vocabulary);

  const auto whisper = WhisperPackage::From(OpenForm(folder.path()));
  ASSERT_TRUE(whisper.ok()) << whisper.status();
  EXPECT_EQ(whisper->sizes.mels, expected.mels);
  EXPECT_EQ(whisper->sizes.encoder_layers, expected.encoder_layers);
  EXPECT_EQ(whisper->sizes.decoder_layers, expected.decoder_layers);
  EXPECT_EQ(whisper->sizes.encoder_positions, 1500);
  EXPECT_EQ(whisper->sizes.vocabulary, expected.vocabulary);
  EXPECT_EQ(whisper->languages.size(), expected.languages);
  EXPECT_EQ(whisper->is_multilingual, expected.languages > 0);
  EXPECT_EQ(whisper->tokens.first_time, expected.vocabulary - 1501);
  EXPECT_EQ(whisper->alignment_heads.size(), expected.alignment_heads);
}

}  // namespace
}  // namespace tutti

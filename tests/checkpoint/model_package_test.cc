#include "checkpoint/model_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kTinyParaformer = TUTTI_SOURCE_DIR "/tests/data/fixtures/paraformer_tiny";
const std::string kDemo = TUTTI_SOURCE_DIR "/models/demo-paraformer";
const std::string kVad = TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad";

// A model directory of its own for a test to spoil.
class ModelPackageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::copy(kTinyParaformer, root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& name, std::string_view text) {
    const absl::Status status = WriteFileAtomically((root_ / name).string(), text);
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::StatusOr<ModelPackage> Open() const { return ModelPackage::Open(root_.string()); }
  std::string Error() const {
    const auto package = Open();
    return package.ok() ? "no error" : Message(package.status());
  }

  fs::path root_;
};

TEST_F(ModelPackageTest, OpensTheTinyParaformer) {
  const auto package = ModelPackage::Open(kTinyParaformer);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->model_type, "Paraformer");
  EXPECT_EQ(package->weights->tensors().size(), 144u);
  EXPECT_EQ(package->cmvn.shift.size(), 560u);
  EXPECT_EQ(package->tokens.at(3), "的");
  EXPECT_TRUE(package->seg_dict.empty());
  EXPECT_EQ(*package->config.GetInt("encoder_conf.output_size", 0), 64);
}

TEST_F(ModelPackageTest, OpensTheDemoParaformerWithHalfPrecisionWeights) {
  const auto package = ModelPackage::Open(kDemo);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->weights->tensors().size(), 149u);
  for (const auto& [name, view] : package->weights->tensors()) EXPECT_EQ(view.dtype, DType::kF16) << name;
  EXPECT_EQ(package->tokens.at(0), "<blank>");
}

TEST_F(ModelPackageTest, OpensTheOfficialVad) {
  const auto package = ModelPackage::Open(kVad);
  ASSERT_TRUE(package.ok()) << package.status() << " (make fetches it)";
  EXPECT_EQ(package->model_type, "FsmnVADStreaming");
  EXPECT_TRUE(package->tokens.empty());
  int64_t parameters = 0;
  for (const auto& [name, view] : package->weights->tensors()) parameters += view.elements();
  EXPECT_EQ(parameters, 428'738);
  ASSERT_EQ(package->cmvn.shift.size(), 400u);
  EXPECT_FLOAT_EQ(package->cmvn.shift[0], -8.311879f);
  EXPECT_FLOAT_EQ(package->cmvn.shift[1], -8.600912f);
}

TEST_F(ModelPackageTest, FindsTheFilesByNameWithoutAConfigurationFile) {
  fs::remove(root_ / "configuration.json");
  Write("tokens.txt", "from the text\n");
  Write("seg_dict", "hello he llo\n");
  const auto package = Open();
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->tokens.at(3), "的") << "tokens.json wins over tokens.txt";
  EXPECT_EQ(package->cmvn.scale.size(), 560u);
  EXPECT_EQ(package->seg_dict.at("hello"), (std::vector<std::string>{"he", "llo"}));
}

TEST_F(ModelPackageTest, TheConfigurationFileWinsOverTheConfig) {
  Write("tokens.txt", "a\nb\n");
  Write("configuration.json", R"({"file_path_metas": {"init_param": "model.pt", "config": "other.yaml",
      "tokenizer_conf": {"token_list": "tokens.txt"}}})");
  Write("other.yaml", "model: Paraformer\ntokenizer_conf:\n  token_list: gone.json\n  split_with_space: true\n");
  const auto package = Open();
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->tokens, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(*package->config.GetBool("tokenizer_conf.split_with_space", false)) << "merged, not replaced";
  EXPECT_TRUE(package->cmvn.shift.empty()) << "no cmvn_file is named, so none applies";
}

TEST_F(ModelPackageTest, RefusesFilesOutsideTheDirectory) {
  for (const char* name : {"../model.pt", "/etc/passwd", "a/../../model.pt", ""}) {
    Write("configuration.json", fmt::format(R"({{"file_path_metas": {{"config": "{}"}}}})", name));
    EXPECT_THAT(Error(), HasSubstr("within the model directory")) << name;
  }
  Write("configuration.json", R"({"file_path_metas": {"init_param": "../model.pt"}})");
  EXPECT_THAT(Error(),
              AllOf(HasSubstr("init_param"), HasSubstr("../model.pt"), HasSubstr("within the model directory")));
}

TEST_F(ModelPackageTest, SaysWhichFileIsMissing) {
  EXPECT_EQ(ModelPackage::Open("/nowhere").status().code(), absl::StatusCode::kNotFound);
  fs::remove(root_ / "am.mvn");
  EXPECT_THAT(Error(), AllOf(HasSubstr("frontend_conf.cmvn_file"), HasSubstr("am.mvn")));
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kNotFound);
  fs::remove(root_ / "configuration.json");
  fs::remove(root_ / "model.pt");
  EXPECT_THAT(Error(), HasSubstr("expected model.pt"));
  fs::remove(root_ / "config.yaml");
  EXPECT_THAT(Error(), HasSubstr("config.yaml"));
}

TEST_F(ModelPackageTest, SaysWhichFileIsMalformed) {
  Write("tokens.json", R"(["a", 1])");
  EXPECT_THAT(Error(), AllOf(HasSubstr("tokens.json"), HasSubstr("token 1"), HasSubstr("expected a string")));
  Write("am.mvn", "<Nnet>\n");
  EXPECT_THAT(Error(), AllOf(HasSubstr("am.mvn"), HasSubstr("<AddShift>")));
  Write("model.pt", "PK");
  EXPECT_THAT(Error(), AllOf(HasSubstr("model.pt"), HasSubstr("expected a torch file")));
  Write("config.yaml", "encoder: SANMEncoder\n");
  EXPECT_THAT(Error(), AllOf(HasSubstr("config.yaml"), HasSubstr("model: missing")));
  Write("config.yaml", "model: [");
  EXPECT_THAT(Error(), AllOf(HasSubstr("config.yaml"), HasSubstr("line 1")));
  Write("configuration.json", "{\"file_path_metas\": 3}");
  EXPECT_THAT(Error(), HasSubstr("configuration.json"));
  Write("configuration.json", "{");
  EXPECT_THAT(Error(), AllOf(HasSubstr("configuration.json"), HasSubstr("line 1")));
}

}  // namespace
}  // namespace tutti

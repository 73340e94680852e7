// A Whisper gives the same text whichever format it is in, and so does one GGUF file of it.
#include "tests/support/whisper_forms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "models/asr_model.h"
#include "models/convert.h"
#include "models/decoding.h"
#include "tests/models/convert_fixture.h"
#include "tests/support/asr.h"
#include "tests/support/folder.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using testing::kConvertedTypes;
using testing::kFixtures;
using testing::kWhisperForms;

const std::string kCtranslate2 = kWhisperForms + "ctranslate2";
const std::string kQuantised = kFixtures + "whisper_tiny_int8";

// What clips become, with the bits of every score.
struct Heard {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<std::vector<float>> scores;
  std::vector<std::string> texts;
  ComputeType type = ComputeType::kAuto;
  bool operator==(const Heard&) const = default;
  friend void PrintTo(const Heard& heard, std::ostream* out) {
    *out << Name(heard.type) << " " << ::testing::PrintToString(heard.texts) << " "
         << ::testing::PrintToString(heard.scores);
  }
};

// Windows of a clip of 7 s, each as long as the encoder takes.
Heard Hear(const std::string& path, ComputeType type) {
  Heard heard;
  const auto package = ModelPackage::Open(path);
  const auto model = package.ok() ? AsrModel::Load(*package, type) : package.status();
  if (!model.ok()) {
    ADD_FAILURE() << model.status();
    return heard;
  }
  std::vector<float> rows;
  (*model)->frontend()->Compute(testing::ReadWav(kFixtures + "audio/clip_a.wav"), rows);
  const int64_t width = (*model)->frontend()->width(), frames = static_cast<int64_t>(rows.size()) / width;
  SearchOptions options;
  options.language = "en";
  options.beam_size = 2;
  options.no_speech_threshold = 1;  // scores this low are a random network's
  options.max_new_tokens = 20;
  constexpr int64_t kWindow = 200;
  std::vector<Decoding::Utterance> utterances;
  for (int64_t begin = 0; begin + kWindow <= frames; begin += kWindow) {
    utterances.push_back({static_cast<int64_t>(utterances.size()), rows.data() + begin * width, kWindow, &options});
  }
  Workspace workspace;
  const auto decoding = (*model)->NewDecoding();
  decoding->Admit(utterances, workspace);
  std::vector<Decoding::Finished> finished;
  while (!decoding->empty()) decoding->Step(workspace, finished);
  heard.type = (*model)->compute_type();
  heard.tokens.resize(utterances.size());
  heard.scores.resize(utterances.size());
  heard.texts.resize(utterances.size());
  size_t tokens = 0;
  for (const auto& [id, hypothesis] : finished) {
    if (!hypothesis.ok()) {
      ADD_FAILURE() << hypothesis.status();
      continue;
    }
    heard.tokens[static_cast<size_t>(id)] = hypothesis->ids;
    heard.scores[static_cast<size_t>(id)] = hypothesis->scores;
    heard.texts[static_cast<size_t>(id)] = (*model)->Text(*hypothesis).text;
    tokens += hypothesis->ids.size();
  }
  EXPECT_GT(tokens, 10u);
  return heard;
}

class WhisperGgufTest : public testing::ConvertFixture {};

TEST(WhisperFormsModelTest, EveryFormHearsTheSameToTheLastBit) {
  const testing::Folder funasr;
  testing::WriteFunAsrForm(funasr);
  for (const ComputeType type : kConvertedTypes) {
    const Heard expected = Hear(kCtranslate2, type);
    for (const std::string& form :
         {kWhisperForms + "openai", kWhisperForms + "openai/base.pt", kWhisperForms + "huggingface", funasr.path()}) {
      EXPECT_EQ(Hear(form, type), expected) << form << " " << Name(type);
    }
  }
}

TEST_F(WhisperGgufTest, OneFileHearsWhatItsDirectoryHearsToTheLastBit) {
  for (const std::string& form : {kCtranslate2, kWhisperForms + "openai", kWhisperForms + "huggingface",
                                  kFixtures + "whisper_tiny", kFixtures + "whisper_v3", kQuantised}) {
    for (const ComputeType type : kConvertedTypes) {
      const Heard converted = Hear(Convert(form, type), type);
      // What runs in f32 because the CPU lacks the type has rounded weights, which the directory's are not.
      if (converted.type != type) continue;
      EXPECT_EQ(converted, Hear(form, type)) << form << " " << Name(type);
    }
  }
}

TEST_F(WhisperGgufTest, AnF32FileHearsWhatTheDirectoryHearsInEveryType) {
  const std::string file = Convert(kCtranslate2, ComputeType::kF32);
  for (const ComputeType type : kConvertedTypes) EXPECT_EQ(Hear(file, type), Hear(kCtranslate2, type)) << Name(type);
}

TEST_F(WhisperGgufTest, ANarrowFileRunsInEveryType) {
  const ComputeType narrow[] = {ComputeType::kBf16, ComputeType::kInt8};
  for (const ComputeType stored : narrow) {
    const std::string file = Convert(kCtranslate2, stored);
    for (const ComputeType type : kConvertedTypes) Hear(file, type);
  }
}

TEST_F(WhisperGgufTest, TheBytesAreThoseOfEveryFormThatStatesTheSame) {
  for (const ComputeType type : kConvertedTypes) {
    const std::string bytes = testing::BytesOf(Convert(kCtranslate2, type));
    EXPECT_EQ(bytes, testing::BytesOf(Convert(kWhisperForms + "huggingface", type, "other"))) << Name(type);
    EXPECT_EQ(bytes, testing::BytesOf(Convert(Convert(kCtranslate2, ComputeType::kF32, "f32"), type, "again")));
  }
}

TEST_F(WhisperGgufTest, ItHoldsConfigurationTokenizerAndLists) {
  const auto original = ModelPackage::Open(kCtranslate2);
  const auto package = ModelPackage::Open(Convert(kWhisperForms + "openai", ComputeType::kInt8));
  ASSERT_TRUE(original.ok() && package.ok()) << package.status();
  EXPECT_EQ(package->model_type, "Whisper");
  EXPECT_EQ(package->format, "GGUF");
  EXPECT_EQ(package->stored_type, ComputeType::kInt8);
  EXPECT_EQ(package->tokens, original->tokens);
  EXPECT_EQ(package->bpe.merges, original->bpe.merges);
  EXPECT_EQ(package->bpe.added, original->bpe.added);
  EXPECT_EQ(*package->config.GetInts("suppress_ids", {}), *original->config.GetInts("suppress_ids", {}));
  EXPECT_EQ(*package->config.GetInts("suppress_ids_begin", {}), *original->config.GetInts("suppress_ids_begin", {}));
  EXPECT_EQ(*package->config.GetInts("alignment_heads", {1}), std::vector<int64_t>());
}

TEST_F(WhisperGgufTest, TheSmallModelsInt8FileIsLessThanHalfOfItsF32File) {
  const auto size = [&](ComputeType type) {
    return static_cast<double>(std::filesystem::file_size(Convert(kFixtures + "whisper_tiny", type)));
  };
  const double f32 = size(ComputeType::kF32);
  EXPECT_LT(size(ComputeType::kInt8), 0.5 * f32);
  EXPECT_LT(size(ComputeType::kBf16), 0.7 * f32);
}

}  // namespace
}  // namespace tutti

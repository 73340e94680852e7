// What Whisper is known to make up where nobody speaks: with the real models, which come with `make models`.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/real_parts.h"
#include "tests/support/signals.h"

namespace tutti {
namespace {

const std::string kWhisperBase = TUTTI_SOURCE_DIR "/.cache/models/whisper-base";

class WithoutSpeechTest : public ::testing::Test {
 protected:
  // What each sound is taken to say, as "sound: text".
  static std::vector<std::string> Heard(bool use_vad, double seconds) {
    const auto package = ModelPackage::Open(kWhisperBase);
    const auto whisper = package.ok() ? AsrModel::Load(*package, ComputeType::kInt8) : package.status();
    if (!whisper.ok()) {
      ADD_FAILURE() << whisper.status() << "\nwhisper-base comes with `make models`.";
      return {};
    }
    RecognizerOptions recognizer_options;
    recognizer_options.threads = 2;
    const auto recognizer = *CreateRecognizer(recognizer_options, {*whisper, testing::RealVad(), "whisper-base"});
    TranscribeOptions options;
    options.use_vad = use_vad;
    options.search.language = "en";
    options.search.beam_size = 1;
    std::vector<std::shared_ptr<Transcription>> all;
    for (auto& [name, samples] : testing::SoundsWithoutSpeech(seconds)) {
      all.push_back(*recognizer->Submit(AudioInput::Samples(std::move(samples), 16'000, 1, name), options));
    }
    std::vector<std::string> heard;
    for (const auto& one : all) {
      const auto& result = one->Wait();
      if (!result.ok()) {
        ADD_FAILURE() << result.status();
      } else if (!result->text.empty()) {
        heard.push_back(result->file + ": " + result->text);
      }
    }
    return heard;
  }
};

TEST_F(WithoutSpeechTest, BehindVoiceActivityDetectionNothingIsHeard) {
  EXPECT_EQ(Heard(true, 12), std::vector<std::string>());
}

TEST_F(WithoutSpeechTest, NothingIsHeardByTheDecoderAlone) {
  EXPECT_EQ(Heard(false, 2), std::vector<std::string>());
  EXPECT_EQ(Heard(false, 12), std::vector<std::string>());
  EXPECT_EQ(Heard(false, 30), std::vector<std::string>());
}

}  // namespace
}  // namespace tutti

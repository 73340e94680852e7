// What the built program says to wrong and to curious command lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/cli/program.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kSpeech = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/clip_a.wav";

TEST(UsageTest, WrongUsageEndsWithTwoAndSaysWhatIsWrong) {
  const std::vector<std::pair<std::vector<std::string>, const char*>> cases = {
      {{}, "a command is needed"},
      {{"transscribe"}, "no command 'transscribe'"},
      {{"transcribe"}, "PATH is required"},
      {{"transcribe", "--bogus", kSpeech}, "--bogus"},
      {{"transcribe", "--format", "pdf", kSpeech}, "pdf"},
      {{"transcribe", "--format", "txt,srt", kSpeech}, "several formats need --output"},
      {{"transcribe", "--overwrite", kSpeech}, "--overwrite needs --output"},
      {{"transcribe", "--output", "x", "--overwrite", "--skip-existing", kSpeech}, "--overwrite"},
      {{"transcribe", "--model", "nonesuch", kSpeech}, "registered names are demo-paraformer, fsmn-vad"},
      {{"transcribe", "--raw-format", "s17", kSpeech}, "--raw-format"},
      {{"transcribe", "--vad", "none", "--vad-chunk-size", "5", kSpeech}, "need a VAD model"},
      {{"transcribe", "--model", "demo-paraformer", "--vad-max-end-silence-time", "-5", kSpeech},
       "max_end_silence_time"},
      {{"transcribe", "--batch-seconds", "nan", kSpeech}, "--batch-seconds: nan: expected a number above 0"},
      {{"transcribe", "--queue-seconds", "0", kSpeech}, "--queue-seconds: 0: expected a number above 0"},
      {{"transcribe", "--recycle-memory", "-1", kSpeech}, "expected a number from 0 to"},
      {{"transcribe", "--model", "demo-paraformer", "--vad-sil-pdf-ids", "999", kSpeech}, "sil_pdf_ids: 999"},
      {{"transcribe", "-", "-"}, "named twice"},
      {{"vad", "--sil-pdf-ids", "x", kSpeech}, "sil-pdf-ids"},
      {{"vad", "--sil-pdf-ids", "999", kSpeech}, "sil_pdf_ids: 999"},
      {{"transcribe", "--patience", "nan", kSpeech}, "--patience: nan: expected a number from 0.01 to 100"},
      {{"transcribe", "--beam-size", "0", kSpeech}, "--beam-size: 0: expected a number from 1 to 100"},
      {{"transcribe", "--window-seconds", "12", kSpeech}, "--window-seconds: 12 not in {auto,10,15,20,30}"},
      {{"vad", "--merge-vad", "--merge-length-s", "nan", kSpeech}, "--merge-length-s: nan: expected a number from"},
      {{"models"}, "subcommand"},
      {{"models", "info", "nonesuch"}, "nonesuch"},
      {{"models", "convert", "fsmn-vad"}, "OUT is required"},
      {{"models", "convert", "--compute-type", "int4", "fsmn-vad", "x"}, "int4"},
      {{"bench", "encoder", "--compute-type", "int4"}, "int4"},
      {{"bench", "asr", "--lengths", "uniform:3:1"}, "uniform:3:1"},
      {{"bench", "asr", "--audio-seconds", "nan"}, "--audio-seconds: nan: expected a number from 0.1 to 360000"},
      {{"bench", "pipeline", "--vad", "nonesuch"}, "--vad"},
  };
  for (const auto& [arguments, message] : cases) {
    const Ended ended = RunProgram(arguments);
    EXPECT_EQ(ended.exit_code, 2) << message;
    EXPECT_THAT(ended.err, HasSubstr(message));
    EXPECT_THAT(ended.out, IsEmpty());
  }
}

TEST(UsageTest, HelpAndVersionGoToStandardOutput) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"--version"}, {"transcribe", "--help"}, {"bench", "asr", "-h"}}) {
    const Ended ended = RunProgram(arguments);
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr("tutti "));
    EXPECT_THAT(ended.err, IsEmpty());
  }
}

}  // namespace
}  // namespace tutti

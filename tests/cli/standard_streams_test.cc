// The built program where its standard output or standard error takes nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/support/folder.h"

namespace tutti {
namespace {

const std::string kOneSpeech = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio/clip_b.wav";
const std::string kSilentFilm = TUTTI_SOURCE_DIR "/tests/data/audio/no_audio.mp4";

// Of `tutti COMMAND` in a shell, redirections included.
int ShellExitCode(const std::string& command) {
  const int status = std::system((TUTTI_PROGRAM " " + command).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StandardStreamsTest, AStandardErrorThatTakesNothingDoesNotEndTheWork) {
  const testing::Folder folder;
  const std::string out = folder / "out";
  for (const char* closed : {"2>/dev/full", "2>&-"}) {
    for (const char* progress : {"auto", "bar", "json", "none"}) {
      EXPECT_EQ(ShellExitCode(fmt::format("transcribe --model demo-paraformer --progress {} {} {} {} >{} {}", progress,
                                          kOneSpeech, kSilentFilm, kOneSpeech, out, closed)),
                1)
          << progress << " " << closed;
      const std::string text = testing::BytesOf(out);
      EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
    }
  }
}

TEST(StandardStreamsTest, AStandardOutputThatTakesNothingIsAFailure) {
  for (const char* closed : {">/dev/full", ">&-"}) {
    for (const char* command : {"--help", "--version", "--generate-man", "models list", "models info fsmn-vad"}) {
      EXPECT_EQ(ShellExitCode(fmt::format("{} {} 2>/dev/null", command, closed)), 1) << command << closed;
    }
    for (const char* command : {"transcribe --model demo-paraformer", "vad"}) {
      EXPECT_EQ(ShellExitCode(fmt::format("{} {} {} 2>/dev/null", command, kOneSpeech, closed)), 1)
          << command << closed;
    }
  }
}

}  // namespace
}  // namespace tutti

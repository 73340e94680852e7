#include "audio/container.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/audio/media.h"

namespace tutti {
namespace {

using testing::AsBytes;
using testing::FileBytes;
using testing::MediaPath;

std::string_view Recognise(const std::string& head) { return RecogniseContainer(AsBytes(head)); }

TEST(ContainerTest, KnowsTheSignaturesOfTheSpecAndAFewMore) {
  using namespace std::string_literals;
  EXPECT_EQ(Recognise("RIFF....WAVE"), "wav");
  EXPECT_EQ(Recognise("RIFX....WAVE"), "wav");
  EXPECT_EQ(Recognise("RF64....WAVE"), "wav");
  EXPECT_EQ(Recognise("BW64....WAVE"), "wav");
  EXPECT_EQ(Recognise("OggS"), "ogg");
  EXPECT_EQ(Recognise("fLaC"), "flac");
  EXPECT_EQ(Recognise("\0\0\0\x20"s + "ftypM4A "), "mov");
  EXPECT_EQ(Recognise("\x1A\x45\xDF\xA3"), "matroska");
  EXPECT_EQ(Recognise("ID3\4"), "mp3,aac,flac");
  EXPECT_EQ(Recognise("#!AMR\n"), "amr");
  EXPECT_EQ(Recognise("FORM....AIFC"), "aiff");
}

TEST(ContainerTest, KnowsTwoMpegFramesInARow) {
  std::string mp3 = FileBytes(MediaPath("speech.mp3"));
  const size_t start = mp3.find("\xFF\xFB");
  ASSERT_NE(start, std::string::npos);
  mp3 = mp3.substr(start);
  EXPECT_EQ(Recognise(mp3), "mp3");
  EXPECT_EQ(Recognise(mp3.substr(0, 100)), "") << "one frame is not enough";
  EXPECT_EQ(Recognise(FileBytes(MediaPath("speech.aac"))), "aac");
}

TEST(ContainerTest, TakesAnythingElseForPcm) {
  for (const std::string text : {"", "R", "RIFF", "RIFF....AVI LIST", "#EXTM3U", "ffconcat version 1.0"}) {
    EXPECT_EQ(Recognise(text), "") << text;
  }
  std::mt19937 generator(1);
  for (int round = 0; round < 1000; ++round) {
    std::string noise(kContainerHeadBytes, '\0');
    for (char& byte : noise) byte = static_cast<char>(generator());
    EXPECT_EQ(Recognise(noise), "");
    // Quiet PCM around zero is full of 0xFF bytes.
    for (size_t i = 0; i < noise.size(); i += 2) noise[i + 1] = static_cast<char>(noise[i] < 0 ? 0xFF : 0);
    EXPECT_EQ(Recognise(noise), "");
    EXPECT_EQ(Recognise(noise.substr(1)), "");
  }
}

}  // namespace
}  // namespace tutti

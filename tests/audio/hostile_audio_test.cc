// Recordings that are damaged, or made to do harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "audio/decoder.h"
#include "tests/audio/media.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using testing::Decoded;
using testing::DecodeFile;
using testing::DecodeMemory;
using testing::FileBytes;
using testing::Folder;
using ::testing::HasSubstr;
using testing::MediaFiles;
using testing::MediaPath;
using testing::SpeechPath;
using testing::Wav;

DecodeOptions Split() {
  DecodeOptions options;
  options.channels = ChannelMode::kSplit;
  return options;
}

size_t Length(const Decoded& decoded) { return decoded.channels.empty() ? 0 : decoded.channels[0].size(); }

// What holds for any bytes: an error has a reason, no sample is out of all bounds (the filter may overshoot).
void ExpectSound(const Decoded& decoded, const std::string& what) {
  if (!decoded.status.ok()) {
    EXPECT_THAT(Message(decoded.status), HasSubstr("upload: ")) << what;
  }
  for (const auto& channel : decoded.channels) {
    ASSERT_EQ(channel.size(), Length(decoded)) << what;
    for (const float x : channel) ASSERT_LE(std::abs(x), 65536.0F) << what;
  }
}

TEST(HostileAudioTest, CutFilesGiveWhatIsLeftAndSaySo) {
  for (const std::string file : {"speech.mp3", "speech.opus", "speech.webm", "video.mp4"}) {
    const std::string bytes = FileBytes(MediaPath(file));
    const auto whole = DecodeMemory(bytes), cut = DecodeMemory(bytes.substr(0, bytes.size() * 3 / 4));
    ASSERT_TRUE(cut.status.ok()) << file << ": " << Message(cut.status);
    EXPECT_GT(Length(cut), Length(whole) / 4) << file;
    EXPECT_LT(Length(cut), Length(whole)) << file;
  }
  // These containers say at the beginning how long they are.
  for (const std::string file : {"speech.mp3", "video.mp4"}) {
    const std::string bytes = FileBytes(MediaPath(file));
    EXPECT_FALSE(DecodeMemory(bytes).truncated) << file;
    EXPECT_TRUE(DecodeMemory(bytes.substr(0, bytes.size() / 2)).truncated) << file;
  }
  const std::string wav = FileBytes(SpeechPath());
  const auto cut = DecodeMemory(wav.substr(0, 44 + 2 * 16000));
  EXPECT_EQ(Length(cut), 16000u);
  EXPECT_TRUE(cut.truncated);
}

TEST(HostileAudioTest, SizesThatPipesLeaveInHeadersAreNoDamage) {
  for (const int64_t told : {int64_t{0}, int64_t{0x7FFFFFFF}, int64_t{0x7FFFF000}, int64_t{0xFFFFFFFF}}) {
    const auto decoded = DecodeMemory(Wav(std::vector<int16_t>(8000), 16000, 1, 1, told));
    EXPECT_TRUE(decoded.status.ok()) << Message(decoded.status);
    EXPECT_EQ(Length(decoded), 8000u) << told;
    EXPECT_FALSE(decoded.truncated) << told;
  }
}

TEST(HostileAudioTest, NoTruncationHangsOrCrashes) {
  std::mt19937 generator(1);
  for (const std::string& file : MediaFiles()) {
    const std::string bytes = FileBytes(MediaPath(file));
    for (int i = 0; i < 25; ++i) {
      const size_t length = std::uniform_int_distribution<size_t>(0, bytes.size())(generator);
      ExpectSound(DecodeMemory(bytes.substr(0, length), Split()), fmt::format("{}, first {} bytes", file, length));
    }
  }
}

TEST(HostileAudioTest, NoBitFlipsHangOrCrash) {
  std::mt19937 generator(2);
  DecodeOptions options = Split();
  options.max_duration_ms = 60'000;
  for (const std::string& file : MediaFiles()) {
    for (int i = 0; i < 25; ++i) {
      std::string bytes = FileBytes(MediaPath(file));
      // Half of the rounds spoil the headers alone.
      const size_t reach = i % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 200);
      for (int flip = 0; flip < 1 + i; ++flip) {
        const size_t at = std::uniform_int_distribution<size_t>(0, reach - 1)(generator);
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << std::uniform_int_distribution<int>(0, 7)(generator));
      }
      ExpectSound(DecodeMemory(bytes, options), fmt::format("{}, round {}", file, i));
    }
  }
}

TEST(HostileAudioTest, NoiseInTheMiddleIsSkippedAndTold) {
  std::string bytes = FileBytes(MediaPath("speech.mp3"));
  std::mt19937 generator(3);
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 400; ++i) bytes[i] = static_cast<char>(generator());
  const auto decoded = DecodeMemory(bytes);
  ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
  EXPECT_GT(Length(decoded), 12'000u);
  EXPECT_TRUE(decoded.truncated);
}

TEST(HostileAudioTest, AudioWithoutOneGoodSampleIsDataLoss) {
  std::string bytes = FileBytes(MediaPath("video.mp4"));
  // Spoils the media, keeps the tables: the first packets are beyond the end.
  const size_t media = bytes.find("mdat");
  ASSERT_NE(media, std::string::npos);
  const auto decoded = DecodeMemory(bytes.substr(0, media + 8));
  EXPECT_EQ(decoded.status.code(), absl::StatusCode::kDataLoss) << Message(decoded.status);
  EXPECT_THAT(Message(decoded.status), HasSubstr("upload: not one sample"));
}

TEST(HostileAudioTest, AnErrorStays) {
  DecodeOptions options;
  options.max_duration_ms = 10;
  const std::string wav = Wav(std::vector<int16_t>(1600), 16000, 1);
  const auto decoder = AudioDecoder::OpenMemory(testing::AsBytes(wav), "upload", options).value();
  std::vector<std::vector<float>> out;
  const auto first = decoder->Read(out).status();
  EXPECT_EQ(first.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(decoder->Read(out).status(), first);
}

TEST(HostileAudioTest, LimitsHold) {
  DecodeOptions options;
  options.max_duration_ms = 1000;
  options.max_channels = 2;
  EXPECT_TRUE(DecodeMemory(Wav(std::vector<int16_t>(16000), 16000, 1), options).status.ok());
  const auto too_long = DecodeMemory(Wav(std::vector<int16_t>(48003), 48000, 1), options).status;
  EXPECT_TRUE(too_long.ok()) << "a sample beyond the millisecond";
  EXPECT_THAT(Message(DecodeMemory(Wav(std::vector<int16_t>(16016), 16000, 1), options).status),
              HasSubstr("longer than the 1000 ms allowed"));
  EXPECT_THAT(Message(DecodeMemory(Wav(std::vector<int16_t>(300), 16000, 3), options).status),
              HasSubstr("has 3 channels, 2 are allowed"));
  for (const uint32_t rate : {0U, 1U, 999U, 1'000'000U, 0xFFFFFFFFU}) {
    const auto decoded = DecodeMemory(Wav(std::vector<int16_t>(300), rate, 1), options);
    EXPECT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument) << rate;
  }
  const std::vector<float> samples(30);
  for (const auto& [rate, channels] : std::vector<std::pair<int, int>>{
           {0, 1}, {-8000, 1}, {999, 1}, {8000, 0}, {8000, 3}, {8000, -1}, {2147483647, 1}}) {
    EXPECT_EQ(AudioDecoder::OpenSamples(samples, rate, channels, options).status().code(),
              absl::StatusCode::kInvalidArgument)
        << rate << " Hz, " << channels;
  }
  EXPECT_FALSE(AudioDecoder::OpenSamples(std::span(samples).first(3), 8000, 2, options).ok());
}

TEST(HostileAudioTest, ARecordingMayChangeItsRateMidway) {
  const std::string bytes = FileBytes(MediaPath("speech.mp3")) + FileBytes(MediaPath("tail_16k.mp3"));
  const auto mixed = DecodeMemory(bytes);
  ASSERT_TRUE(mixed.status.ok()) << Message(mixed.status);
  EXPECT_NEAR(static_cast<double>(Length(mixed)), 16000 + 6400, 2000);
  const auto split = DecodeMemory(bytes, Split());
  EXPECT_EQ(split.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(split.status), HasSubstr("changes from 2 to 1 channels midway"));
}

TEST(HostileAudioTest, APlaylistOpensNoOtherFile) {
  const Folder folder;
  const std::string target = folder.Write("target.wav", FileBytes(SpeechPath()));
  const std::vector<std::pair<std::string, std::string>> playlists = {
      {"a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\n" + target + "\n#EXT-X-ENDLIST\n"},
      {"b.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"},
      {"c.ffconcat", "ffconcat version 1.0\nfile target.wav\n"},
      {"d.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"},
      {"e.mpd",
       "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
       "mediaPresentationDuration=\"PT3S\" "
       "profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period><AdaptationSet "
       "mimeType=\"audio/mp4\"><Representation id=\"1\" bandwidth=\"1\"><BaseURL>target.wav</BaseURL></Representation>"
       "</AdaptationSet></Period></MPD>"},
  };
  for (const auto& [name, text] : playlists) {
    const auto decoded = DecodeFile(folder.Write(name, text));
    EXPECT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument) << name << ": " << Length(decoded);
    EXPECT_THAT(Message(decoded.status), HasSubstr(name));
    // Memory that is no container is PCM.
    EXPECT_LE(Length(DecodeMemory(text)), text.size()) << name;
  }
  EXPECT_THAT(Message(DecodeFile(folder / "a.m3u8").status), HasSubstr("refers to other files"));
}

TEST(HostileAudioTest, FilesOfPcmGoByTheirExtension) {
  const Folder folder;
  const std::string pcm = FileBytes(SpeechPath()).substr(44);
  for (const std::string name : {"a.pcm", "a.raw"}) {
    const auto decoded = DecodeFile(folder.Write(name, pcm));
    ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
    EXPECT_EQ(Length(decoded), 47840u);
  }
  EXPECT_FALSE(DecodeFile(folder.Write("a.xyz", pcm)).status.ok());
  // A container is a container whatever its name.
  EXPECT_EQ(Length(DecodeFile(folder.Write("b.raw", FileBytes(SpeechPath())))), 47840u);
  DecodeOptions telephone;
  telephone.raw = true;
  telephone.raw_format = RawFormat::Parse("s16le:8000").value();
  EXPECT_EQ(Length(DecodeFile(folder / "a.xyz", telephone)), 2 * 47840u);
}

TEST(HostileAudioTest, APipeCanBeDecoded) {
  const Folder folder;
  for (const std::string& file : {SpeechPath(), MediaPath("speech.mp3"), MediaPath("speech.opus")}) {
    const std::string pipe = folder / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    std::thread writer([&pipe, &file] { std::ofstream(pipe, std::ios::binary) << FileBytes(file); });
    const auto decoded = DecodeFile(pipe);
    writer.join();
    ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
    EXPECT_NEAR(static_cast<double>(Length(decoded)), static_cast<double>(Length(DecodeFile(file))), 1600) << file;
    EXPECT_FALSE(decoded.truncated) << file;
    std::filesystem::remove(pipe);
  }
}

TEST(HostileAudioTest, NothingIsPrinted) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  for (const std::string& file : MediaFiles()) {
    std::string bytes = FileBytes(MediaPath(file));
    for (size_t i = 100; i < bytes.size(); i += 100) bytes[i] = static_cast<char>(~bytes[i]);
    DecodeMemory(bytes);
    DecodeMemory(bytes.substr(0, bytes.size() / 2));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace tutti

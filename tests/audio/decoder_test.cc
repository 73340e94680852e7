#include "audio/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

#include "audio/resampler.h"
#include "tests/audio/media.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::BytesOf;
using testing::DecodeFile;
using testing::DecodeMemory;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::FileBytes;
using ::testing::HasSubstr;
using testing::MediaFiles;
using testing::MediaPath;
using testing::RandomFloats;
using testing::ReadAll;
using testing::SpeechPath;
using testing::Wav;

using Samples = std::vector<float>;

// What tools/make_audio_fixtures.sh encodes.
Samples Speech() {
  const std::string wav = FileBytes(SpeechPath());
  Samples samples(16000);
  for (size_t i = 0; i < samples.size(); ++i) {
    int16_t value = 0;
    std::memcpy(&value, wav.data() + 44 + 2 * (4800 + i), 2);
    samples[i] = static_cast<float>(value) / 32768.0F;
  }
  return samples;
}

// The best correlation of `a` and `b` over all shifts up to `most`.
double BestCorrelation(const Samples& a, const Samples& b, int64_t most) {
  double best = 0;
  for (int64_t shift = -most; shift <= most; ++shift) {
    double ab = 0, aa = 1e-9, bb = 1e-9;
    for (int64_t i = std::max<int64_t>(0, -shift);
         i < std::min(std::ssize(a), static_cast<int64_t>(std::ssize(b)) - shift); ++i) {
      const double x = a[static_cast<size_t>(i)], y = b[static_cast<size_t>(i + shift)];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    best = std::max(best, ab / std::sqrt(aa * bb));
  }
  return best;
}

// RMS of each 20 ms.
Samples Loudness(const Samples& samples) {
  Samples loudness;
  for (size_t i = 0; i + 320 <= samples.size(); i += 320) {
    loudness.push_back(std::sqrt(std::inner_product(&samples[i], &samples[i] + 320, &samples[i], 0.0F) / 320));
  }
  return loudness;
}

TEST(DecoderTest, SixteenBitSamplesAreDividedBy32768) {
  const std::vector<int16_t> samples = {0, 1, -1, 12345, 32767, -32768};
  const auto decoded = DecodeMemory(Wav(samples, 16000, 1));
  ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
  EXPECT_THAT(decoded.channels,
              ElementsAre(ElementsAre(0, 1 / 32768.0F, -1 / 32768.0F, 12345 / 32768.0F, 32767 / 32768.0F, -1)));
  EXPECT_FALSE(decoded.truncated);
}

TEST(DecoderTest, SpeechSurvivesEveryCodec) {
  const Samples speech = Speech();
  for (const auto& [file, correlation] : std::vector<std::pair<std::string, double>>{{"speech.aac", 0.97},
                                                                                     {"speech.g722", 0.99},
                                                                                     {"speech.m4a", 0.9},
                                                                                     {"speech.mp3", 0.97},
                                                                                     {"speech.ogg", 0.97},
                                                                                     {"speech.opus", 0.8},
                                                                                     {"speech.webm", 0.8},
                                                                                     {"video.mp4", 0.97}}) {
    const auto decoded = DecodeFile(MediaPath(file));
    ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
    ASSERT_EQ(decoded.channels.size(), 1u) << file;
    EXPECT_NEAR(static_cast<double>(decoded.channels[0].size()), 16000, 1600) << file;
    EXPECT_GT(BestCorrelation(speech, decoded.channels[0], 1600), correlation) << file;
    EXPECT_FALSE(decoded.truncated) << file;
  }
}

TEST(DecoderTest, LosslessAndTelephoneFilesKeepTheirLevel) {
  const Samples speech = Speech();
  const auto mulaw = DecodeFile(MediaPath("mulaw_8k.wav"));
  ASSERT_TRUE(mulaw.status.ok()) << Message(mulaw.status);
  ASSERT_EQ(mulaw.channels[0].size(), 8000u);
  EXPECT_GT(BestCorrelation({speech.begin(), speech.begin() + 8000}, mulaw.channels[0], 100), 0.9);

  DecodeOptions split;
  split.channels = ChannelMode::kSplit;
  const auto flac = DecodeFile(MediaPath("stereo_44k.flac"), split);
  ASSERT_TRUE(flac.status.ok()) << Message(flac.status);
  ASSERT_EQ(flac.channels.size(), 2u);
  ASSERT_EQ(flac.channels[0].size(), 2400u);
  for (size_t i = 50; i < 2350; ++i) ASSERT_NEAR(flac.channels[0][i], speech[i], 0.02) << i;
  EXPECT_THAT(flac.channels[1], Each(0.0F));
}

// The encoder of Debian's libopencore-amrnb keeps the loudness and the pitch, not the wave.
TEST(DecoderTest, AmrKeepsTheCourseOfLoudness) {
  const auto decoded = DecodeFile(MediaPath("speech.amr"));
  ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
  ASSERT_EQ(decoded.channels[0].size(), 16000u);
  EXPECT_GT(BestCorrelation(Loudness(Speech()), Loudness(decoded.channels[0]), 2), 0.9);
}

TEST(DecoderTest, MemoryAndFileGiveTheSameSamples) {
  for (const std::string& file : MediaFiles()) {
    const auto from_file = DecodeFile(MediaPath(file));
    const std::string bytes = FileBytes(MediaPath(file));
    // G.722 has no header: the name alone tells.
    const auto from_memory = ReadAll(AudioDecoder::OpenMemory(testing::AsBytes(bytes), file, {}));
    ASSERT_TRUE(from_memory.status.ok()) << Message(from_memory.status);
    EXPECT_EQ(from_file.channels, from_memory.channels) << file;
  }
}

TEST(DecoderTest, MemoryWithoutAHeaderIsPcmWhateverItsContent) {
  const std::string bytes = FileBytes(MediaPath("speech.g722"));
  const auto decoded = DecodeMemory(bytes);
  ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
  EXPECT_EQ(decoded.channels[0].size(), bytes.size() / 2);
}

TEST(DecoderTest, MixAveragesTheChannelsAndSplitKeepsThem) {
  const std::vector<int16_t> samples = {100, 300, -32768, 32766, 5, 6};
  const auto mixed = DecodeMemory(Wav(samples, 16000, 2));
  EXPECT_THAT(mixed.channels, ElementsAre(ElementsAre(200 / 32768.0F, -1 / 32768.0F, 5.5F / 32768.0F)));
  DecodeOptions split;
  split.channels = ChannelMode::kSplit;
  const auto kept = DecodeMemory(Wav(samples, 16000, 2), split);
  EXPECT_THAT(kept.channels, ElementsAre(ElementsAre(100 / 32768.0F, -1, 5 / 32768.0F),
                                         ElementsAre(300 / 32768.0F, 32766 / 32768.0F, 6 / 32768.0F)));
}

TEST(DecoderTest, ResamplesAsTheResamplerDoes) {
  const auto samples = RandomFloats(100'000, 1, 0.2F);
  for (const int rate : {8000, 44100, 48000}) {
    Samples expected;
    Resampler(ResampleFilter::Create(rate).value()).Accept(samples, true, expected);
    const auto from_wav = DecodeMemory(Wav(samples, static_cast<uint32_t>(rate), 1, 3));
    EXPECT_THAT(from_wav.channels, ElementsAre(expected)) << rate;
    const auto from_samples = ReadAll(AudioDecoder::OpenSamples(samples, rate, 1, {}));
    EXPECT_THAT(from_samples.channels, ElementsAre(expected)) << rate;
  }
}

TEST(DecoderTest, ReadGivesAboutASecondAndSaysFalseAtTheEnd) {
  const auto samples = RandomFloats(10 * 44100, 1, 0.2F);
  auto decoder = AudioDecoder::OpenSamples(samples, 44100, 1, {});
  ASSERT_TRUE(decoder.ok());
  EXPECT_EQ((*decoder)->expected_samples(), 160'000);
  std::vector<Samples> out;
  size_t before = 0, reads = 0;
  while ((*decoder)->Read(out).value()) {
    EXPECT_LE(out[0].size() - before, 32'000u);
    before = out[0].size();
    ++reads;
  }
  EXPECT_GE(reads, 5u);
  EXPECT_EQ(out[0].size(), 160'000u);
  EXPECT_FALSE((*decoder)->Read(out).value());
  EXPECT_EQ(out[0].size(), 160'000u);
}

TEST(DecoderTest, HeaderlessMemoryIsSixteenBitPcm) {
  const std::vector<int16_t> samples = {256, -256, 1024};
  const auto decoded = DecodeMemory(BytesOf(samples));
  ASSERT_TRUE(decoded.status.ok()) << Message(decoded.status);
  EXPECT_THAT(decoded.channels, ElementsAre(ElementsAre(1 / 128.0F, -1 / 128.0F, 1 / 32.0F)));
}

TEST(DecoderTest, RawFormatsAreTakenAtTheirWord) {
  const auto decode = [](const std::string& bytes, std::string_view format) {
    DecodeOptions options;
    options.raw = true;
    options.raw_format = RawFormat::Parse(format).value();
    auto decoded = DecodeMemory(bytes, options);
    EXPECT_TRUE(decoded.status.ok()) << Message(decoded.status);
    return decoded.channels;
  };
  EXPECT_THAT(decode(BytesOf(std::vector<int32_t>{1 << 30, -(1 << 29)}), "s32le"),
              ElementsAre(ElementsAre(0.5F, -0.25F)));
  EXPECT_THAT(decode(BytesOf(std::vector<float>{0.25F, 0.75F}), "f32le:16000:2"), ElementsAre(ElementsAre(0.5F)));
  EXPECT_THAT(decode(BytesOf(std::vector<uint8_t>{128, 192, 0}), "u8"), ElementsAre(ElementsAre(0, 0.5F, -1)));
  EXPECT_THAT(decode("\xFF", "mulaw"), ElementsAre(ElementsAre(0)));
  EXPECT_THAT(decode("\xD5", "alaw"), ElementsAre(ElementsAre(8 / 32768.0F)));
  EXPECT_EQ(decode(std::string(100, '\xFF'), "mulaw:8000")[0].size(), 200u);
  EXPECT_EQ(decode(std::string(80, '\0'), "s16le:16000:20")[0].size(), 2u);
  // Even what looks like a container.
  EXPECT_EQ(decode(FileBytes(SpeechPath()), "s16le")[0].size(), 47840u + 22);
}

TEST(DecoderTest, EmptyAudioIsNoError) {
  for (const std::string& bytes : {std::string(), Wav(std::vector<int16_t>{}, 16000, 1)}) {
    const auto decoded = DecodeMemory(bytes);
    EXPECT_TRUE(decoded.status.ok()) << Message(decoded.status);
    EXPECT_THAT(decoded.channels, ElementsAre(Samples()));
    EXPECT_FALSE(decoded.truncated);
  }
  const std::string path = ::testing::TempDir() + "empty.wav";
  std::ofstream(path).close();
  const auto file = DecodeFile(path);
  EXPECT_TRUE(file.status.ok()) << Message(file.status);
  EXPECT_THAT(file.channels, ElementsAre(Samples()));
  const auto samples = ReadAll(AudioDecoder::OpenSamples({}, 8000, 2, {}));
  EXPECT_TRUE(samples.status.ok()) << Message(samples.status);
  EXPECT_THAT(samples.channels, ElementsAre(Samples()));
}

TEST(DecoderTest, ValuesThatAreNoAudioDoNotGetThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> samples = {0.5F, std::nanf(""), kInfinity, -kInfinity, 3e38F, -3e38F, 1.5F};
  const std::vector<float> expected = {0.5F, 0, 0, 0, 32768, -32768, 1.5F};
  EXPECT_THAT(ReadAll(AudioDecoder::OpenSamples(samples, 16000, 1, {})).channels, ElementsAre(expected));
  EXPECT_THAT(DecodeMemory(Wav(samples, 16000, 1, 3)).channels, ElementsAre(expected));
}

TEST(DecoderTest, FilesThatAreNoRecordingSayWhy) {
  const auto missing = DecodeFile("/nonexistent/a.wav").status;
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(missing), HasSubstr("/nonexistent/a.wav: cannot open: No such file"));
  const auto folder = DecodeFile(TUTTI_SOURCE_DIR).status;
  EXPECT_THAT(Message(folder), HasSubstr("is a directory"));
  const auto text = DecodeFile(TUTTI_SOURCE_DIR "/.clang-format").status;
  EXPECT_EQ(text.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(text), HasSubstr(".clang-format: not a container that libav knows: Invalid data"));
  const auto video = DecodeFile(MediaPath("no_audio.mp4")).status;
  EXPECT_EQ(video.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(video), HasSubstr("no_audio.mp4: no audio stream"));
}

TEST(DecoderTest, ManyThreadsDecodeAtOnce) {
  const auto files = MediaFiles();
  std::vector<std::vector<Samples>> expected;
  for (const std::string& file : files) expected.push_back(DecodeFile(MediaPath(file)).channels);
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&files, &expected, &wrong, t] {
      for (size_t i = 0; i < files.size(); ++i) {
        const size_t file = (i + t) % files.size();
        wrong[t] += DecodeFile(MediaPath(files[file])).channels != expected[file];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, Each(0));
}

}  // namespace
}  // namespace tutti

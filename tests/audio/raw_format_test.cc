#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audio/decoder.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

TEST(RawFormatTest, RateAndChannelsMayBeLeftOut) {
  const auto all = RawFormat::Parse("f32le:44100:2").value();
  EXPECT_EQ(all.encoding, RawFormat::Encoding::kF32le);
  EXPECT_EQ(all.sample_rate, 44100);
  EXPECT_EQ(all.channels, 2);
  const auto rate = RawFormat::Parse("mulaw:8000").value();
  EXPECT_EQ(rate.encoding, RawFormat::Encoding::kMulaw);
  EXPECT_EQ(rate.sample_rate, 8000);
  EXPECT_EQ(rate.channels, 1);
  const auto channels = RawFormat::Parse("s16le::2").value();
  EXPECT_EQ(channels.sample_rate, 16000);
  EXPECT_EQ(channels.channels, 2);
}

TEST(RawFormatTest, AnythingElseIsRefusedWithWhatIsAllowed) {
  for (const char* text : {"", "mp3", "s16", "S16LE", "s16le:16000:1:1", "s16le:1.5", "s16le:999", "s16le:16k",
                           "s16le:99999999999", "s16le:16000:0", "s16le:16000:-1", ":16000", "s16le:16000:1:"}) {
    const auto format = RawFormat::Parse(text);
    ASSERT_FALSE(format.ok()) << text;
    EXPECT_THAT(Message(format.status()), HasSubstr("expected ENCODING[:RATE[:CHANNELS]]"));
  }
}

}  // namespace
}  // namespace tutti

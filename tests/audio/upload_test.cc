#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "audio/decoder.h"
#include "tests/audio/media.h"

namespace tutti {
namespace {

using testing::FileBytes;
using testing::MediaFiles;
using testing::MediaPath;
using testing::ReadAll;

// As a server spools it: under a path that says nothing.
testing::Decoded DecodeUpload(const std::string& bytes, const std::string& name, const DecodeOptions& options = {}) {
  const std::string path = fmt::format("{}secret-spool-{}", ::testing::TempDir(), getpid());
  std::ofstream(path, std::ios::binary) << bytes;
  return ReadAll(AudioDecoder::OpenUpload(path, name, options));
}

TEST(UploadTest, EveryKnownContainerIsDecodedAsFromItsFile) {
  for (const std::string& file : MediaFiles()) {
    const auto upload = DecodeUpload(FileBytes(MediaPath(file)), file);
    const auto expected = testing::DecodeFile(MediaPath(file));
    EXPECT_EQ(upload.status, expected.status) << file;
    EXPECT_EQ(upload.channels, expected.channels) << file;
  }
}

TEST(UploadTest, WhatIsNoKnownContainerIsRefusedWithoutTellingThePath) {
  for (const std::string bytes : {"just some text, as people send by mistake", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
                                  "ffconcat version 1.0\nfile /etc/passwd\n"}) {
    for (const std::string name : {"notes.wav", "notes", "x.m3u8"}) {
      const auto decoded = DecodeUpload(bytes, name);
      EXPECT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument) << name;
      EXPECT_THAT(Message(decoded.status), ::testing::StartsWith(name));
      EXPECT_THAT(Message(decoded.status), ::testing::Not(::testing::HasSubstr("secret")));
    }
  }
}

TEST(UploadTest, HeaderlessAudioIsTakenWhenItsNameOrTheOptionsSaySo) {
  const std::string samples(32000, '\1');
  EXPECT_EQ(DecodeUpload(samples, "a.pcm").channels[0].size(), 16000u);
  EXPECT_EQ(DecodeUpload(samples, "a.raw").channels[0].size(), 16000u);
  EXPECT_FALSE(DecodeUpload(samples, "a.bin").status.ok());
  DecodeOptions options;
  options.raw = true;
  EXPECT_EQ(DecodeUpload(samples, "a.bin", options).channels[0].size(), 16000u);
}

TEST(UploadTest, AnEmptyUploadIsAudioWithoutSamples) {
  const auto decoded = DecodeUpload("", "empty.mp3");
  EXPECT_TRUE(decoded.status.ok());
  EXPECT_TRUE(decoded.channels.empty() || decoded.channels[0].empty());
}

}  // namespace
}  // namespace tutti

#include "service/multipart.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tutti {
namespace {

struct Received {
  std::string name, file_name, content_type, data;
  bool is_file = false, ended = false;
  bool operator==(const Received&) const = default;
};

class Collector final : public MultipartReader::Sink {
 public:
  absl::Status BeginPart(const MultipartReader::Part& part) override {
    parts.push_back({part.name, part.file_name, part.content_type, "", part.is_file, false});
    return absl::OkStatus();
  }
  absl::Status Data(std::string_view piece) override {
    parts.back().data += piece;
    return absl::OkStatus();
  }
  absl::Status EndPart() override {
    parts.back().ended = true;
    return absl::OkStatus();
  }
  std::vector<Received> parts;
};

constexpr std::string_view kType = "multipart/form-data; boundary=xyz";

absl::Status Read(std::string_view body, Collector& collector, std::string_view type = kType) {
  auto reader = MultipartReader::Create(type, collector);
  if (!reader.ok()) return reader.status();
  TUTTI_RETURN_IF_ERROR(reader->Feed(body));
  return reader->Finish();
}

std::string Field(std::string_view name, std::string_view data) {
  return fmt::format("--xyz\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", name, data);
}

TEST(MultipartTest, FieldsAndFilesComeWithTheirNames) {
  Collector got;
  ASSERT_TRUE(Read(Field("model", "whisper-1") +
                       "--xyz\r\ncontent-disposition: form-data; name=file; filename=\"C:\\audio\\a \\\"b\\\".wav\"\r\n"
                       "Content-Type: audio/wav\r\n\r\nRIFF\r\n--xy\r\n--xyz--\r\nepilogue",
                   got)
                  .ok());
  EXPECT_EQ(got.parts, (std::vector<Received>{{"model", "", "", "whisper-1", false, true},
                                              {"file", "a \"b\".wav", "audio/wav", "RIFF\r\n--xy", true, true}}));
}

TEST(MultipartTest, EmptyPartsAndAPreambleAreAllowed) {
  Collector got;
  ASSERT_TRUE(Read(fmt::format("hello\r\n{}{}--xyz--", Field("a", ""), Field("b", "1")), got).ok());
  ASSERT_EQ(got.parts.size(), 2u);
  EXPECT_EQ(got.parts[0].data, "");
  EXPECT_EQ(got.parts[1].data, "1");
}

TEST(MultipartTest, ThePiecesInWhichABodyArrivesChangeNothing) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string body;
    std::vector<Received> expected;
    for (unsigned i = 0; i < random() % 4; ++i) {
      std::string data;
      // Data that looks like the delimiter, as far as it may.
      for (unsigned j = 0; j < random() % 20; ++j) data += std::string_view("\r\n--xy\rz\n-").substr(random() % 10);
      if (fmt::format("\r\n{}", data).find("\r\n--xyz") != std::string::npos) continue;
      expected.push_back({fmt::format("f{}", i), "", "", data, false, true});
      body += Field(expected.back().name, data);
    }
    body += "--xyz--\r\n";
    Collector got;
    auto reader = MultipartReader::Create(kType, got);
    for (size_t at = 0; at < body.size();) {
      const size_t count = 1 + random() % 7;
      ASSERT_TRUE(reader->Feed(std::string_view(body).substr(at, count)).ok());
      at += count;
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(got.parts, expected) << body;
  }
}

TEST(MultipartTest, ALargeFileMayComeAtOnce) {
  const std::string data(1 << 20, 'x');
  Collector got;
  ASSERT_TRUE(Read(fmt::format("{}{}--xyz--", Field("a", "1"), Field("b", data)), got).ok());
  ASSERT_EQ(got.parts.size(), 2u);
  EXPECT_EQ(got.parts[1].data, data);
}

TEST(MultipartTest, ABodyThatBreaksOffIsAnError) {
  const std::string body = Field("a", "1") + "--xyz--";
  for (size_t size = 0; size < body.size(); ++size) {
    Collector got;
    EXPECT_EQ(Read(body.substr(0, size), got).code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(MultipartTest, MalformedBodiesAreErrors) {
  Collector got;
  EXPECT_FALSE(Read("--xyz\r\nContent-Type: text/plain\r\n\r\nno name\r\n--xyz--", got).ok());
  EXPECT_FALSE(Read("--xyzzy\r\n\r\n", got).ok());
  EXPECT_FALSE(Read(fmt::format("--xyz\r\n{}", std::string(10000, 'a')), got).ok());
  EXPECT_FALSE(Read(fmt::format("--xyz{}", std::string(10000, ' ')), got).ok());
  std::string many;
  for (int i = 0; i < 300; ++i) many += Field("a", "1");
  EXPECT_FALSE(Read(fmt::format("{}--xyz--", many), got).ok());
}

TEST(MultipartTest, OnlyFormDataWithAUsableBoundaryIsRead) {
  Collector got;
  EXPECT_FALSE(Read("", got, "text/plain").ok());
  EXPECT_FALSE(Read("", got, "multipart/form-data").ok());
  EXPECT_FALSE(Read("", got, fmt::format("multipart/form-data; boundary={}", std::string(71, 'a'))).ok());
  EXPECT_TRUE(Read("--a b--", got, "Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"").ok());
}

TEST(MultipartTest, AnErrorOfTheReceiverEndsTheReading) {
  class Full final : public MultipartReader::Sink {
    absl::Status BeginPart(const MultipartReader::Part&) override { return absl::OkStatus(); }
    absl::Status Data(std::string_view) override { return absl::ResourceExhaustedError("full"); }
    absl::Status EndPart() override { return absl::OkStatus(); }
  } full;
  auto reader = MultipartReader::Create(kType, full);
  EXPECT_EQ(reader->Feed(Field("a", std::string(100, '1'))).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tutti

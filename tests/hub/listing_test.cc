#include "hub/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

const std::string kSha256(64, 'a'), kOther(64, 'b');

auto IsFile(const std::string& name, int64_t size, const std::string& sha256) {
  return AllOf(Field(&ModelFile::name, name), Field(&ModelFile::size, size), Field(&ModelFile::sha256, sha256));
}

TEST(ListingTest, HuggingFaceStatesTheChecksumsOfLargeFiles) {
  const auto files = ParseHuggingFaceTree(R"([
      {"type": "directory", "oid": "1", "size": 0, "path": "onnx"},
      {"type": "file", "oid": "2", "size": 2309, "path": "config.json"},
      {"type": "file", "oid": "3", "size": 134, "lfs": {"oid": ")" +
                                          kSha256 + R"(", "size": 145217532,
       "pointerSize": 134}, "xetHash": "4", "path": "sub/model.bin"}])");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(IsFile("config.json", 2309, ""), IsFile("sub/model.bin", 145217532, kSha256)));
}

TEST(ListingTest, ModelScopeStatesAllChecksums) {
  const auto files = ParseModelScopeFiles(R"({"Code": 200, "Success": true, "Data": {"Files": [
      {"Type": "tree", "Path": "example", "Name": "example", "Size": 0, "Sha256": ""},
      {"Type": "blob", "Path": "example/zh.mp3", "Name": "zh.mp3", "Size": 45, "IsLFS": true, "Sha256": ")" +
                                          std::string(64, 'A') + R"("},
      {"Type": "blob", "Path": "README.md", "Name": "README.md", "Size": 7, "Sha256": null}]}})");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(IsFile("example/zh.mp3", 45, kSha256), IsFile("README.md", 7, "")));
}

TEST(ListingTest, ModelScopesRefusalIsPassedOn) {
  EXPECT_THAT(Message(ParseModelScopeFiles(R"({"Code": 404, "Data": null, "Message": "Record not found"})").status()),
              HasSubstr("Record not found (code 404)"));
}

TEST(ListingTest, AMalformedAnswerIsRefused) {
  for (const char* text :
       {"", "<html>", "{}", "[{}]", "[1]", R"([{"type": "file", "path": 3, "size": 1}])",
        R"([{"type": "file", "path": "a", "size": "1"}])", R"([{"type": "file", "path": "a", "size": -1}])",
        R"([{"type": "file", "path": "../a", "size": 1}])"}) {
    EXPECT_EQ(ParseHuggingFaceTree(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  for (const char* text : {"", "[]", "{}", R"({"Data": {}})", R"({"Data": {"Files": [{"Type": "blob"}]}})",
                           R"({"Data": {"Files": [{"Type": "blob", "Path": "/etc/passwd", "Size": 1}]}})"}) {
    EXPECT_EQ(ParseModelScopeFiles(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  for (const char* text : {"", "[]", R"({"files": [{}]})", R"({"files": [{"filename": "a", "url": 1}]})"}) {
    EXPECT_EQ(ParseIndexPage(text, "application/vnd.pypi.simple.v1+json").status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ListingTest, AnIndexPageIsReadAsJsonAndAsHtml) {
  const auto json = ParseIndexPage(R"({"files": [{"filename": "a_b-1.0-py3-none-any.whl", "url": "../x/a.whl",
      "size": 9, "hashes": {"sha256": ")" +
                                       kSha256 + R"("}}, {"filename": "a.tar.gz", "url": "a.tar.gz"}]})",
                                   "application/vnd.pypi.simple.v1+json; charset=utf-8");
  ASSERT_TRUE(json.ok()) << json.status();
  ASSERT_EQ(json->size(), 2u);
  EXPECT_EQ((*json)[0].url, "../x/a.whl");
  EXPECT_EQ((*json)[0].size, 9);
  EXPECT_EQ((*json)[0].sha256, kSha256);
  EXPECT_EQ((*json)[1].size, -1);

  const auto html =
      ParseIndexPage("<html><a href='../x/a_b-1.0-py3-none-any.whl?k=1&amp;l=2#sha256=" + kSha256 +
                         "'>a</a><A data-requires-python=\"&gt;=3\" HREF=\"b-1.0-py3-none-any.whl\">b</A><a>",
                     "text/html");
  ASSERT_TRUE(html.ok()) << html.status();
  ASSERT_EQ(html->size(), 2u);
  EXPECT_EQ((*html)[0].name, "a_b-1.0-py3-none-any.whl");
  EXPECT_EQ((*html)[0].url, "../x/a_b-1.0-py3-none-any.whl?k=1&l=2");
  EXPECT_EQ((*html)[0].sha256, kSha256);
  EXPECT_EQ((*html)[1].name, "b-1.0-py3-none-any.whl");
  EXPECT_EQ((*html)[1].sha256, "");
}

TEST(ListingTest, AWheelIsFoundByItsChecksumElseByItsVersion) {
  const Wheel wheel{.package = "A.B", .version = "1.0", .sha256 = kSha256, .path = {}};
  const IndexFile other{.name = "a_b-1.0.1-py3-none-any.whl", .url = "other", .sha256 = kOther};
  const IndexFile source{.name = "a_b-1.0.tar.gz", .url = "source", .sha256 = {}};
  const IndexFile unstated{.name = "A_b-1.0-py3-none-any.whl", .url = "unstated", .sha256 = {}};
  const IndexFile right{.name = "renamed-9-py3-none-any.whl", .url = "right", .sha256 = kSha256};
  EXPECT_EQ(FindWheel({other, unstated, source, right}, wheel)->url, "right");
  EXPECT_EQ(FindWheel({other, unstated, source}, wheel)->url, "unstated");
  EXPECT_EQ(FindWheel({other, source}, wheel).status().code(), absl::StatusCode::kNotFound);
  IndexFile wrong = unstated;
  wrong.sha256 = kOther;
  EXPECT_EQ(FindWheel({wrong}, wheel).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ListingTest, TheNextPageIsThatOfTheLinkHeader) {
  EXPECT_EQ(NextLink(R"(<https://h/a?cursor=x>; rel="next")"), "https://h/a?cursor=x");
  EXPECT_EQ(NextLink(R"(<https://h/1>; rel="prev", </2>; title="x"; rel=next)"), "/2");
  for (const char* none : {"", "<", ">", "><", R"(<https://h/1>; rel="prev")", "<a>"})
    EXPECT_EQ(NextLink(none), "") << none;
}

TEST(ListingTest, WantedFilesMustBeThereWithTheirSizeAndChecksum) {
  const std::vector<ModelFile> there = {{"a", 1, kSha256}, {"b", 2, ""}, {"c", 3, kOther}};
  const auto chosen = ChooseFiles(there, {{"b", 2, kOther}, {"a", -1, ""}});
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_THAT(*chosen, ElementsAre(IsFile("b", 2, kOther), IsFile("a", 1, kSha256)));
  EXPECT_EQ(ChooseFiles(there, {{"d", -1, ""}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ChooseFiles(there, {{"a", 2, ""}}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ChooseFiles(there, {{"a", 1, kOther}}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ListingTest, OfAWholeRepositoryWhatAModelMayNeedIsTaken) {
  const auto names = [](std::initializer_list<const char*> there) {
    std::vector<ModelFile> files;
    for (const char* name : there) files.push_back({name, 1, ""});
    std::vector<std::string> chosen;
    const auto found = ChooseFiles(files, {});
    for (const ModelFile& file : *found) chosen.push_back(file.name);
    return chosen;
  };
  EXPECT_THAT(names({".gitattributes", "sub/.hidden/x", "config.json", "manifest.json", "tf_model.h5", "x.part",
                     "flax_model.msgpack", "pytorch_model.bin", "model.bin"}),
              ElementsAre("config.json", "pytorch_model.bin", "model.bin"));
  EXPECT_THAT(names({"model.safetensors", "pytorch_model-00001-of-00002.bin"}), ElementsAre("model.safetensors"));
  EXPECT_EQ(ChooseFiles({{".gitattributes", 1, ""}}, {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tutti

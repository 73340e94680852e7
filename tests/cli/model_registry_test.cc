#include "cli/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

constexpr const char* kOne = R"({"models": [{"name": "one", "kind": "asr", "path": "models/one", "license": "L",
    "sources": [{"type": "modelscope", "repository": "o/one"}]}]})";

TEST(ModelRegistryTest, KnowsTheModelsOfTheSourceTree) {
  const auto registry = ModelRegistry::Load({TUTTI_SOURCE_DIR "/models", TUTTI_SOURCE_DIR "/.cache/models"});
  ASSERT_TRUE(registry.ok()) << registry.status();
  EXPECT_EQ(registry->Find("demo-paraformer").value(), TUTTI_SOURCE_DIR "/models/demo-paraformer");
  EXPECT_EQ(registry->Find("fsmn-vad").value(), TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad")
      << "run `make models` to fetch the VAD model";
}

TEST(ModelRegistryTest, ABuiltProgramSearchesTheTreeItWasBuiltIn) {
  EXPECT_THAT(ModelRegistry::SearchFolders(), ::testing::Contains(TUTTI_SOURCE_DIR "/models"));
}

TEST(ModelRegistryTest, AMissingModelSaysWhereItCouldComeFrom) {
  const testing::Folder folder;
  folder.Write("m/registry.json", kOne);
  const auto registry = ModelRegistry::Load({folder / "nowhere", folder / "m"});
  ASSERT_TRUE(registry.ok()) << registry.status();
  EXPECT_EQ(registry->models()[0].directory, "");
  EXPECT_EQ(registry->models()[0].origin(), "ModelScope o/one");
  const std::string message = Message(registry->Find("one").status());
  EXPECT_THAT(message, HasSubstr("`tutti models pull one`"));
  EXPECT_THAT(message, HasSubstr("ModelScope o/one"));
}

TEST(ModelRegistryTest, AModelIsFoundInAnySearchFolderByItsName) {
  const testing::Folder folder;
  folder.Write("m/registry.json", kOne);
  folder.Write("cache/one/config.yaml");
  const auto registry = ModelRegistry::Load({folder / "m", folder / "cache"});
  EXPECT_EQ(registry->Find("one").value(), folder / "cache/one");
}

TEST(ModelRegistryTest, TheFirstEntryOfANameCounts) {
  const testing::Folder folder;
  folder.Write("a/registry.json", R"({"models": [{"name": "one", "kind": "vad"}]})");
  folder.Write("b/registry.json", kOne);
  const auto registry = ModelRegistry::Load({folder / "a", folder / "b"});
  ASSERT_EQ(registry->models().size(), 1u);
  EXPECT_EQ(registry->models()[0].spec.kind, "vad");
}

TEST(ModelRegistryTest, ADirectoryNeedsNoName) {
  const testing::Folder folder;
  EXPECT_EQ(ModelRegistry::Load({})->Find(folder.path()).value(), folder.path());
}

TEST(ModelRegistryTest, AnUnknownNameListsThoseThereAre) {
  const auto registry = ModelRegistry::Load({TUTTI_SOURCE_DIR "/models"});
  EXPECT_THAT(
      Message(registry->Find("big").status()),
      HasSubstr("'big': there is no such directory or file, and the registered names are demo-paraformer, fsmn-vad"));
}

TEST(ModelRegistryTest, ARepositoryThatWasPulledIsFoundByItsName) {
  const testing::Folder folder;
  folder.Write("cache/modelscope/iic/small/manifest.json");
  const auto registry = ModelRegistry::Load({folder / "nowhere", folder / "cache"});
  const std::string directory = folder / "cache/modelscope/iic/small";
  EXPECT_EQ(registry->Find("modelscope:iic/small").value(), directory);
  EXPECT_EQ(registry->Find("iic/small").value(), directory);
  EXPECT_THAT(Message(registry->Find("hf:iic/small").status()), HasSubstr("`tutti models pull hf:iic/small`"));
  EXPECT_EQ(registry->Lookup("hf:iic/small")->Origin(), "Hugging Face iic/small");
}

TEST(ModelRegistryTest, TheModelCacheIsThatOfTuttiHomeElseTheUsers) {
  setenv("TUTTI_HOME", "/home/of/tutti", 1);
  EXPECT_EQ(ModelRegistry::CacheFolder(), "/home/of/tutti/models");
  EXPECT_EQ(ModelRegistry::SearchFolders().back(), "/home/of/tutti/models");
  unsetenv("TUTTI_HOME");
  setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(ModelRegistry::CacheFolder(), "/cache/tutti/models");
  unsetenv("XDG_CACHE_HOME");
}

TEST(ModelRegistryTest, EveryRegisteredModelHasALicenceAndTwoSourcesOrComesWithTutti) {
  const auto registry = ModelRegistry::Load({TUTTI_SOURCE_DIR "/models"});
  ASSERT_TRUE(registry.ok()) << registry.status();
  for (const RegisteredModel& model : registry->models()) {
    EXPECT_NE(model.spec.license, "") << model.spec.name;
    EXPECT_TRUE(model.origin() == "comes with tutti" || model.spec.sources.size() >= 2) << model.spec.name;
  }
  EXPECT_EQ(registry->Lookup("whisper-base")->size(), 147'882'941);
}

TEST(ModelRegistryTest, AMalformedRegistryNamesItsFile) {
  for (const char* text : {"{", R"({"models": [{"name": 3}]})", R"({"models": [{"name": "a/b", "kind": "asr"}]})"}) {
    const testing::Folder folder;
    folder.Write("registry.json", text);
    const auto registry = ModelRegistry::Load({folder.path()});
    EXPECT_EQ(registry.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(Message(registry.status()), HasSubstr(folder / "registry.json"));
  }
}

}  // namespace
}  // namespace tutti

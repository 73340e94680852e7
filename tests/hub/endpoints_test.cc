#include "hub/endpoints.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/folder.h"

namespace tutti {
namespace {

EnvironmentLookup With(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  };
}

TEST(EndpointsTest, TheHubsAreThePublicOnesUnlessTheEnvironmentSaysOtherwise) {
  EXPECT_EQ(HuggingFaceEndpoint(With({})), "https://huggingface.co");
  EXPECT_EQ(HuggingFaceEndpoint(With({{"HF_ENDPOINT", "https://mirror.example/"}})), "https://mirror.example");
  EXPECT_EQ(HuggingFaceEndpoint(With({{"HF_ENDPOINT", "hf-mirror.com"}})), "https://hf-mirror.com");
  EXPECT_EQ(ModelScopeEndpoint(With({})), "https://www.modelscope.cn");
  EXPECT_EQ(ModelScopeEndpoint(With({{"MODELSCOPE_DOMAIN", "www.modelscope.ai"}})), "https://www.modelscope.ai");
  EXPECT_EQ(ModelScopeEndpoint(With({{"MODELSCOPE_DOMAIN", "http://127.0.0.1:80/"}})), "http://127.0.0.1:80");
}

TEST(EndpointsTest, FoldersWithWheelsAreThoseOfPipThatAreHere) {
  EXPECT_EQ(WheelFolders(With({})), std::vector<std::string>());
  EXPECT_EQ(WheelFolders(With({{"PIP_FIND_LINKS", " /wheels  file:///more/wheels\nhttps://links.example/page mine"}})),
            (std::vector<std::string>{"/wheels", "/more/wheels", "mine"}));
}

TEST(EndpointsTest, TheIndexIsTheEnvironmentsElseThatOfTheNearestFileOfPip) {
  const testing::Folder home;
  EXPECT_EQ(PackageIndex(With({{"PIP_INDEX_URL", "https://env.example/simple/"}})), "https://env.example/simple");
  home.Write(".pip/pip.conf", "[global]\nindex-url = https://old.example/simple\n");
  EXPECT_EQ(PackageIndex(With({{"HOME", home.path()}})), "https://old.example/simple");
  home.Write(".config/pip/pip.conf", "[global]\n; no = https://x\nindex_url: https://user.example/simple/\n");
  EXPECT_EQ(PackageIndex(With({{"HOME", home.path()}})), "https://user.example/simple");
  const std::string stated = home.Write("mine",
                                        "[list]\nindex-url=https://list.example\n[global]\nindex-url=https://a\n"
                                        "[download]\nindex-url = https://download.example/simple\n");
  EXPECT_EQ(PackageIndex(With({{"HOME", home.path()}, {"PIP_CONFIG_FILE", stated}})),
            "https://download.example/simple");
}

}  // namespace
}  // namespace tutti

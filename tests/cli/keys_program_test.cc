// `tutti keys` from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "service/keys.h"
#include "tests/cli/program.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using Json = nlohmann::json;

class KeysProgramTest : public ::testing::Test {
 protected:
  static Ended Keys(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "keys");
    return RunProgram(std::move(arguments));
  }

  const testing::Folder folder_;
  const std::string file_ = folder_ / "keys";
};

TEST_F(KeysProgramTest, StandardOutputOfAddIsTheKeyAlone) {
  const Ended added = Keys({"add", "lab", "--file", file_});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  ASSERT_THAT(added.out, MatchesRegex("tutti_[A-Za-z0-9_-]{43}\n"));
  EXPECT_THAT(added.err, AllOf(HasSubstr(file_), HasSubstr("lab"), Not(HasSubstr(added.out.substr(0, 49)))));
  EXPECT_EQ(KeyStore::Load(file_)->TenantOf(added.out.substr(0, 49)), "lab");
}

TEST_F(KeysProgramTest, ListsWhatRevokeTakes) {
  for (const char* tenant : {"lab", "callcentre", "lab"}) {
    EXPECT_EQ(Keys({"add", tenant, "--file", file_}).exit_code, 0);
  }
  EXPECT_THAT(Keys({"list", "--file", file_}).out,
              MatchesRegex("lab         [0-9a-f]{8}  [0-9-]{10}\ncallcentre  [0-9a-f]{8}  [0-9-]{10}\nlab  .*\n"));
  const Json listed = Json::parse(Keys({"list", "--json", "--file", file_}).out);
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed[1]["tenant"], "callcentre");
  EXPECT_THAT(listed[1]["created"].get<std::string>(), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}"));
  const Ended one = Keys({"revoke", listed[0]["id"], "--file", file_});
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_THAT(one.err, HasSubstr("1 key revoked"));
  EXPECT_EQ(Json::parse(Keys({"list", "--json", "--file", file_}).out), Json({listed[1], listed[2]}));
  EXPECT_EQ(Keys({"revoke", "lab", "--file", file_}).exit_code, 0);
  EXPECT_EQ(Json::parse(Keys({"list", "--json", "--file", file_}).out), Json::array({listed[1]}));
}

TEST_F(KeysProgramTest, TheFileIsThatOfTheUserUnlessOneIsNamed) {
  const char* before = std::getenv("XDG_CONFIG_HOME");
  const std::string kept = before == nullptr ? "" : before;
  ASSERT_EQ(setenv("XDG_CONFIG_HOME", (folder_ / "config").c_str(), 1), 0);
  const Ended added = Keys({"add", "lab"});
  const Ended listed = Keys({"list"});
  before == nullptr ? unsetenv("XDG_CONFIG_HOME") : setenv("XDG_CONFIG_HOME", kept.c_str(), 1);
  EXPECT_EQ(added.exit_code, 0) << added.err;
  EXPECT_THAT(listed.out, HasSubstr("lab  "));
  EXPECT_EQ(KeyStore::Load(folder_ / "config/tutti/keys")->entries().size(), 1u);
}

TEST_F(KeysProgramTest, SaysWhatIsWrong) {
  const Ended bad_name = Keys({"add", "a b", "--file", file_});
  EXPECT_EQ(bad_name.exit_code, 2);
  EXPECT_THAT(bad_name.err, HasSubstr("tenant 'a b': expected 1 … 64 of"));
  const Ended missing = Keys({"list", "--file", file_});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr(file_ + ": cannot open"));
  folder_.Write("keys", "lab 123\n");
  for (const char* command : {"add", "revoke"}) {
    const Ended malformed = Keys({command, "lab", "--file", file_});
    EXPECT_NE(malformed.exit_code, 0);
    EXPECT_THAT(malformed.out, IsEmpty());
    EXPECT_THAT(malformed.err, HasSubstr(file_ + ":1: 2 fields"));
  }
  EXPECT_EQ(Keys({}).exit_code, 2);
  EXPECT_EQ(Keys({"add"}).exit_code, 2);
  const Ended unknown = Keys({"revoke", "nobody", "--file", folder_.Write("empty")});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no key of a tenant 'nobody'"));
}

}  // namespace
}  // namespace tutti

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "service/keys.h"
#include "tests/server/certificates.h"
#include "tests/server/fake_server.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

absl::StatusOr<LoadedModel> LoadAny(const ServeOptions&, const std::string& given) {
  std::shared_ptr<Recognizer> recognizer = MakeFake();
  auto dispatcher = std::make_unique<Dispatcher>(recognizer, DispatcherOptions{});
  return LoadedModel{.name = given, .recognizer = recognizer, .dispatcher = std::move(dispatcher)};
}

// Whether each thread of this process has all four of its user ids, or group ids, so.
bool AllThreadsHave(const std::string& field, uint32_t id) {
  const std::string expected = fmt::format("{0}:\t{1}\t{1}\t{1}\t{1}", field, id);
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    bool has = false;
    for (std::string line; std::getline(status, line);) has = has || line == expected;
    if (!has) return false;
  }
  return true;
}

// In a process of its own. Starts a service as nobody whose key files only root can read; ends the process with 0 when
// it has become nobody for good, or as it was where it was not root.
[[noreturn]] void StartAsNobody(ServeOptions options) {
  const bool was_root = geteuid() == 0;
  const passwd* nobody = getpwnam("nobody");
  const auto server = Server::Create(options, LoadAny);
  if (!server.ok() || nobody == nullptr) {
    std::fprintf(stderr, "%s\n", Message(server.status()).c_str());
    _exit(1);
  }
  if (!was_root) _exit(geteuid() == getuid() ? 0 : 2);
  if (!AllThreadsHave("Uid", nobody->pw_uid) || !AllThreadsHave("Gid", nobody->pw_gid)) _exit(3);
  gid_t groups[64];
  const int count = getgroups(64, groups);
  if (count < 0 || std::find(groups, groups + count, gid_t{0}) != groups + count) _exit(4);
  if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0) _exit(5);
  if (access(options.security.keys.c_str(), R_OK) == 0) _exit(6);  // it was read before
  _exit(0);
}

TEST(BecomeUserTest, AServiceThatRootStartsReadsItsKeysAndIsRootNoMore) {
  const Folder folder;
  TestAuthority authority;
  authority.Issue("IP:127.0.0.1", folder / "cert.pem", folder / "key.pem");
  ASSERT_TRUE(AddKey(folder / "keys", "one", "2026-11-25").ok());
  for (const char* name : {"key.pem", "keys"}) ASSERT_EQ(chmod((folder / name).c_str(), 0600), 0);
  ServeOptions options = QuietOptions();
  options.listen.tls_certificate = folder / "cert.pem";
  options.listen.tls_key = folder / "key.pem";
  options.security.keys = folder / "keys";
  options.security.user = "nobody";
  EXPECT_EXIT(StartAsNobody(options), ::testing::ExitedWithCode(0), "");
}

TEST(BecomeUserTest, AUserThatDoesNotExistIsNamed) {
  ServeOptions options = QuietOptions();
  options.security.user = "no-such-user";
  const auto server = Server::Create(options, LoadAny);
  if (geteuid() == 0) {
    EXPECT_NE(Message(server.status()).find("security.user: there is no user no-such-user"), std::string::npos);
  } else {
    EXPECT_TRUE(server.ok()) << server.status() << ": it matters to root only";
  }
}

}  // namespace
}  // namespace tutti::testing

#include "service/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/folder.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The digest of "tutti_test", from sha256sum.
constexpr const char* kTestLine =
    "lab 4858600a 4858600aee579f646feccfd84bb61c5bbe64682829b29e43ea9552580fc368be 2026-01-31";

class KeysTest : public ::testing::Test {
 protected:
  std::string Add(const std::string& tenant) {
    const auto key = AddKey(file_, tenant, "2026-11-25");
    EXPECT_TRUE(key.ok()) << key.status();
    return key.value_or("");
  }
  KeyStore Load() {
    auto store = KeyStore::Load(file_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : KeyStore();
  }

  const testing::Folder folder_;
  const std::string file_ = folder_ / "keys";
};

TEST_F(KeysTest, ANewKeyIsItsTenantsAndNoOtherTextIs) {
  const std::string one = Add("one"), two = Add("two"), another = Add("one");
  const KeyStore store = Load();
  EXPECT_EQ(store.TenantOf(one), "one");
  EXPECT_EQ(store.TenantOf(two), "two");
  EXPECT_EQ(store.TenantOf(another), "one");
  for (const std::string& text : {std::string(), one + "A", one.substr(1), "Bearer " + one, store.entries()[0].id}) {
    EXPECT_EQ(store.TenantOf(text), "") << text;
  }
  std::string changed = one;
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(store.TenantOf(changed), "");
}

TEST_F(KeysTest, AKeyIsOfThatShapeAndTheFileDoesNotTellIt) {
  const std::string key = Add("one");
  EXPECT_THAT(key, MatchesRegex("tutti_[A-Za-z0-9_-]{43}"));
  EXPECT_NE(key, Add("one"));
  const std::string text = testing::BytesOf(file_);
  EXPECT_THAT(text, Not(HasSubstr(key.substr(6))));
  EXPECT_THAT(text, MatchesRegex("(one [0-9a-f]{8} [0-9a-f]{64} 2026-11-25\n){2}"));
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms(0600));
}

TEST_F(KeysTest, ReadsWhatSha256SumWrites) {
  folder_.Write("keys", std::string(kTestLine) + "\r\n");
  const KeyStore store = Load();
  EXPECT_EQ(store.TenantOf("tutti_test"), "lab");
  ASSERT_THAT(store.entries(), SizeIs(1));
  EXPECT_EQ(store.entries()[0].id, "4858600a");
  EXPECT_EQ(store.entries()[0].created, "2026-01-31");
}

TEST_F(KeysTest, AnEmptyFileIsNobodysAndAMissingOneAnError) {
  EXPECT_EQ(KeyStore::Load(file_).status().code(), absl::StatusCode::kNotFound);
  folder_.Write("keys");
  EXPECT_EQ(Load().TenantOf(""), "");
  EXPECT_THAT(Load().entries(), IsEmpty());
}

TEST_F(KeysTest, AMalformedLineIsNamedAndNotQuoted) {
  const std::string line = kTestLine, secret = "tutti_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const std::pair<std::string, std::string> cases[] = {
      {secret, "1 fields, expected TENANT KEY-ID SHA256-HEX YYYY-MM-DD"},
      {line + " " + secret, "5 fields"},
      {"la/b" + line.substr(3), "tenant: expected 1 … 64 of"},
      {std::string(65, 'a') + line.substr(3), "tenant: expected"},
      {"lab 48586000" + line.substr(12), "key id: expected the first 8 digits"},
      {"lab 4858600a " + secret + " 2026-01-31", "digest: expected 64 digits of 0-9a-f"},
      {"lab 4858600A 4858600A" + line.substr(21), "digest: expected"},
      {line.substr(0, line.size() - 1), "date: expected YYYY-MM-DD"},
      {line.substr(0, line.size() - 3) + "/31", "date: expected"},
      {line + "\n" + line, "4: key 4858600a is in the file twice"},
  };
  for (const auto& [text, problem] : cases) {
    folder_.Write("keys", "# comment\n\n" + text + "\n");
    const std::string before = testing::BytesOf(file_);
    for (const absl::Status& status : {KeyStore::Load(file_).status(), AddKey(file_, "one", "2026-11-25").status(),
                                       RevokeKeys(file_, "lab").status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(Message(status), AllOf(StartsWith(file_ + ":"), HasSubstr(problem), Not(HasSubstr(secret))));
      EXPECT_THAT(Message(status), StartsWith(file_ + (problem[0] == '4' ? ":" : ":3: ")));
    }
    EXPECT_EQ(testing::BytesOf(file_), before) << "a file that was not understood is left alone";
  }
}

TEST_F(KeysTest, TenantsAndDatesOfNewKeysAreChecked) {
  for (const std::string& tenant : {std::string(), std::string("a b"), std::string("a\nb"), std::string(65, 'a')}) {
    EXPECT_EQ(AddKey(file_, tenant, "2026-11-25").status().code(), absl::StatusCode::kInvalidArgument) << tenant;
  }
  EXPECT_EQ(AddKey(file_, "one", "25.11.2026").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(file_));
}

TEST_F(KeysTest, RevokesATenantOrOneKeyAndKeepsTheRestOfTheFile) {
  folder_.Write("keys", std::string("# ours\n") + kTestLine);
  const std::string one = Add("one"), two = Add("one"), three = Add("three");
  const std::string id = Load().entries()[1].id;
  EXPECT_EQ(RevokeKeys(file_, id).value_or(-1), 1);
  EXPECT_EQ(Load().TenantOf(one), "");
  EXPECT_EQ(Load().TenantOf(two), "one");
  Add("one");
  EXPECT_EQ(RevokeKeys(file_, "one").value_or(-1), 2);
  EXPECT_EQ(Load().TenantOf(two), "");
  EXPECT_EQ(Load().TenantOf(three), "three");
  EXPECT_EQ(Load().TenantOf("tutti_test"), "lab");
  EXPECT_THAT(testing::BytesOf(file_), StartsWith(std::string("# ours\n") + kTestLine + "\nthree "));
}

TEST_F(KeysTest, ATenantWhoseNameIsAnIdIsMeantBeforeTheKeyWithThisId) {
  folder_.Write("keys", std::string(kTestLine) + "\n");
  const std::string key = Add("4858600a");
  EXPECT_EQ(RevokeKeys(file_, "4858600a").value_or(-1), 1);
  EXPECT_EQ(Load().TenantOf(key), "");
  EXPECT_EQ(Load().TenantOf("tutti_test"), "lab");
}

TEST_F(KeysTest, RevokingWhatIsNotThereIsAnErrorAndMakesNoFile) {
  EXPECT_EQ(RevokeKeys(file_, "one").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(file_));
  Add("one");
  EXPECT_EQ(RevokeKeys(file_, "two").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RevokeKeys(file_, "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Load().entries(), SizeIs(1));
}

TEST_F(KeysTest, AChangedFileKeepsItsModeAndALinkStaysOne) {
  folder_.Write("elsewhere/real");
  fs::permissions(folder_ / "elsewhere/real", fs::perms(0640));
  fs::create_symlink(folder_ / "elsewhere/real", file_);
  const std::string key = Add("one");
  EXPECT_TRUE(fs::is_symlink(file_));
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms(0640));
  EXPECT_EQ(Load().TenantOf(key), "one");
}

TEST_F(KeysTest, NoChangeOfManyAtOnceIsLost) {
  std::vector<std::string> removed;
  for (int i = 0; i < 8; ++i) removed.push_back(Add("old-" + std::to_string(i)));
  std::vector<std::vector<std::string>> keys(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < keys.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) keys[i].push_back(Add("tenant-" + std::to_string(i)));
      EXPECT_EQ(RevokeKeys(file_, "old-" + std::to_string(i)).value_or(-1), 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const KeyStore store = Load();
  EXPECT_THAT(store.entries(), SizeIs(80));
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const std::string& key : keys[i]) EXPECT_EQ(store.TenantOf(key), "tenant-" + std::to_string(i));
  }
  for (const std::string& key : removed) EXPECT_EQ(store.TenantOf(key), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "only the file itself is left";
}

TEST_F(KeysTest, AnyBytesAreEitherKeysOrAnErrorWithTheFilesName) {
  std::mt19937 random(3);
  const auto below = [&random](size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); };
  for (int i = 0; i < 200; ++i) {
    std::string text = std::string(kTestLine) + "\n# c\n";
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      text[below(text.size())] = static_cast<char>(below(2) == 0 ? " \n\r\t#0af"[below(8)] : below(256));
    }
    folder_.Write("keys", text);
    const auto store = KeyStore::Load(file_);
    if (!store.ok()) {
      EXPECT_THAT(Message(store.status()), StartsWith(file_ + ":"));
    } else {
      EXPECT_LE(store->entries().size(), 1u);
    }
  }
}

}  // namespace
}  // namespace tutti

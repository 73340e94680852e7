#include "service/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Flags = std::map<std::string, std::vector<std::string>>;
using Environment = std::map<std::string, std::string>;

absl::StatusOr<ServeOptions> Resolve(const std::string& toml, const Environment& environment = {},
                                     const Flags& flags = {}) {
  const testing::Folder folder;
  return ResolveServeOptions(
      {}, folder.Write("tutti.toml", toml),
      [&environment](const std::string& name) {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
      },
      flags);
}

// What is wrong with a file, from its name on.
std::string Problem(const std::string& toml, const Environment& environment = {}, const Flags& flags = {}) {
  const auto options = Resolve(toml, environment, flags);
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << toml;
  const std::string message = Message(options.status());
  const size_t name = message.find("tutti.toml");
  return name == std::string::npos ? message : message.substr(name);
}

TEST(ConfigTest, AFlagGoesBeforeTheEnvironmentThatBeforeTheFileThatBeforeTheDefault) {
  const std::string file = "[limits]\nmax_uploads = 2";
  const Environment environment = {{"TUTTI_LIMITS_MAX_UPLOADS", "3"}};
  EXPECT_EQ(Resolve("")->limits.max_uploads, 64);
  EXPECT_EQ(Resolve(file)->limits.max_uploads, 2);
  EXPECT_EQ(Resolve(file, environment)->limits.max_uploads, 3);
  EXPECT_EQ(Resolve(file, environment, {{"--max-uploads", {"4"}}})->limits.max_uploads, 4);
  EXPECT_EQ(Resolve("", {}, {{"--max-uploads", {"4"}}})->limits.max_uploads, 4);
}

TEST(ConfigTest, AListOfAHigherSourceReplacesThatOfALowerOne) {
  const std::string file = "[models]\nmodel = [\"a\", \"b=c\"]";
  EXPECT_THAT(Resolve(file)->models.model, ElementsAre("a", "b=c"));
  EXPECT_THAT(Resolve(file, {{"TUTTI_MODELS_MODEL", "d,e=f"}})->models.model, ElementsAre("d", "e=f"));
  EXPECT_THAT(Resolve(file, {}, {{"--model", {"g", "h"}}})->models.model, ElementsAre("g", "h"));
  EXPECT_THAT(Resolve(file, {{"TUTTI_MODELS_MODEL", ""}})->models.model, IsEmpty());
}

TEST(ConfigTest, ASwitchNeedsNoValueAsAFlag) {
  EXPECT_TRUE(Resolve("", {}, {{"--insecure", {}}})->listen.insecure);
  EXPECT_FALSE(Resolve("[listen]\ninsecure = true", {}, {{"--insecure", {"false"}}})->listen.insecure);
}

TEST(ConfigTest, SizesHaveUnits) {
  EXPECT_EQ(Resolve("[limits]\nmax_body_bytes = \"512MiB\"")->limits.max_body_bytes, int64_t{512} << 20);
  EXPECT_EQ(Resolve("[limits]\nmax_body_bytes = 12345")->limits.max_body_bytes, 12345);
  EXPECT_EQ(Resolve("", {{"TUTTI_LIMITS_SPOOL_BYTES", "2 TiB"}})->limits.spool_bytes, int64_t{2} << 40);
  for (const std::string bad : {"0", "-1", "8388608TiB", "MiB", "1.5GiB", "1 MB", "0x10", "", " 1"}) {
    EXPECT_EQ(Problem("", {{"TUTTI_LIMITS_SPOOL_BYTES", bad}}),
              "TUTTI_LIMITS_SPOOL_BYTES: " + bad +
                  ", expected a number of bytes > 0, such as 536870912 or 512MiB (KiB, MiB, GiB, TiB)");
  }
}

TEST(ConfigTest, AnErrorSaysWhereItIsAndWhatWasExpected) {
  EXPECT_THAT(Problem("[limits]\n\nqueue_seconds = -1"),
              HasSubstr("tutti.toml:3: limits.queue_seconds: -1, expected > 0"));
  EXPECT_THAT(Problem("", {{"TUTTI_LIMITS_QUEUE_SECONDS", "soon"}}),
              HasSubstr("TUTTI_LIMITS_QUEUE_SECONDS: soon, expected a number"));
  EXPECT_THAT(Problem("", {}, {{"--queue-seconds", {"nan"}}}), HasSubstr("--queue-seconds: nan, expected > 0"));
  EXPECT_THAT(Problem("", {}, {{"--port", {"65536"}}}),
              HasSubstr("--port: 65536, expected a whole number from 0 to 65535"));
  EXPECT_THAT(Problem("", {}, {{"--port", {"80", "81"}}}), HasSubstr("--port: 2 values, expected one"));
  EXPECT_THAT(Problem("[log]\nlevel = \"loud\""),
              HasSubstr("tutti.toml:2: log.level: 'loud', expected debug, info, warning or error"));
  EXPECT_THAT(Problem("[listen]\ninsecure = 1"), HasSubstr("listen.insecure: 1, expected true or false"));
  EXPECT_THAT(Problem("[security]\ncors_origins = [\"example.org\"]"), HasSubstr("expected * or an origin"));
  EXPECT_THAT(Problem("[security]\nallow_url = [\"https://example.org\"]"), HasSubstr("expected a host's name"));
  EXPECT_THAT(Problem("", {{"TUTTI_FILES_JOBS", "\xff"}}), HasSubstr("TUTTI_FILES_JOBS: expected UTF-8"));
}

TEST(ConfigTest, WhatNobodyKnowsIsAnErrorAndTheKnownIsTold) {
  EXPECT_THAT(Problem("[limits]\nqueue = 1"),
              HasSubstr("tutti.toml:2: limits.queue: unknown setting; [limits] has max_"));
  EXPECT_THAT(Problem("\n[limit]\nqueue = 1"),
              HasSubstr("tutti.toml:2: [limit]: unknown section, expected one of [listen"));
  EXPECT_THAT(Problem("port = 1"), HasSubstr("tutti.toml:1: port: a value outside of a section"));
  EXPECT_THAT(Problem("", {}, {{"--ports", {"1"}}}), HasSubstr("--ports: unknown flag"));
}

TEST(ConfigTest, AFileThatIsNoTomlIsAnErrorWithItsLine) {
  EXPECT_THAT(Problem("[limits]\nmax_uploads = = 1"), HasSubstr("tutti.toml:2: "));
  EXPECT_THAT(Problem("[limits]\nmax_uploads = 1\nmax_uploads = 2"), HasSubstr("tutti.toml:3: "));
  EXPECT_THAT(Problem("[log]\nlevel = \"\xff\""), HasSubstr("tutti.toml:2: "));
  EXPECT_THAT(Problem(std::string(100'000, '[')), HasSubstr("tutti.toml:1: "));
}

TEST(ConfigTest, AValueOfTheWrongKindIsAnError) {
  EXPECT_THAT(Problem("[listen]\nport = [80]"), HasSubstr("tutti.toml:2: listen.port: a list, table or date"));
  EXPECT_THAT(Problem("[listen]\nport = 1979-05-27"), HasSubstr("tutti.toml:2: listen.port: a list, table or date"));
  EXPECT_THAT(Problem("[listen]\nport = 80.5"), HasSubstr("tutti.toml:2: listen.port: 80.5, expected a whole number"));
  EXPECT_THAT(Problem("[models]\nmodel = \"a\""), HasSubstr("tutti.toml:2: models.model: one value, expected a list"));
  EXPECT_THAT(Problem("[models]\nmodel = [1]"), HasSubstr("tutti.toml:2: models.model: a list of something else"));
}

TEST(ConfigTest, AMissingFileIsNamed) {
  const auto options = ResolveServeOptions({}, "/no/such.toml", [](const std::string&) { return nullptr; }, {});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(options.status()), HasSubstr("/no/such.toml"));
}

TEST(ConfigTest, EverySettingHasItsOwnFlagAndAHelp) {
  std::set<std::string> flags;
  for (const ServeSetting& setting : ServeSettings()) {
    EXPECT_TRUE(flags.insert(setting.flag()).second) << setting.flag();
    EXPECT_THAT(setting.help, Not(IsEmpty())) << setting.flag();
  }
  EXPECT_TRUE(flags.contains("--tls-certificate"));
}

// Text with what is hard to quote.
std::string RandomText(std::mt19937& random) {
  static const std::string kPieces[] = {"a", "\"",   "\\", "\n", "\t", "\x01", "\x7f",
                                        "é", "中文", "😀", "'",  "#",  "=",    "{}"};
  std::string text = "x";
  for (unsigned i = random() % 12; i > 0; --i) text += kPieces[random() % std::size(kPieces)];
  return text + "x";
}

// Values that a setting may take, for those that are not free text.
std::vector<std::string> RandomValues(const ServeSetting& setting, std::mt19937& random) {
  static const std::map<std::string, std::vector<std::string>> kChoices = {
      {"insecure", {"true", "false"}},
      {"level", {"debug", "info", "warning", "error"}},
      {"isolation", {"thread", "process"}},
      {"compute_type", {"auto", "f32", "bf16", "int8"}},
      {"cors_origins", {"*", "https://example.org", "http://localhost:3000"}},
      {"allow_url", {"example.org", "media.example.org"}}};
  const auto one = [&]() -> std::string {
    const auto choices = kChoices.find(setting.name);
    if (choices != kChoices.end()) return choices->second[random() % choices->second.size()];
    if (setting.name.ends_with("_bytes"))
      return fmt::format("{}", static_cast<int64_t>(1 + random() % 9999) << random() % 40);
    ServeOptions scratch;
    for (const std::string& number :
         {fmt::format("{}", std::ldexp(1.0 + random() / 7e9, static_cast<int>(random() % 40) - 20)),
          fmt::format("{}", 1 + random() % 1000)}) {
      if (random() % 2 == 0 && setting.toml(scratch)[0] != '"' && setting.set(scratch, {number}).ok()) return number;
    }
    return setting.toml(scratch)[0] == '"' || setting.is_list ? RandomText(random) : "7";
  };
  std::vector<std::string> values = {one()};
  while (setting.is_list && random() % 2 == 0) values.push_back(one());
  return values;
}

TEST(ConfigTest, APrintedConfigurationGivesTheSameOptionsButForTheSecret) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    ServeOptions options;
    for (const ServeSetting& setting : ServeSettings()) {
      if (random() % 3 == 0) continue;
      const auto values = RandomValues(setting, random);
      ASSERT_EQ(setting.set(options, values), absl::OkStatus()) << setting.flag();
    }
    const std::string printed = PrintConfig(options);
    const auto read = Resolve(printed);
    ASSERT_TRUE(read.ok()) << read.status() << printed;
    for (const ServeSetting& setting : ServeSettings()) {
      if (setting.is_secret) continue;
      EXPECT_EQ(setting.toml(*read), setting.toml(options)) << setting.flag();
    }
    EXPECT_EQ(PrintConfig(*read).find("webhook_secret = "), std::string::npos);
    EXPECT_EQ(read->security.webhook_secret, "");
    EXPECT_EQ(read->limits.queue_seconds, options.limits.queue_seconds);
    EXPECT_EQ(read->models.model, options.models.model);
    EXPECT_EQ(read->files.spool, options.files.spool);
  }
}

TEST(ConfigTest, ASecretIsNotPrinted) {
  ServeOptions options;
  EXPECT_THAT(PrintConfig(options), HasSubstr("# webhook_secret is not set\n"));
  options.security.webhook_secret = "0123456789abcdef";
  EXPECT_THAT(PrintConfig(options), HasSubstr("# webhook_secret is set; it is not printed\n"));
  EXPECT_THAT(PrintConfig(options), Not(HasSubstr("0123456789")));
}

class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() { options_.models.model = {"demo"}; }

  ServeOptions options_;
};

TEST_F(ValidateTest, TheDefaultsWithAModelAreGood) { EXPECT_EQ(Validate(options_), absl::OkStatus()); }

TEST_F(ValidateTest, AModelIsNeeded) {
  options_.models.model.clear();
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("models.model: empty"));
}

TEST_F(ValidateTest, HalfOfTlsIsRefused) {
  options_.listen.tls_certificate = "cert.pem";
  EXPECT_EQ(Message(Validate(options_)), "listen.tls_certificate is set, listen.tls_key is not: TLS needs both");
  std::swap(options_.listen.tls_certificate, options_.listen.tls_key);
  EXPECT_EQ(Message(Validate(options_)), "listen.tls_key is set, listen.tls_certificate is not: TLS needs both");
  options_.listen.tls_certificate = "cert.pem";
  EXPECT_EQ(Validate(options_), absl::OkStatus());
}

TEST_F(ValidateTest, APublicAddressNeedsKeysOrInsecure) {
  for (const std::string host : {"0.0.0.0", "::", "192.168.1.5", "example.org", ""}) {
    options_.listen.host = host;
    EXPECT_THAT(Message(Validate(options_)), HasSubstr("listen.host: " + host + " can be reached from outside"));
    options_.listen.insecure = true;
    EXPECT_EQ(Validate(options_), absl::OkStatus());
    options_.listen.insecure = false;
    options_.security.keys = "keys";
    EXPECT_EQ(Validate(options_), absl::OkStatus());
    options_.security.keys = "";
  }
  for (const std::string host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"}) {
    options_.listen.host = host;
    EXPECT_EQ(Validate(options_), absl::OkStatus()) << host;
  }
}

TEST_F(ValidateTest, ANameThatOnlyBeginsLikeALoopbackAddressIsPublic) {
  options_.listen.host = "127.example.org";
  EXPECT_FALSE(Validate(options_).ok());
}

TEST_F(ValidateTest, JobsNeedASpoolThatStays) {
  options_.files.jobs = "jobs.db";
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("files.jobs is set, files.spool is not"));
  options_.files.spool = "spool";
  EXPECT_EQ(Validate(options_), absl::OkStatus());
}

TEST_F(ValidateTest, AWebhookSecretIsLongAndBelongsToJobs) {
  options_.security.webhook_secret = "0123456789abcdef";
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("only jobs have webhooks"));
  options_.files = {.spool = "spool", .jobs = "jobs.db"};
  EXPECT_EQ(Validate(options_), absl::OkStatus());
  options_.security.webhook_secret = "short";
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("security.webhook_secret: 5 bytes, expected at least 16"));
}

TEST_F(ValidateTest, AnyOriginWithoutKeysIsRefused) {
  options_.security.cors_origins = {"https://example.org"};
  EXPECT_EQ(Validate(options_), absl::OkStatus());
  options_.security.cors_origins.push_back("*");
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("security.cors_origins: * without security.keys"));
}

TEST_F(ValidateTest, LimitsThatLetNothingThroughAreRefused) {
  options_.limits.spool_bytes = 1;
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("such a body would never fit"));
  options_.limits = {};
  options_.limits.requests_per_minute = 1;
  options_.limits.request_burst = 0.5;
  EXPECT_THAT(Message(Validate(options_)), HasSubstr("no request would be let through"));
}

TEST(ConfigTest, AReloadTakesOverAllButWhatNeedsARestart) {
  const ServeOptions running = *Resolve("[listen]\nport = 1\n[files]\nspool = \"a\"\n[limits]\nmax_uploads = 1");
  const ServeOptions wanted = *Resolve(
      "[listen]\nport = 2\nmax_connections = 5\n[files]\nspool = \"b\"\n[limits]\nmax_uploads = 2\n"
      "[security]\nwebhook_secret = \"0123456789abcdef\"\nkeys = \"k\"\n[log]\nlevel = \"debug\"");
  std::vector<std::string> kept;
  const ServeOptions now = OptionsAfterReload(running, wanted, kept);
  EXPECT_THAT(kept, ElementsAre("listen.port", "files.spool", "security.webhook_secret"));
  EXPECT_EQ(now.listen.port, 1);
  EXPECT_EQ(now.files.spool, "a");
  EXPECT_EQ(now.security.webhook_secret, "");
  EXPECT_EQ(now.listen.max_connections, 5);
  EXPECT_EQ(now.limits.max_uploads, 2);
  EXPECT_EQ(now.security.keys, "k");
  EXPECT_EQ(now.log.level, "debug");
}

TEST(ConfigTest, EverySettingCanBeCopied) {
  for (const ServeSetting& setting : ServeSettings()) {
    ServeOptions from, to;
    for (const char* value : {"1", "2", "true", "text", "error", "f32", "process", "https://a.example"}) {
      if (setting.set(from, {value}).ok() && setting.toml(from) != setting.toml(to)) break;
    }
    ASSERT_NE(setting.toml(from), setting.toml(to)) << setting.flag();
    setting.copy(to, from);
    EXPECT_EQ(setting.toml(from), setting.toml(to)) << setting.flag();
  }
}

}  // namespace
}  // namespace tutti

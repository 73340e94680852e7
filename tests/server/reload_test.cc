#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <latch>
#include <thread>

#include "service/keys.h"
#include "tests/server/fake_server.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

using ::testing::HasSubstr;

const std::string kFake = "/v1/models/fake";

// A service whose options change as if they stood in a file, and whose log is kept.
class ReloadTest : public ::testing::Test {
 protected:
  void Start(const ServeOptions& options) {
    ::testing::internal::CaptureStderr();
    server_ = std::make_unique<FakeServer>(options, [this] {
      MutexLock lock(mu_);
      ++reads_;
      // Made here: TSan does not see the counter of a Status that threads share.
      return problem_.empty() ? absl::StatusOr<ServeOptions>(wanted_) : absl::InvalidArgumentError(problem_);
    });
    ASSERT_EQ(server_->Get("/healthz").status, 200) << "from now on it takes signals";
  }
  // SIGHUP with these. Returns when they were read; the next Reload, or a request that shows its effect, waits for
  // more.
  void Reload(const ServeOptions& options, const std::string& problem = "") {
    int reads = 0;
    {
      MutexLock lock(mu_);
      wanted_ = options;
      problem_ = problem;
      reads = reads_ + 1;
    }
    ASSERT_EQ(kill(getpid(), SIGHUP), 0);
    ASSERT_TRUE(Eventually([&] {
      MutexLock lock(mu_);
      return reads_ == reads;
    }));
  }
  bool Becomes(const std::string& request, int status) {
    return Eventually([&] { return server_->Ask(request).status == status; });
  }
  std::string Log() {
    server_->Stop();
    return ::testing::internal::GetCapturedStderr();
  }

  const std::string big_ = PostForm("/v1/transcribe", {}, Wav(1, 300));
  std::unique_ptr<FakeServer> server_;

 private:
  Mutex mu_;
  ServeOptions wanted_ TUTTI_GUARDED_BY(mu_);
  std::string problem_ TUTTI_GUARDED_BY(mu_);  // instead of them
  int reads_ TUTTI_GUARDED_BY(mu_) = 0;
};

TEST_F(ReloadTest, LimitsRatesKeysAndModelsChange) {
  const Folder folder;
  ASSERT_TRUE(AddKey(folder / "keys", "one", "2026-11-25").ok());
  ServeOptions options = QuietOptions();
  Start(options);
  ASSERT_EQ(server_->Ask(big_).status, 200);
  options.limits.max_body_bytes = 5000;
  Reload(options);
  EXPECT_TRUE(Becomes(big_, 413));
  options.models.model = {"fake", "second"};
  Reload(options);
  EXPECT_TRUE(Becomes(MakeRequest("GET", "/v1/models/second"), 200));
  options.limits.requests_per_minute = 0.01;
  options.limits.request_burst = 1;
  Reload(options);
  EXPECT_TRUE(Becomes(PostForm("/v1/transcribe", {}, Wav(1, 100)), 429));
  options.security.keys = folder / "keys";
  Reload(options);
  EXPECT_TRUE(Becomes(MakeRequest("GET", kFake), 401));
  Log();
}

TEST_F(ReloadTest, TheLogLevelChanges) {
  ServeOptions options = QuietOptions();
  Start(options);
  options.log.level = "info";
  options.limits.max_body_bytes = 5000;
  Reload(options);
  EXPECT_TRUE(Becomes(big_, 413));
  EXPECT_THAT(Log(), HasSubstr(R"("event":"reloaded")"));
}

TEST_F(ReloadTest, WhatNeedsARestartIsNamedAndTheRestCounts) {
  ServeOptions options = QuietOptions();
  options.log.level = "warning";
  Start(options);
  options.listen.port = 1;
  options.files.retention_hours = 1;
  options.limits.max_body_bytes = 5000;
  Reload(options);
  EXPECT_TRUE(Becomes(big_, 413)) << "on the old port";
  const std::string log = Log();
  EXPECT_THAT(log, HasSubstr(R"("setting":"listen.port")"));
  EXPECT_THAT(log, HasSubstr(R"("setting":"files.retention_hours")"));
  EXPECT_EQ(log.find("limits."), std::string::npos) << log;
}

TEST_F(ReloadTest, OptionsThatAreWrongAreRefusedAsAWhole) {
  ServeOptions options = QuietOptions();
  Start(options);
  Reload(options, "tutti.toml:3: limits.queue_second: unknown setting");
  ServeOptions wrong = options;
  wrong.limits.max_body_bytes = 5000;
  wrong.security.webhook_secret = "short";
  Reload(wrong);
  options.models.model = {"fake", "second"};
  Reload(options);
  EXPECT_TRUE(Becomes(MakeRequest("GET", "/v1/models/second"), 200));
  EXPECT_EQ(server_->Ask(big_).status, 200);
  EXPECT_EQ(server_->loads(), 3) << "one at the start and two now: the others came to nothing";
  const std::string log = Log();
  EXPECT_THAT(log, HasSubstr("tutti.toml:3: limits.queue_second: unknown setting"));
  EXPECT_THAT(log, HasSubstr("security.webhook_secret: 5 bytes"));
}

TEST_F(ReloadTest, APublicAddressThatCannotChangeNowKeepsItsKeys) {
  const Folder folder;
  ASSERT_TRUE(AddKey(folder / "keys", "one", "2026-11-25").ok());
  ServeOptions options = QuietOptions();
  options.listen.host = "0.0.0.0";
  options.security.keys = folder / "keys";
  Start(options);
  ServeOptions private_address = options;
  private_address.listen.host = "127.0.0.1";
  private_address.security.keys = "";
  Reload(private_address);
  options.security.cors_origins = {"https://a.example"};
  Reload(options);
  ASSERT_TRUE(Eventually([&] {
    return !server_->Get(kFake, {{"Origin", "https://a.example"}}).header("access-control-allow-origin").empty();
  }));
  EXPECT_EQ(server_->Get(kFake).status, 401);
  EXPECT_THAT(Log(), HasSubstr("with listen.host as before, until a restart: listen.host: 0.0.0.0"));
}

TEST_F(ReloadTest, ModelsThatCannotBeLoadedStayAsTheyWereAndTheRestCounts) {
  ServeOptions options = QuietOptions();
  Start(options);
  options.models.model = {"missing"};
  options.limits.max_body_bytes = 5000;
  Reload(options);
  EXPECT_TRUE(Becomes(big_, 413));
  EXPECT_EQ(server_->Get(kFake).status, 200);
  EXPECT_THAT(Log(), HasSubstr("models.model: there is no missing"));
}

// The drain ends while the options are being read, that is while no signal is waited for.
TEST(ReloadAtTheEndTest, AReloadThatOutlastsTheDrainKeepsNobodyUp) {
  std::latch reading(1), drained(1);
  FakeServer server(QuietOptions(), [&] {
    reading.count_down();
    drained.wait();
    return absl::StatusOr<ServeOptions>(QuietOptions());
  });
  ASSERT_EQ(server.Get("/healthz").status, 200);
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  reading.wait();
  server.server().Stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  drained.count_down();
  EXPECT_TRUE(server.Join());
}

}  // namespace
}  // namespace tutti::testing

#include "service/webhook_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "service/webhook.h"
#include "tests/service/job_fakes.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;
using ::testing::HasSubstr;

constexpr char kSecret[] = "0123456789abcdef";

class WebhookSenderTest : public ::testing::Test {
 protected:
  WebhookSenderTest() { Start(); }

  void Start() {
    sender_ = std::make_unique<WebhookSender>(
        *store_, clock_, options_,
        [this](const auto& url, auto headers, auto body, auto done) { post_(url, headers, body, done); },
        [this](const absl::Status& status) {
          MutexLock lock(mu_);
          last_report_ = Message(status);
        });
  }

  Job DoneJob() {
    Job job;
    job.id = JobStore::NewId();
    job.tenant = "anna";
    job.webhook = "https://example.org/hook";
    job.created_ms = 1;
    EXPECT_EQ(store_->Add(job), absl::OkStatus());
    EXPECT_EQ(store_->Start(job.id, 2), absl::OkStatus());
    EXPECT_EQ(store_->Finish(job.id, R"({"text":"hello"})", 3), absl::OkStatus());
    return job;
  }

  int Tries(const Job& job) { return store_->Get(job.id, "anna")->webhook_tries; }
  bool IsPending() { return !store_->UndeliveredWebhooks()->empty(); }
  std::string LastReport() {
    MutexLock lock(mu_);
    return last_report_;
  }
  // The try is noted, and the next is planned.
  bool IsNoted(int n) {
    return Eventually([&] { return LastReport().find(fmt::format(": try {} of 6", n)) != std::string::npos; });
  }
  void Advance(milliseconds by) {
    clock_.Advance(by);
    sender_->Wake();
  }

  testing::Folder folder_;
  testing::FakeClock clock_;
  testing::FakePost post_;
  std::unique_ptr<JobStore> store_ = *JobStore::Open(folder_ / "jobs.db");
  WebhookOptions options_{.secret = kSecret};
  Mutex mu_;
  std::string last_report_ TUTTI_GUARDED_BY(mu_);
  std::unique_ptr<WebhookSender> sender_;
};

TEST_F(WebhookSenderTest, PostsTheJobSignedAndIsDoneWith2xx) {
  const Job job = DoneJob();
  sender_->Deliver(job);
  const auto posted = post_.At(0);
  EXPECT_EQ(posted.url, job.webhook);
  const auto body = nlohmann::json::parse(posted.body);
  EXPECT_EQ(body["id"], job.id);
  EXPECT_EQ(body["result"]["text"], "hello");
  const auto expected = WebhookHeaders(kSecret, clock_.unix_ms() / 1000, posted.body);
  EXPECT_EQ(posted.headers, (std::map<std::string, std::string>(expected.begin(), expected.end())));
  posted.done(204);
  EXPECT_TRUE(Eventually([&] { return !IsPending(); }));
}

TEST_F(WebhookSenderTest, TriesAgainWithLongerAndLongerPausesAndGivesUpAfterSix) {
  const Job job = DoneJob();
  sender_->Deliver(job);
  milliseconds pause = options_.first_pause;
  for (int n = 1; n <= 5; ++n, pause *= 4) {
    const auto posted = post_.At(n - 1);
    if (n % 2 == 0) {
      posted.done(Unavailable("connection refused"));
    } else {
      posted.done(500);
    }
    ASSERT_TRUE(IsNoted(n)) << LastReport();
    EXPECT_EQ(Tries(job), n);
    Advance(pause - milliseconds(1));
    EXPECT_EQ(post_.size(), static_cast<size_t>(n));
    Advance(milliseconds(1));
  }
  post_.At(5).done(Unavailable("connection refused"));
  EXPECT_TRUE(Eventually([&] { return !IsPending(); }));
  EXPECT_THAT(LastReport(), HasSubstr("given up after 6 tries: connection refused"));
}

TEST_F(WebhookSenderTest, ARedirectIsNoSuccess) {
  const Job job = DoneJob();
  sender_->Deliver(job);
  post_.At(0).done(302);
  ASSERT_TRUE(IsNoted(1));
  EXPECT_THAT(LastReport(), HasSubstr("HTTP status 302; the next in 10 s"));
}

TEST_F(WebhookSenderTest, ARestartGoesOnWhereItWas) {
  const Job job = DoneJob();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(store_->WebhookTried(job.id), absl::OkStatus());
  sender_->Deliver(store_->UndeliveredWebhooks()->at(0));
  Advance(milliseconds(10'000) * 256);
  post_.At(0).done(500);
  EXPECT_TRUE(Eventually([&] { return !IsPending(); }));
  EXPECT_THAT(LastReport(), HasSubstr("given up after 6 tries"));
}

TEST_F(WebhookSenderTest, AnAnswerAfterItsEndIsHarmless) {
  sender_->Deliver(DoneJob());
  const auto posted = post_.At(0);
  sender_.reset();
  posted.done(200);
  EXPECT_TRUE(IsPending());
}

TEST_F(WebhookSenderTest, AJobThatIsGoneIsForgotten) {
  const Job gone = DoneJob();
  ASSERT_EQ(*store_->RemoveEndedBefore(4), 1);
  sender_->Deliver(gone);
  const Job next = DoneJob();
  sender_->Deliver(next);
  EXPECT_EQ(nlohmann::json::parse(post_.At(0).body)["id"], next.id);
}

TEST_F(WebhookSenderTest, NoMoreThanAllowedAreOnTheirWayAtOnce) {
  sender_.reset();
  options_.max_at_once = 2;
  Start();
  for (int i = 0; i < 5; ++i) sender_->Deliver(DoneJob());
  for (size_t answered = 0; answered < 5; ++answered) {
    const auto posted = post_.At(answered);
    EXPECT_LE(post_.size(), answered + 2);
    posted.done(200);
  }
  EXPECT_TRUE(Eventually([&] { return !IsPending(); }));
}

}  // namespace
}  // namespace tutti

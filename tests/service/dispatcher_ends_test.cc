// How requests end that do not simply run: deadlines, cancellation, draining and the dispatcher's own end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/service/dispatcher_fixture.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::DispatcherTest;
using ::testing::ElementsAre;
using testing::Eventually;
using testing::Gate;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kOneAtATime;

TEST_F(DispatcherTest, ADeadlineEndsAWaitingRequestThoughNothingElseEnds) {
  Start(kOneAtATime);
  Block();
  auto soon = Work("a1", 60), later = Work("a2", 60), never = Work("a3", 60);
  soon.options.deadline = steady_clock::now() + milliseconds(30);
  later.options.deadline = steady_clock::now() + std::chrono::hours(10);
  never.options.deadline = steady_clock::time_point::max();
  for (auto* work : {&later, &soon, &never}) Submit(std::move(*work));
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_GE(steady_clock::now(), *soon.options.deadline);
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(results_.MessageOf("a1"), HasSubstr("a1"));
  EXPECT_EQ(dispatcher_->load().waiting_seconds, 120);
  for (const char* name : {"blocker", "a2", "a3"}) recognizer_->Finish(name, 1);
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker", "a2", "a3"));
}

TEST_F(DispatcherTest, ACancelledRequestLeavesTheQueueAtOnceAndIsToldFromAnotherThread) {
  Start(kOneAtATime);
  Block();
  auto work = Work("a1", 60);
  std::thread::id told_by;
  work.on_done = [&, on_done = work.on_done](const auto& result) {
    told_by = std::this_thread::get_id();
    on_done(result);
  };
  const auto ticket = Submit(std::move(work));
  ticket->Cancel();
  EXPECT_EQ(dispatcher_->load().waiting, 0);
  EXPECT_EQ(dispatcher_->load().waiting_seconds, 0);
  ASSERT_TRUE(results_.Ended("a1"));
  ticket->Cancel();
  dispatcher_ = nullptr;
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kCancelled));
  EXPECT_NE(told_by, std::this_thread::get_id());
  EXPECT_THAT(recognizer_->begun(), ElementsAre("blocker"));
}

TEST_F(DispatcherTest, ARunningRequestIsCancelledAtTheRecogniser) {
  Start({});
  const auto ticket = Submit("a1", 60);
  ASSERT_TRUE(Eventually([&] { return dispatcher_->load().running == 1; }));
  ticket->Cancel();
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kCancelled));
  EXPECT_THAT(recognizer_->cancelled(), ElementsAre("a1"));
}

TEST_F(DispatcherTest, ARequestThatIsCancelledWhileItIsHandedOverIsCancelledAtTheRecogniser) {
  Gate inside, go_on;
  recognizer_->OnSubmit([&](const std::string&) {
    inside.Open();
    go_on.Wait();
  });
  Start({});
  const auto ticket = Submit("a1", 60);
  inside.Wait();
  ticket->Cancel();
  EXPECT_THAT(results_.Codes("a1"), IsEmpty());
  go_on.Open();
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_THAT(recognizer_->cancelled(), ElementsAre("a1"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kCancelled));
}

TEST_F(DispatcherTest, ARequestThatIsCancelledWhileTheRecogniserRefusesItIsNotTriedAgain) {
  Gate inside, go_on;
  recognizer_->OnSubmit([&](const std::string&) {
    inside.Open();
    go_on.Wait();
  });
  recognizer_->Refuse({absl::ResourceExhaustedError("full")});
  Start({});
  const auto ticket = Submit("a1", 60);
  inside.Wait();
  ticket->Cancel();
  go_on.Open();
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kCancelled));
  EXPECT_THAT(recognizer_->begun(), IsEmpty());
}

TEST_F(DispatcherTest, ADeadlineThatPassesWhileTheRecogniserRefusesARequestEndsIt) {
  const auto deadline = steady_clock::now() + milliseconds(300);
  recognizer_->OnSubmit([deadline](const std::string&) { std::this_thread::sleep_until(deadline); });
  recognizer_->Refuse({absl::ResourceExhaustedError("full")});
  Start({});
  auto work = Work("a1", 60);
  work.options.deadline = deadline;
  Submit(std::move(work));
  ASSERT_TRUE(results_.Ended("a1"));
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(DispatcherTest, ARecordingMayEndBeforeItWasHandedOver) {
  recognizer_->OnSubmit(nullptr,
                        [&](const std::string& name) { std::thread([&] { recognizer_->Finish(name, 7); }).join(); });
  Start(kOneAtATime);
  for (const char* name : {"a1", "a2", "a3"}) Submit(name, 60);
  for (const char* name : {"a1", "a2", "a3"}) ASSERT_TRUE(results_.Ended(name));
  dispatcher_ = nullptr;
  for (const char* name : {"a1", "a2", "a3"}) {
    EXPECT_THAT(results_.Codes(name), ElementsAre(absl::StatusCode::kOk));
  }
}

TEST_F(DispatcherTest, ACallbackMaySubmitMore) {
  Start(kOneAtATime);
  auto work = Work("a1", 60);
  work.on_done = [&](const auto&) { Submit("a2", 60); };
  Submit(std::move(work));
  recognizer_->Finish("a1", 60);
  recognizer_->Finish("a2", 60);
  EXPECT_THAT(results_.Codes("a2"), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(DispatcherTest, ADrainingDispatcherAcceptsNothingAndFinishesTheRest) {
  Start(kOneAtATime);
  for (const char* name : {"a1", "a2"}) Submit(name, 60);
  dispatcher_->Drain();
  dispatcher_->Drain();
  EXPECT_EQ(dispatcher_->Submit(Work("a3", 1)).status().code(), absl::StatusCode::kUnavailable);
  for (const char* name : {"a1", "a2"}) recognizer_->Finish(name, 60);
  for (const char* name : {"a1", "a2"}) EXPECT_THAT(results_.Codes(name), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(DispatcherTest, TheEndCancelsEverythingAndLetsGoOfWhatOwnersGave) {
  Start(kOneAtATime);
  Block();
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> still_owned = owned;
  std::vector<std::shared_ptr<Dispatcher::Ticket>> tickets;
  for (const char* name : {"a1", "a2"}) {
    auto work = Work(name, 60, name == std::string("a1") ? Priority::kInteractive : Priority::kBatch);
    work.options.progress = [owned](const Progress&) {};
    work.on_done = [owned, on_done = work.on_done](const auto& result) { on_done(result); };
    tickets.push_back(Submit(std::move(work)));
  }
  owned = nullptr;
  ASSERT_TRUE(recognizer_->HasBegun("a1"));
  dispatcher_ = nullptr;
  EXPECT_TRUE(still_owned.expired());
  for (const char* name : {"blocker", "a1", "a2"}) {
    EXPECT_THAT(results_.Codes(name), ElementsAre(absl::StatusCode::kCancelled)) << name;
  }
  for (const auto& ticket : tickets) ticket->Cancel();
  EXPECT_THAT(results_.Codes("a1"), ElementsAre(absl::StatusCode::kCancelled));
}

TEST_F(DispatcherTest, TheEndWaitsForACallbackThatStillRunsAndForWhatItOwns) {
  struct Slow {
    ~Slow() {
      std::this_thread::sleep_for(milliseconds(20));
      gone = true;
    }
    std::atomic<bool>& gone;
  };
  Start({});
  Gate inside;
  std::atomic<bool> returned = false, gone = false;
  auto work = Work("a1", 60);
  work.on_done = [&, owned = std::shared_ptr<Slow>(new Slow{gone})](const auto&) {
    inside.Open();
    std::this_thread::sleep_for(milliseconds(20));
    returned = true;
  };
  Submit(std::move(work));
  std::thread recogniser([&] { recognizer_->Finish("a1", 60); });
  inside.Wait();
  dispatcher_ = nullptr;
  EXPECT_TRUE(returned);
  EXPECT_TRUE(gone);
  recogniser.join();
}

}  // namespace
}  // namespace tutti

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "service/job_store.h"
#include "tests/support/folder.h"

namespace tutti {
namespace {

constexpr int64_t kAllTimes = std::numeric_limits<int64_t>::max();

bool HasEnded(JobState state) { return state != JobState::kQueued && state != JobState::kRunning; }

// What a JobStore means, without a disk: a map, and rules for each change.
class Model {
 public:
  absl::StatusCode Add(const Job& job) {
    jobs_[job.id] = job;
    order_.push_back(job.id);
    return absl::StatusCode::kOk;
  }
  absl::StatusCode Start(const std::string& id, int64_t now) {
    return Change(id, false, [now](Job& job) {
      job.state = JobState::kRunning;
      job.started_ms = now;
      ++job.attempts;
    });
  }
  absl::StatusCode Requeue(const std::string& id) {
    return Change(id, true, [](Job& job) {
      job.state = JobState::kQueued;
      job.started_ms = 0;
      --job.attempts;
    });
  }
  absl::StatusCode End(const std::string& id, JobState state, const std::string& text, int64_t now) {
    const bool queued_too = state != JobState::kDone;
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return absl::StatusCode::kNotFound;
    Job& job = found->second;
    if (HasEnded(job.state) || (job.state == JobState::kQueued && !queued_too)) {
      return absl::StatusCode::kFailedPrecondition;
    }
    job.state = state;
    job.audio_path = "";
    job.finished_ms = now;
    if (state == JobState::kDone) job.result = text;
    if (state == JobState::kFailed) job.error_message = text;
    return absl::StatusCode::kOk;
  }
  void Recover() {
    for (auto& [id, job] : jobs_) {
      if (job.state == JobState::kRunning) job.state = JobState::kQueued;
    }
  }
  int64_t RemoveEndedBefore(int64_t time) {
    return static_cast<int64_t>(std::erase_if(
        jobs_, [time](const auto& entry) { return HasEnded(entry.second.state) && entry.second.finished_ms < time; }));
  }
  std::vector<std::string> NewestFirst(const std::string& tenant) const {
    std::vector<std::string> ids;
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      const auto found = jobs_.find(*it);
      if (found != jobs_.end() && found->second.tenant == tenant) ids.push_back(*it);
    }
    std::stable_sort(ids.begin(), ids.end(), [this](const std::string& a, const std::string& b) {
      return jobs_.at(a).created_ms > jobs_.at(b).created_ms;
    });
    return ids;
  }
  const std::map<std::string, Job>& jobs() const { return jobs_; }

 private:
  template <typename F>
  absl::StatusCode Change(const std::string& id, bool from_running, F change) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return absl::StatusCode::kNotFound;
    if (found->second.state != (from_running ? JobState::kRunning : JobState::kQueued)) {
      return absl::StatusCode::kFailedPrecondition;
    }
    change(found->second);
    return absl::StatusCode::kOk;
  }

  std::map<std::string, Job> jobs_;
  std::vector<std::string> order_;
};

void ExpectSame(const JobStore& store, const Model& model) {
  JobStore::Counts expected;
  for (const auto& [id, job] : model.jobs()) {
    const auto found = store.Get(id, job.tenant);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->state, job.state);
    EXPECT_EQ(found->attempts, job.attempts);
    EXPECT_EQ(found->audio_path, job.audio_path);
    EXPECT_EQ(found->result, job.result);
    EXPECT_EQ(found->error_message, job.error_message);
    EXPECT_EQ(found->created_ms, job.created_ms);
    EXPECT_EQ(found->started_ms, job.started_ms);
    EXPECT_EQ(found->finished_ms, job.finished_ms);
    int64_t* const counts[] = {&expected.queued, &expected.running, &expected.done, &expected.failed,
                               &expected.cancelled};
    ++*counts[static_cast<size_t>(job.state)];
  }
  const auto counts = store.counts();
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->queued, expected.queued);
  EXPECT_EQ(counts->running, expected.running);
  EXPECT_EQ(counts->done, expected.done);
  EXPECT_EQ(counts->failed, expected.failed);
  EXPECT_EQ(counts->cancelled, expected.cancelled);
  for (const std::string tenant : {"anna", "bert"}) {
    const auto listed = store.List(tenant, {}, 1'000'000, kAllTimes);
    ASSERT_TRUE(listed.ok()) << listed.status();
    std::vector<std::string> ids;
    for (const Job& job : *listed) ids.push_back(job.id);
    EXPECT_EQ(ids, model.NewestFirst(tenant));
  }
}

TEST(JobStoreModelTest, AnySequenceOfOperationsDoesWhatTheModelDoes) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const testing::Folder folder;
    auto store = *JobStore::Open(folder / "jobs.db");
    Model model;
    std::vector<std::string> ids = {JobStore::NewId()};  // the first is never added
    for (int64_t now = 1; now <= 150; ++now) {
      const std::string id = ids[random() % ids.size()];
      const auto known = model.jobs().find(id);
      const std::string tenant = known == model.jobs().end() ? "anna" : known->second.tenant;
      const std::string text = fmt::format("text {}", now);
      switch (random() % 10) {
        case 0:
        case 1:
        case 2: {
          Job job;
          job.id = JobStore::NewId();
          job.tenant = random() % 2 == 0 ? "anna" : "bert";
          job.audio_path = "/spool/" + job.id;
          job.created_ms = now / 3;  // some are of the same millisecond
          ids.push_back(job.id);
          ASSERT_EQ(store->Add(job).code(), model.Add(job));
          break;
        }
        case 3:
        case 4:
          ASSERT_EQ(store->Start(id, now).code(), model.Start(id, now));
          break;
        case 5:
          ASSERT_EQ(store->Finish(id, text, now).code(), model.End(id, JobState::kDone, text, now));
          break;
        case 6:
          ASSERT_EQ(store->Fail(id, "INTERNAL", text, now).code(), model.End(id, JobState::kFailed, text, now));
          break;
        case 7:
          ASSERT_EQ(store->Cancel(id, tenant, now).code(), model.End(id, JobState::kCancelled, "", now));
          break;
        case 8:
          ASSERT_EQ(store->Requeue(id).code(), model.Requeue(id));
          break;
        default:
          if (random() % 3 == 0) {
            ASSERT_EQ(*store->RemoveEndedBefore(now - 20), model.RemoveEndedBefore(now - 20));
          } else if (random() % 2 == 0) {
            store.reset();
            store = *JobStore::Open(folder / "jobs.db");
          } else {
            ASSERT_TRUE(store->Recover().ok());
            model.Recover();
          }
      }
    }
    ExpectSame(*store, model);
  }
}

}  // namespace
}  // namespace tutti

#include "engine/lent_team.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cpu_affinity.h"
#include "base/mutex.h"
#include "tests/engine/fake_parts.h"
#include "tests/support/eventually.h"

namespace tutti {
namespace {

using testing::Eventually;
using testing::Tone;

// Tells how many threads there are for each batch, before it is worked on.
class SeeingModel final : public testing::FakeAsrModel {
 public:
  explicit SeeingModel(std::function<void(int)> on_team) : on_team_(std::move(on_team)) {}
  void Recognise(const ScatteredBatch& features, Workspace& workspace,
                 std::span<Hypothesis> hypotheses) const override {
    on_team_(TeamSize(workspace));
    FakeAsrModel::Recognise(features, workspace, hypotheses);
  }

 private:
  const std::function<void(int)> on_team_;
};

std::unique_ptr<Recognizer> TwoWorkers(std::function<void(int)> on_team, bool pinned = false) {
  RecognizerOptions options;
  options.threads = 2;
  options.pin_threads = pinned;
  return *CreateRecognizer(options, {std::make_shared<SeeingModel>(std::move(on_team)), nullptr, "seeing"});
}

TEST(LentTeamTest, AWorkerAloneIsHelpedByAsManyThreadsAsHaveCores) {
  const int most = std::min(2, static_cast<int>(AllowedCpus()->size()));
  std::atomic<int> seen = 0;
  const auto recognizer = TwoWorkers([&](int size) { seen = size; });
  const std::string text = (*recognizer->Transcribe(Tone(1, 500))).text;
  // Once the other worker has come to wait for work.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ((*recognizer->Transcribe(Tone(1, 500))).text, text);
    return seen == most;
  }));
}

TEST(LentTeamTest, AWorkerBesideAnotherHasNoHelp) {
  Mutex mu;
  std::vector<int> sizes;
  const auto begun = [&] {
    MutexLock lock(mu);
    return sizes.size();
  };
  const auto recognizer = TwoWorkers([&](int size) {
    {
      MutexLock lock(mu);
      sizes.push_back(size);
    }
    EXPECT_TRUE(Eventually([&] { return begun() == 2; }));
  });
  const auto first = *recognizer->Submit(Tone(1, 500));
  EXPECT_TRUE(Eventually([&] { return begun() == 1; }));
  const auto second = *recognizer->Submit(Tone(2, 500));
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(second->Wait().ok());
  MutexLock lock(mu);
  EXPECT_EQ(sizes.at(1), 1);
}

TEST(LentTeamTest, APinnedWorkerKeepsToItsCpu) {
  std::atomic<int> most = 0;
  const auto recognizer = TwoWorkers([&](int size) { most = std::max<int>(most, size); }, true);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(recognizer->Transcribe(Tone(i, 500)).ok());
  EXPECT_EQ(most, 1);
}

TEST(LentTeamTest, OneAtATimeHasTheTeam) {
  LentTeam lent(1);
  Workspace one, other;
  ASSERT_TRUE(lent.Lend(one));
  EXPECT_EQ(TeamSize(one), 2);
  EXPECT_FALSE(lent.Lend(other));
  EXPECT_EQ(TeamSize(other), 1);
  lent.TakeBack(one);
  EXPECT_EQ(TeamSize(one), 1);
  EXPECT_TRUE(lent.Lend(other));
  lent.TakeBack(other);
}

}  // namespace
}  // namespace tutti

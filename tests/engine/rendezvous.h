#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/sync_point.h"

namespace tutti::testing {

// Stops threads at the given points until `width` of them stand at the same one, then lets them go together: what the
// network left behind is read only after everyone else's network has run. After the first `sure` meetings at a point, a
// thread that waits there longer than `patience` goes on alone, so that the last ones are not stuck; before them, only
// after two minutes, so that a busy machine cannot keep them from meeting.
class Rendezvous final : public SyncPoints {
 public:
  Rendezvous(std::set<std::string, std::less<>> points, int width, int64_t sure = 1)
      : points_(std::move(points)), width_(width), sure_(sure) {}

  void At(std::string_view name) override {
    if (!points_.contains(name)) return;
    MutexLock lock(mu_);
    Point& point = at_[std::string(name)];
    const int64_t round = point.rounds;
    if (++point.waiting == width_) {
      point.waiting = 0;
      ++point.rounds;
      gathered_.NotifyAll();
      return;
    }
    const auto deadline = std::chrono::steady_clock::now() + (round >= sure_ ? kPatience : std::chrono::minutes(2));
    while (point.rounds == round && gathered_.WaitUntil(mu_, deadline)) continue;
    if (point.rounds == round) --point.waiting;
  }

  // How often `width` threads stood together at the point.
  int64_t meetings(std::string_view name) {
    MutexLock lock(mu_);
    return at_[std::string(name)].rounds;
  }

 private:
  static constexpr std::chrono::milliseconds kPatience{30};

  struct Point {
    int waiting = 0;
    int64_t rounds = 0;
  };

  const std::set<std::string, std::less<>> points_;
  const int width_;
  const int64_t sure_;

  Mutex mu_;
  CondVar gathered_;
  std::map<std::string, Point, std::less<>> at_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti::testing

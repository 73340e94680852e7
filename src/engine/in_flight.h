#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/status.h"
#include "engine/request.h"

namespace tutti {

// Requests in the order of their files; whatever is left at the end is cancelled. Not thread-safe.
class InFlight {
 public:
  ~InFlight() {
    for (const auto& request : requests_) {
      if (request.ok()) (*request)->Cancel();
    }
    // The caller's progress function may not outlive this call.
    for (const auto& request : requests_) {
      if (request.ok()) (*request)->Wait();
    }
  }

  size_t size() const { return requests_.size(); }
  void Add(absl::StatusOr<std::shared_ptr<Request>> request) { requests_.push_back(std::move(request)); }

  // Waits for the oldest and gives its result to `use`.
  bool Finish(const std::function<bool(const absl::StatusOr<Transcript>&)>& use) {
    const absl::StatusOr<std::shared_ptr<Request>> request = std::move(requests_.front());
    requests_.pop_front();
    return use(request.ok() ? (*request)->Wait() : absl::StatusOr<Transcript>(request.status()));
  }

 private:
  std::deque<absl::StatusOr<std::shared_ptr<Request>>> requests_;
};

}  // namespace tutti

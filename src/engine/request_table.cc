#include "engine/request_table.h"

#include <algorithm>
#include <utility>

namespace tutti {
namespace {

// A deadline may be as far as time_point::max(), with which no clock can reckon.
std::chrono::steady_clock::time_point WakeUpBy(std::chrono::steady_clock::time_point deadline) {
  return std::min(deadline, std::chrono::steady_clock::now() + std::chrono::hours(1));
}

}  // namespace

void RequestTable::Start(std::function<void()> drop_stopped) {
  drop_stopped_ = std::move(drop_stopped);
  thread_ = std::thread([this] { Run(); });
}

absl::StatusOr<std::shared_ptr<Request>> RequestTable::Admit(bool wait, Request::Identity identity,
                                                             TranscribeOptions options, Recognizer::OnDone on_done,
                                                             SyncPoints* sync_points) {
  const auto deadline = options.deadline;
  MutexLock lock(mu_);
  while (!closed_ && static_cast<int64_t>(pending_.size()) >= max_pending_) {
    if (!wait)
      return ResourceExhausted("{}: {} recordings are pending, no more are accepted", identity.name, max_pending_);
    if (!deadline) {
      room_.Wait(mu_);
    } else if (!room_.WaitUntil(mu_, WakeUpBy(*deadline)) && std::chrono::steady_clock::now() >= *deadline) {
      return absl::DeadlineExceededError(fmt::format("{}: the deadline passed before it was accepted", identity.name));
    }
  }
  if (closed_) return absl::CancelledError(fmt::format("{}: the recogniser is shutting down", identity.name));
  const int64_t id = identity.id = next_id_++;
  auto request = std::make_shared<Request>(std::move(identity), std::move(options), std::move(on_done),
                                           weak_from_this(), sync_points);
  pending_.emplace(id, request);
  if (deadline) {
    deadlines_.emplace(*deadline, id);
    stopped_.NotifyOne();
  }
  return request;
}

void RequestTable::Close() {
  {
    MutexLock lock(mu_);
    closed_ = true;
    stopped_.NotifyOne();
    room_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

int64_t RequestTable::pending() const {
  MutexLock lock(mu_);
  return static_cast<int64_t>(pending_.size());
}

void RequestTable::OnCancelled(int64_t id) {
  MutexLock lock(mu_);
  cancelled_.push_back(id);
  stopped_.NotifyOne();
}

void RequestTable::OnFinished(int64_t id) {
  std::shared_ptr<Request> request;  // let go without the lock
  MutexLock lock(mu_);
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  request = std::move(found->second);
  pending_.erase(found);
  if (request->options().deadline) deadlines_.erase({*request->options().deadline, id});
  room_.NotifyOne();
}

void RequestTable::Run() {
  bool closed = false;
  while (!closed) {
    std::vector<std::shared_ptr<Request>> stopped;
    {
      MutexLock lock(mu_);
      while ((stopped = TakeStopped()).empty() && !closed_) {
        if (deadlines_.empty()) {
          stopped_.Wait(mu_);
        } else {
          stopped_.WaitUntil(mu_, WakeUpBy(deadlines_.begin()->first));
        }
      }
      closed = closed_;
      if (closed) {
        for (const auto& [id, request] : pending_) stopped.push_back(request);
      }
    }
    for (const auto& request : stopped) {
      if (closed) request->Cancel();
      request->FailStopped();
    }
    drop_stopped_();
  }
}

std::vector<std::shared_ptr<Request>> RequestTable::TakeStopped() {
  std::vector<std::shared_ptr<Request>> stopped;
  const auto take = [&](int64_t id) TUTTI_REQUIRES(mu_) {
    if (const auto found = pending_.find(id); found != pending_.end()) stopped.push_back(found->second);
  };
  for (const int64_t id : std::exchange(cancelled_, {})) take(id);
  const Time now = std::chrono::steady_clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    take(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
  }
  return stopped;
}

}  // namespace tutti

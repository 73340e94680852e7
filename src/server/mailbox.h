#pragma once

#include <boost/asio/cancellation_state.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "server/asio.h"

namespace tutti {

// Hands what threads of the engine have to say to a coroutine on the service's thread, in order.
//
// Put is thread-safe; the others are for one coroutine on the service's thread. Held by shared_ptr, since a late Put
// may come after the coroutine has gone.
template <typename T>
class Mailbox : public std::enable_shared_from_this<Mailbox<T>> {
 public:
  explicit Mailbox(asio::any_io_executor executor) : executor_(std::move(executor)), arrival_(executor_) {}

  void Put(T letter) TUTTI_EXCLUDES(mu_) {
    {
      MutexLock lock(mu_);
      letters_.push_back(std::move(letter));
    }
    asio::post(executor_, [self = this->shared_from_this()] { self->arrival_.cancel(); });
  }

  // Returns when there is a letter, which stays for TryTake; or when it is cancelled.
  Awaitable<void> Wait() {
    while (empty()) {
      arrival_.expires_at(asio::steady_timer::time_point::max());
      co_await arrival_.async_wait(kAsTuple);
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
  }

  std::optional<T> TryTake() TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (letters_.empty()) return std::nullopt;
    std::optional<T> letter = std::move(letters_.front());
    letters_.pop_front();
    return letter;
  }

  bool empty() const TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return letters_.empty();
  }

 private:
  const asio::any_io_executor executor_;
  asio::steady_timer arrival_;  // of the service's thread

  mutable Mutex mu_;
  std::deque<T> letters_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti

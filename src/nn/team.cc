#include "nn/team.h"

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tutti {
namespace {

// About as long as a few layers' serial parts take: 50 to 200 µs.
constexpr int kSpins = 2000;
constexpr uint64_t kItems = 0xFFFFFFFF;  // the lower half of a ticket

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

Team::Team(int helpers) {
  try {
    for (int i = 0; i < helpers; ++i) {
      helpers_.push_back(std::make_unique<Helper>());
      Helper& helper = *helpers_.back();
      helper.thread = std::thread([this, &helper] { Help(helper.workspace); });
    }
  } catch (...) {
    Stop();
    throw;
  }
}

Team::~Team() { Stop(); }

void Team::Stop() {
  stop_ = true;
  Wake();
  for (const auto& helper : helpers_) {
    if (helper->thread.joinable()) helper->thread.join();
  }
}

void Team::Wake() {
  ticket_ += uint64_t{1} << 32;
  ticket_.notify_all();
}

void Team::Trim() {
  ++trims_;
  Wake();
}

void Team::Help(Workspace& workspace) {
  uint64_t trims = 0;
  while (true) {
    // Before what else is looked at: what comes later than this look changes the ticket, and the wait ends.
    const uint64_t seen = ticket_;
    if (stop_) return;
    if (TakeOne(workspace)) continue;
    if (const uint64_t wanted = trims_; wanted != trims) {
      workspace.Release();
      trims = wanted;
    }
    bool changed = false;
    for (int i = 0; i < kSpins && !changed; ++i) {
      Pause();
      changed = ticket_.load(std::memory_order_relaxed) != seen;
    }
    if (!changed) ticket_.wait(seen);
  }
}

bool Team::TakeOne(Workspace& workspace) {
  uint64_t ticket = ticket_;
  do {
    if ((ticket & kItems) == 0) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1));
  const uint64_t count = count_;  // once the last item is done, the next round may write it
  try {
    body_.call(body_.body, static_cast<int64_t>(count - (ticket & kItems)), workspace);
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
  }
  if (++done_ == count) done_.notify_one();
  return true;
}

void Team::RunErased(int64_t count, Workspace& own, ErasedBody body) {
  if (count <= 1 || helpers_.empty() || busy_) {
    for (int64_t item = 0; item < count; ++item) body.call(body.body, item, own);
    return;
  }
  busy_ = true;
  body_ = body;
  count_ = static_cast<uint64_t>(count);
  done_ = 0;
  const uint64_t round = (ticket_ >> 32) + 1;
  ticket_ = round << 32 | count_;
  ticket_.notify_all();
  while (TakeOne(own)) {
  }
  for (int i = 0; i < kSpins && done_ != count_; ++i) Pause();
  // Longer: a helper may wait for our core.
  for (uint64_t done = done_; done != count_; done = done_) done_.wait(done);
  busy_ = false;
  if (failed_.exchange(false)) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace tutti

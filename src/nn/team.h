#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "nn/workspace.h"

namespace tutti {

// Threads that work on the parts of one batch together with the thread that owns it, so that a batch alone does not
// wait for a single core.
//
// Between two calls of Run a helper spins for some microseconds, since a network's layers follow each other fast, then
// sleeps. Owned by one worker, who alone calls Run; each helper has scratch memory of its own.
class Team {
 public:
  // `helpers` threads besides the caller's. Throws std::system_error when there are none to be had.
  explicit Team(int helpers);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(helpers_.size()) + 1; }
  std::thread& helper(int i) { return helpers_[static_cast<size_t>(i)]->thread; }

  // Has each helper give its scratch memory back to the system, soon. The owner's to call, outside of Run.
  void Trim();

  // body(item, workspace) for each item from 0 to count - 1, each once, on any of the team's threads in any order;
  // returns when all are done. The caller takes part with `own`. Within a body Run works alone. Rethrows an exception
  // of a body after the others have ended.
  template <typename Body>
  void Run(int64_t count, Workspace& own, const Body& body) {
    RunErased(count, own, {&body, [](const void* of, int64_t item, Workspace& workspace) {
                             (*static_cast<const Body*>(of))(item, workspace);
                           }});
  }

 private:
  struct ErasedBody {
    const void* body = nullptr;
    void (*call)(const void*, int64_t, Workspace&) = nullptr;
  };
  struct Helper {
    Workspace workspace;
    std::thread thread;
  };

  void RunErased(int64_t count, Workspace& own, ErasedBody body);
  void Help(Workspace& workspace);
  bool TakeOne(Workspace& workspace);
  void Stop();
  // A round without items: whoever sleeps looks up.
  void Wake();

  std::vector<std::unique_ptr<Helper>> helpers_;

  // Round in the upper half, items that nobody has taken in the lower: an item can be taken only in its own round.
  std::atomic<uint64_t> ticket_ = 0;
  // What a round is about; written before its ticket, read by those who have taken an item of it.
  ErasedBody body_;
  uint64_t count_ = 0;
  std::atomic<uint64_t> done_ = 0;  // items of this round
  std::atomic<bool> failed_ = false;
  std::exception_ptr error_;  // of the first to set failed_
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> trims_ = 0;
  bool busy_ = false;  // the owner's: within Run
};

// The same on the workspace's team, or here when it has none.
template <typename Body>
void ForEach(int64_t count, Workspace& workspace, const Body& body) {
  if (workspace.team() != nullptr) return workspace.team()->Run(count, workspace, body);
  for (int64_t item = 0; item < count; ++item) body(item, workspace);
}

// Threads that ForEach spreads its items over.
inline int TeamSize(const Workspace& workspace) { return workspace.team() != nullptr ? workspace.team()->size() : 1; }

}  // namespace tutti

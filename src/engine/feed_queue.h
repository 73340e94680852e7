#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "engine/feed.h"

namespace tutti {

// Recordings that wait for a decode thread, begun or not: interactive ones first, by arrival. Of batch work the largest
// of the oldest kLookAhead begins first, so that the last to end is not one that began late; nobody is overtaken by
// more than that many.
//
// Of each priority only one is ever handed out at a time: what has begun goes on before another begins. While it waits
// for room among the segments, the others wait too, so that no more recordings are open than there are threads, and a
// backlog holds paths, not audio. One that waits for the text of its last segment lets others go on: up to kLookAhead
// are open then.
//
// Thread-safe: any number of threads may call any method at the same time.
class FeedQueue {
 public:
  FeedQueue() = default;
  FeedQueue(const FeedQueue&) = delete;
  FeedQueue& operator=(const FeedQueue&) = delete;

  void Add(std::unique_ptr<Feed> feed) TUTTI_EXCLUDES(mu_);

  // Puts `unfinished` (may be null) back in its place and waits for the most urgent one that can run, which may be the
  // same. Null after Close.
  std::unique_ptr<Feed> Take(std::unique_ptr<Feed> unfinished) TUTTI_EXCLUDES(mu_);

  // Look again: a segment has left the queue or is done, or a request has stopped.
  void Wake() TUTTI_EXCLUDES(mu_);

  // Lets go of the recordings whose request has stopped.
  void DropStopped() TUTTI_EXCLUDES(mu_);

  // Lets go of what waits; Take returns null from now on. Idempotent.
  void Close() TUTTI_EXCLUDES(mu_);

 private:
  using Line = std::map<int64_t, std::unique_ptr<Feed>>;  // by arrival

  static constexpr int64_t kLookAhead = 64;

  void Insert(std::unique_ptr<Feed> feed) TUTTI_REQUIRES(mu_);
  // The one to hand out; line is not empty.
  static Line::iterator Next(Line& line, bool largest);

  Mutex mu_;
  CondVar changed_;
  std::array<Line, 2> waiting_ TUTTI_GUARDED_BY(mu_);  // interactive, batch
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace tutti

#include "engine/feed_queue.h"

#include <utility>
#include <vector>

namespace tutti {

void FeedQueue::Add(std::unique_ptr<Feed> feed) {
  MutexLock lock(mu_);
  if (closed_) return;
  Insert(std::move(feed));
  changed_.NotifyOne();
}

void FeedQueue::Insert(std::unique_ptr<Feed> feed) {
  const bool interactive = feed->request().options().priority == Priority::kInteractive;
  const int64_t id = feed->request().id();
  waiting_[interactive ? 0 : 1].emplace(id, std::move(feed));
}

std::unique_ptr<Feed> FeedQueue::Take(std::unique_ptr<Feed> unfinished) {
  MutexLock lock(mu_);
  if (unfinished != nullptr) Insert(std::move(unfinished));
  while (!closed_) {
    for (Line& line : waiting_) {
      if (line.empty()) continue;
      const auto next = Next(line, &line == &waiting_.back());
      if (!next->second->can_run()) continue;
      std::unique_ptr<Feed> feed = std::move(next->second);
      line.erase(next);
      return feed;
    }
    changed_.Wait(mu_);
  }
  return nullptr;
}

FeedQueue::Line::iterator FeedQueue::Next(Line& line, bool largest) {
  const int64_t end = line.begin()->first + kLookAhead;
  auto next = line.end();
  for (auto it = line.begin(); it != line.end() && it->first < end; ++it) {
    if (it->second->begun()) {
      if (!it->second->waits_for_text()) return it;
    } else if (next == line.end() || (largest && it->second->size() > next->second->size())) {
      next = it;
    }
  }
  return next == line.end() ? line.begin() : next;
}

void FeedQueue::Wake() {
  MutexLock lock(mu_);
  changed_.NotifyAll();
}

void FeedQueue::DropStopped() {
  std::vector<std::unique_ptr<Feed>> dropped;
  MutexLock lock(mu_);
  for (Line& line : waiting_) {
    for (auto it = line.begin(); it != line.end();) {
      if (it->second->request().stopped()) {
        dropped.push_back(std::move(it->second));
        it = line.erase(it);
      } else {
        ++it;
      }
    }
  }
  changed_.NotifyAll();
}

void FeedQueue::Close() {
  std::array<Line, 2> dropped;
  MutexLock lock(mu_);
  closed_ = true;
  waiting_.swap(dropped);
  changed_.NotifyAll();
}

}  // namespace tutti

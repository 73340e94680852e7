#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace tutti {

struct HandOutOptions {
  int processes = 1;
  int least_recordings = 2;     // that a worker may have whatever their length
  int most_recordings = 32;     // and whatever their shortness
  double credit_seconds = 180;  // of audio at a worker between these two
  int retries = 2;
};

// Which recording goes to which worker, and what becomes of those whose worker has died.
//
// Among the oldest of the most urgent the longest goes first, so that none is left over at the end. A worker gets
// enough to batch across recordings, and towards the end only its share of what is left. When a worker dies with
// several recordings, nobody knows whose fault it was: each of them becomes a suspect and runs alone in its next
// worker. Only one that was alone is to blame, and after `retries` more such deaths it is condemned.
//
// It knows numbers, not processes. Not thread-safe.
class HandOut {
 public:
  explicit HandOut(const HandOutOptions& options) : options_(options) {}

  // `bytes` as SizeInBytes has them. Ids ascend.
  void Add(int64_t id, int64_t bytes, bool interactive);
  // What `worker` is to begin next; none when it has enough, or nothing waits that it may have.
  std::optional<int64_t> Next(int64_t worker);
  // It could not be sent after all: as before Next.
  void TakeBack(int64_t worker, int64_t id);
  // It ended in good order; `audio_ms` ≤ 0 when it had no audio or nobody knows.
  void Finished(int64_t worker, int64_t id, int64_t audio_ms);
  // It waits no longer. False when it is not waiting.
  bool Drop(int64_t id);

  struct Verdict {
    int64_t id = 0;
    int deaths_alone = 0;
    bool condemned = false;  // else it waits again
  };
  // The worker is gone, and with it what it had.
  std::vector<Verdict> WorkerGone(int64_t worker);
  // The worker is gone, and nothing that it had is to blame: all of that waits again.
  std::vector<int64_t> Withdraw(int64_t worker);

  // What runs there.
  std::vector<int64_t> Of(int64_t worker) const;
  bool has_waiting() const { return !waiting_[0].empty() || !waiting_[1].empty() || !suspects_.empty(); }

 private:
  struct Recording {
    int64_t bytes = 0;
    bool interactive = false;
    bool suspect = false;
    int deaths_alone = 0;
  };

  double Seconds(int64_t bytes) const { return static_cast<double>(bytes) * seconds_per_byte_; }
  bool HasRoom(const std::set<int64_t>& mine, int64_t next_bytes) const;
  int64_t Longest(const std::set<int64_t>& line) const;

  const HandOutOptions options_;
  std::map<int64_t, Recording> recordings_;         // waiting or running
  std::array<std::set<int64_t>, 2> waiting_;        // interactive, batch; by arrival
  std::deque<int64_t> suspects_;                    // that wait
  std::map<int64_t, std::set<int64_t>> by_worker_;  // what runs where
  std::optional<int64_t> emptying_;                 // a worker that gets nothing more, so that a suspect finds a place
  int64_t waiting_bytes_ = 0;
  double seconds_per_byte_ = 1.0 / 32000;  // learned; 16 kHz, 16 bits to begin with
  double heard_seconds_ = 0;
  int64_t heard_bytes_ = 0;
};

}  // namespace tutti

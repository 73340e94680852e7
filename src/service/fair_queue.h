#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "tutti/recognizer.h"

namespace tutti {

// The order in which waiting recordings of many tenants run: interactive before batch, and within a priority deficit
// round robin over tenants (Shreedhar and Varghese 1995), whose currency is seconds of audio. A tenant with a thousand
// hours waiting delays one with a minute by one turn.
//
// How long a recording is may be known only after it was decoded: Charge corrects the account then.
//
// Not thread-safe; the Dispatcher owns one.
class FairQueue {
 public:
  struct Item {
    int64_t id = 0;
    std::string tenant;
    Priority priority = Priority::kBatch;
    double seconds = 0;  // of audio, estimated; > 0
  };

  explicit FairQueue(double quantum_seconds = 60) : quantum_(quantum_seconds) {}

  void Push(Item item);
  // The next to run.
  std::optional<Item> Pop();
  // False when it is not waiting.
  bool Remove(int64_t id);
  // The tenant's recordings took this much more (or less) than was estimated.
  void Charge(const std::string& tenant, Priority priority, double seconds);

  double seconds() const;  // that wait
  size_t size() const;

 private:
  struct Tenant {
    std::string name;
    double deficit = 0;
    bool had_quantum = false;  // in this turn
    std::deque<Item> waiting;
  };
  struct Line {
    std::list<Tenant> turns;             // tenants with something waiting; the front has its turn
    std::map<std::string, double> owed;  // charges of tenants that are not in turns, > 0
    double seconds = 0;
    size_t size = 0;
  };

  std::optional<Item> PopFrom(Line& line);

  const double quantum_;
  Line lines_[2];  // interactive, batch
};

}  // namespace tutti

#pragma once

#include <cstddef>
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
// While two tenants have something waiting, neither gets ahead by more than a quantum and its largest recording,
// counted from when both began to wait.
//
// How long a recording is may be known only after it was decoded: Charge corrects the account then. A tenant that owes
// keeps its debt while others wait and pays it off a quantum a round, as it would in its turns; when nobody waits,
// nobody is owed anything.
//
// Not thread-safe; the Dispatcher owns one.
class FairQueue {
 public:
  struct Item {
    int64_t id = 0;
    std::string tenant;
    Priority priority = Priority::kBatch;
    double seconds = 0;  // of audio, estimated; > 0 and finite
  };

  explicit FairQueue(double quantum_seconds = 60) : quantum_(quantum_seconds) {}

  void Push(Item item);
  // Takes back what Pop gave, as if it had not: its tenant has its turn again, and it is the first in it.
  void Return(Item item);
  // The next to run; with kInteractive only if it is interactive.
  std::optional<Item> Pop(Priority least = Priority::kBatch);
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
  using Turns = std::list<Tenant>;
  struct Line {
    Turns turns;                         // tenants with something waiting; the front has its turn
    size_t turns_left = 0;               // until the round ends
    std::map<std::string, double> owed;  // debts of tenants that are not in turns, > 0
    double seconds = 0;
    size_t size = 0;
  };

  Line& LineOf(Priority priority) { return lines_[priority == Priority::kInteractive ? 0 : 1]; }
  static Turns::iterator Find(Line& line, const std::string& tenant);
  static Turns::iterator Enter(Line& line, Turns::iterator before, const std::string& tenant);
  static void Left(Line& line, Turns::iterator tenant, double seconds);
  static void PayOff(Line& line, double seconds);
  void EndTurn(Line& line);
  void SkipIdleRounds(Line& line);
  std::optional<Item> PopFrom(Line& line);

  const double quantum_;
  Line lines_[2];  // interactive, batch
};

}  // namespace tutti

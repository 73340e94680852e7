#include "service/fair_queue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tutti {

FairQueue::Turns::iterator FairQueue::Find(Line& line, const std::string& tenant) {
  return std::ranges::find(line.turns, tenant, &Tenant::name);
}

// Puts a tenant that had nothing waiting before another, with its debt.
FairQueue::Turns::iterator FairQueue::Enter(Line& line, Turns::iterator before, const std::string& tenant) {
  const auto entered = line.turns.insert(before, Tenant{.name = tenant, .deficit = 0, .waiting = {}});
  if (const auto debt = line.owed.find(tenant); debt != line.owed.end()) {
    entered->deficit = -debt->second;
    line.owed.erase(debt);
  }
  ++line.turns_left;
  return entered;
}

void FairQueue::Push(Item item) {
  Line& line = LineOf(item.priority);
  auto tenant = Find(line, item.tenant);
  if (tenant == line.turns.end()) tenant = Enter(line, line.turns.end(), item.tenant);
  line.seconds += item.seconds;
  ++line.size;
  tenant->waiting.push_back(std::move(item));
}

void FairQueue::Return(Item item) {
  Line& line = LineOf(item.priority);
  auto tenant = Find(line, item.tenant);
  if (tenant == line.turns.end()) tenant = Enter(line, line.turns.begin(), item.tenant);
  line.turns.splice(line.turns.begin(), line.turns, tenant);
  tenant->deficit += item.seconds;
  tenant->had_quantum = true;
  line.seconds += item.seconds;
  ++line.size;
  tenant->waiting.push_front(std::move(item));
}

std::optional<FairQueue::Item> FairQueue::Pop(Priority least) {
  if (auto item = PopFrom(lines_[0])) return item;
  return least == Priority::kInteractive ? std::nullopt : PopFrom(lines_[1]);
}

std::optional<FairQueue::Item> FairQueue::PopFrom(Line& line) {
  while (!line.turns.empty()) {
    for (size_t i = line.turns.size(); i > 0; --i) {
      Tenant& tenant = line.turns.front();
      if (!tenant.had_quantum) tenant.deficit += quantum_;
      tenant.had_quantum = true;
      if (tenant.waiting.front().seconds <= tenant.deficit) {
        Item item = std::move(tenant.waiting.front());
        tenant.waiting.pop_front();
        tenant.deficit -= item.seconds;
        Left(line, line.turns.begin(), item.seconds);
        return item;
      }
      EndTurn(line);
    }
    SkipIdleRounds(line);
  }
  return std::nullopt;
}

void FairQueue::EndTurn(Line& line) {
  line.turns.front().had_quantum = false;
  line.turns.splice(line.turns.end(), line.turns, line.turns.begin());
  if (line.turns_left > 1) {
    --line.turns_left;
    return;
  }
  line.turns_left = line.turns.size();
  PayOff(line, quantum_);
}

// Gives everyone the quanta of the rounds in which nobody could begin: hours of audio are hundreds of them.
void FairQueue::SkipIdleRounds(Line& line) {
  double rounds = std::numeric_limits<double>::infinity();
  for (const Tenant& tenant : line.turns) {
    rounds = std::min(rounds, std::ceil((tenant.waiting.front().seconds - tenant.deficit) / quantum_) - 1);
  }
  if (rounds < 1) return;
  for (Tenant& tenant : line.turns) tenant.deficit += rounds * quantum_;
  PayOff(line, rounds * quantum_);
}

void FairQueue::PayOff(Line& line, double seconds) {
  for (auto& [tenant, debt] : line.owed) debt -= seconds;
  std::erase_if(line.owed, [](const auto& owed) { return owed.second <= 0; });
}

// After `seconds` left the line: a tenant with nothing waiting loses its place and what it saved, not what it owes.
void FairQueue::Left(Line& line, Turns::iterator tenant, double seconds) {
  line.seconds -= seconds;
  --line.size;
  if (!tenant->waiting.empty()) return;
  if (tenant->deficit < 0) line.owed.emplace(tenant->name, -tenant->deficit);
  line.turns.erase(tenant);
  line.turns_left = std::min(line.turns_left, line.turns.size());
  if (!line.turns.empty()) return;
  line.owed.clear();
  line.seconds = 0;  // no rounding errors to keep
}

bool FairQueue::Remove(int64_t id) {
  for (Line& line : lines_) {
    for (auto tenant = line.turns.begin(); tenant != line.turns.end(); ++tenant) {
      const auto found = std::ranges::find(tenant->waiting, id, &Item::id);
      if (found == tenant->waiting.end()) continue;
      const double seconds = found->seconds;
      tenant->waiting.erase(found);
      Left(line, tenant, seconds);
      return true;
    }
  }
  return false;
}

void FairQueue::Charge(const std::string& tenant, Priority priority, double seconds) {
  Line& line = LineOf(priority);
  if (line.turns.empty()) return;
  if (const auto found = Find(line, tenant); found != line.turns.end()) {
    found->deficit -= seconds;
    return;
  }
  double& debt = line.owed[tenant];
  debt += seconds;
  if (debt <= 0) line.owed.erase(tenant);
}

double FairQueue::seconds() const { return lines_[0].seconds + lines_[1].seconds; }

size_t FairQueue::size() const { return lines_[0].size + lines_[1].size; }

}  // namespace tutti

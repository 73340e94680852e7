#pragma once

#include <atomic>

#include "nn/team.h"
#include "nn/workspace.h"

namespace tutti {

// A team that the workers of a recogniser take by turns: it helps one that is at work while the others wait, so that a
// recording that comes alone keeps more than one core busy. What is computed does not depend on it, to the last bit.
//
// Thread-safe. Outlives its workers.
class LentTeam {
 public:
  // Throws std::system_error when there are no threads to be had.
  explicit LentTeam(int helpers) : team_(helpers) {}

  // Gives the workspace the team until TakeBack. False when another worker has it.
  bool Lend(Workspace& workspace) {
    if (lent_.exchange(true, std::memory_order_acquire)) return false;
    workspace.set_team(&team_);
    return true;
  }
  void TakeBack(Workspace& workspace) {
    workspace.set_team(nullptr);
    lent_.store(false, std::memory_order_release);
  }

  // Gives the helpers' scratch memory back to the system, unless a worker has them.
  void Trim() {
    if (lent_.exchange(true, std::memory_order_acquire)) return;
    team_.Trim();
    lent_.store(false, std::memory_order_release);
  }

  // Of its threads, before there is work.
  Team& team() { return team_; }

 private:
  Team team_;
  std::atomic<bool> lent_ = false;
};

}  // namespace tutti

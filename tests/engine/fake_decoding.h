#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "models/decoding.h"

namespace tutti::testing {

// A decoding whose utterances are done in one step; what is heard is up to Admit, which adds it to those that are live.
class OneStepDecoding : public Decoding {
 public:
  void Step(Workspace&, std::vector<Finished>& finished) override {
    for (Finished& one : live_) finished.push_back(std::move(one));
    live_.clear();
  }
  void Remove(int64_t id) override {
    std::erase_if(live_, [id](const Finished& one) { return one.id == id; });
  }
  void Clear() override { live_.clear(); }
  bool empty() const override { return live_.empty(); }

 protected:
  std::vector<Finished> live_;
};

}  // namespace tutti::testing

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "models/hypothesis.h"

namespace tutti {

// What was said in a recording so far, channel by channel, for a model that is told so before its next segment: ids of
// its hypotheses. Text that was drawn at a high temperature is no good example: what was said up to it is forgotten
// with it, as faster-whisper does.
//
// Not thread-safe.
class PreviousText {
 public:
  void Add(int channel, const Hypothesis& hypothesis, float reset_above) {
    constexpr size_t kMost = 1024;  // no model takes as many
    std::vector<int32_t>& ids = ids_[channel];
    if (hypothesis.temperature.value_or(0) > reset_above) return ids.clear();
    ids.insert(ids.end(), hypothesis.ids.begin(), hypothesis.ids.end());
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(std::min(ids.size(), kMost)));
  }

  std::vector<int32_t> Of(int channel) const {
    const auto found = ids_.find(channel);
    return found == ids_.end() ? std::vector<int32_t>() : found->second;
  }

 private:
  std::map<int, std::vector<int32_t>> ids_;
};

}  // namespace tutti

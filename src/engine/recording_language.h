#pragma once

#include <map>
#include <string>

#include "models/hypothesis.h"

namespace tutti {

struct SpokenLanguage {
  std::string code;  // empty: not known
  float probability = 0;
};

// The language of a recording that has one, channel by channel: what the model found in the first segment that has
// text. What it finds in silence and music is no language.
//
// Not thread-safe.
class RecordingLanguage {
 public:
  void Add(int channel, const Hypothesis& hypothesis) {
    if (hypothesis.ids.empty()) return;
    found_.try_emplace(channel, SpokenLanguage{hypothesis.language, hypothesis.language_probability.value_or(0)});
  }

  SpokenLanguage Of(int channel) const {
    const auto found = found_.find(channel);
    return found == found_.end() ? SpokenLanguage() : found->second;
  }

 private:
  std::map<int, SpokenLanguage> found_;
};

}  // namespace tutti

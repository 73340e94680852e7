#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "models/hypothesis.h"
#include "nn/workspace.h"
#include "tutti/search_options.h"

namespace tutti {

// The segments that one worker is recognising. New ones may join before any step, and each leaves at its own end, so
// that nobody waits for the longest.
//
// A segment's hypothesis is a function of its own rows and options, bit for bit, whoever is there beside it. Not
// thread-safe; each worker owns one. What throws leaves it fit for Clear alone.
class Decoding {
 public:
  struct Utterance {
    int64_t id = 0;                   // the caller's; no two at a time are the same
    const float* features = nullptr;  // [rows, width] as the model's FeatureExtractor makes them
    int64_t rows = 0;
    const SearchOptions* options = nullptr;  // outlives it
    std::span<const int32_t> previous = {};  // ids of the text that stands before it
    std::string_view language = {};          // the recording's, where the options leave it to be found
  };
  struct Finished {
    int64_t id = 0;
    absl::StatusOr<Hypothesis> hypothesis;
  };

  virtual ~Decoding() = default;

  // Takes utterances in; their features, previous ids and language are read during the call only.
  virtual void Admit(std::span<const Utterance> utterances, Workspace& workspace) = 0;
  // Goes on with all of them; appends those that have ended.
  virtual void Step(Workspace& workspace, std::vector<Finished>& finished) = 0;
  // Lets go of one that has not ended.
  virtual void Remove(int64_t id) = 0;
  virtual void Clear() = 0;
  // Gives memory that no utterance uses back to the system.
  virtual void Trim() {}

  virtual bool empty() const = 0;
};

}  // namespace tutti

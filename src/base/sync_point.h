#pragma once

#include <string_view>

namespace tutti {

// Named places in the code where a race test stops a thread to force an interleaving (the idea is RocksDB's sync
// points; here the object is handed in by options, so nothing is global). Production passes null, which costs a branch.
//
// Implementations must be thread-safe; At may block.
class SyncPoints {
 public:
  virtual ~SyncPoints() = default;
  virtual void At(std::string_view point) = 0;
};

inline void ReachSyncPoint(SyncPoints* points, std::string_view name) {
  if (points != nullptr) points->At(name);
}

}  // namespace tutti

#pragma once

#include <cstddef>
#include <memory>

#include "base/mutex.h"

namespace tutti {

// Memory for packed weights, cut from chunks for which the kernel is asked for huge pages: a network reads all of its
// weights for every few rows, and translating their addresses page by page of 4 KiB costs about 3 % of its time.
//
// Thread-safe. What it hands out may outlive it.
class WeightArena {
 public:
  WeightArena() = default;
  WeightArena(const WeightArena&) = delete;
  WeightArena& operator=(const WeightArena&) = delete;

  // Zeroed and aligned to 64 bytes. Null when there is no memory.
  std::shared_ptr<std::byte> Allocate(size_t bytes) TUTTI_EXCLUDES(mu_);

 private:
  Mutex mu_;
  std::shared_ptr<std::byte> chunk_ TUTTI_GUARDED_BY(mu_);  // the newest; older ones belong to what was cut from them
  size_t size_ TUTTI_GUARDED_BY(mu_) = 0;
  size_t used_ TUTTI_GUARDED_BY(mu_) = 0;
};

}  // namespace tutti

#include "nn/weight_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace tutti {
namespace {

constexpr size_t kWeightAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// Pages that are never touched cost nothing, so a small model does not pay for a large chunk.
constexpr size_t kChunk = size_t{32} << 20;

size_t RoundUp(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// `bytes` of zeros, a multiple of kHugePage and aligned to it.
std::shared_ptr<std::byte> MapChunk(size_t bytes) {
  const size_t mapped = bytes + kHugePage;
  void* const start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  std::byte* const chunk =
      static_cast<std::byte*>(start) + (kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage) % kHugePage;
  madvise(chunk, bytes, MADV_HUGEPAGE);  // a wish: without it everything works, slower
  return {chunk, [start, mapped](std::byte*) { munmap(start, mapped); }};
}

}  // namespace

std::shared_ptr<std::byte> WeightArena::Allocate(size_t bytes) {
  bytes = RoundUp(std::max<size_t>(bytes, 1), kWeightAlignment);
  MutexLock lock(mu_);
  if (chunk_ == nullptr || size_ - used_ < bytes) {
    const size_t size = RoundUp(std::max(bytes, kChunk), kHugePage);
    std::shared_ptr<std::byte> chunk = MapChunk(size);
    if (chunk == nullptr) return nullptr;
    chunk_ = std::move(chunk);
    size_ = size;
    used_ = 0;
  }
  std::shared_ptr<std::byte> memory(chunk_, chunk_.get() + used_);
  used_ += bytes;
  return memory;
}

}  // namespace tutti

#include "nn/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace tutti {
namespace {

constexpr size_t kScratchAlignment = 64;
constexpr size_t kFirstBlock = size_t{1} << 20;
constexpr size_t kPage = 4096;
// Pages that are not given back, so that work in small steps does not fault them in again at each.
constexpr size_t kSpare = size_t{1} << 20;

// Pages of the system's: those that nobody touches cost nothing, those given back are gone, and the thread that touches
// one first decides which node of the machine it comes from. malloc would keep them.
std::byte* Map(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(pages);
}

}  // namespace

Workspace::Workspace() : first_block_(kFirstBlock) {}

Workspace::~Workspace() { Unmap(); }

void Workspace::Unmap() {
  for (const Block& block : blocks_) munmap(block.data, block.size);
  blocks_.clear();
  touched_ = 0;
}

void Workspace::Release() {
  first_block_ = std::max(kFirstBlock, capacity());
  Unmap();
}

size_t Workspace::capacity() const {
  size_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.size;
  return bytes;
}

void* Workspace::Allocate(size_t bytes) {
  bytes = (bytes + kScratchAlignment - 1) / kScratchAlignment * kScratchAlignment;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = std::max({bytes, first_block_, capacity()});
    blocks_.reserve(blocks_.size() + 1);
    blocks_.push_back({Map(size), size});
  }
  std::byte* data = blocks_[block_].data + used_;
  used_ += bytes;
  high_ = std::max(high_, used_);
  return data;
}

void Workspace::EndOutermost() {
  if (blocks_.size() > 1) {  // the work did not fit into one block: the next one gets a single block for all of it
    const size_t size = capacity();
    Unmap();
    blocks_.push_back({Map(size), size});
  } else if (touched_ > high_ + kSpare) {
    const size_t kept = (high_ + kPage - 1) / kPage * kPage;
    madvise(blocks_.front().data + kept, blocks_.front().size - kept, MADV_DONTNEED);
    touched_ = kept;
  } else {
    touched_ = std::max(touched_, high_);
  }
  high_ = 0;
}

Workspace::Scope::Scope(Workspace& workspace)
    : workspace_(workspace), block_(workspace.block_), used_(workspace.used_) {
  ++workspace_.open_scopes_;
}

Workspace::Scope::~Scope() {
  workspace_.block_ = block_;
  workspace_.used_ = used_;
  if (--workspace_.open_scopes_ == 0) workspace_.EndOutermost();
}

}  // namespace tutti

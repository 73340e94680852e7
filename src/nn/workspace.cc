#include "nn/workspace.h"

#include <algorithm>
#include <new>

namespace tutti {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kFirstBlock = size_t{1} << 20;

}  // namespace

Workspace::Workspace() = default;

Workspace::~Workspace() {
  for (const Block& block : blocks_) ::operator delete(block.data, std::align_val_t(kAlignment));
}

size_t Workspace::capacity() const {
  size_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.size;
  return bytes;
}

void* Workspace::Allocate(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const size_t size = std::max({bytes, kFirstBlock, capacity()});
    blocks_.push_back({static_cast<std::byte*>(::operator new(size, std::align_val_t(kAlignment))), size});
  }
  std::byte* data = blocks_[block_].data + used_;
  used_ += bytes;
  return data;
}

Workspace::Scope::Scope(Workspace& workspace)
    : workspace_(workspace), block_(workspace.block_), used_(workspace.used_) {}

Workspace::Scope::~Scope() {
  workspace_.block_ = block_;
  workspace_.used_ = used_;
  if (block_ != 0 || used_ != 0 || workspace_.blocks_.size() < 2) return;
  // The outermost scope ends and the work did not fit into one block: the next one gets a single block for all of it.
  const size_t size = workspace_.capacity();
  for (const Block& block : workspace_.blocks_) ::operator delete(block.data, std::align_val_t(kAlignment));
  workspace_.blocks_.clear();
  workspace_.blocks_.push_back({static_cast<std::byte*>(::operator new(size, std::align_val_t(kAlignment))), size});
}

}  // namespace tutti

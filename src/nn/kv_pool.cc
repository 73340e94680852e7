#include "nn/kv_pool.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

namespace tutti {
namespace {

constexpr std::align_val_t kPageAlignment{64};

}  // namespace

struct KvPool::Page {
  int64_t owners = 0;
  float* data = nullptr;
};

void KvPool::PageDeleter::operator()(Page* page) const {
  ::operator delete[](page->data, kPageAlignment);
  delete page;
}

KvPool::KvPool(int64_t layers, int64_t width, int64_t max_bytes)
    : layers_(layers),
      width_(width),
      page_floats_(layers * 2 * width * kPageTokens),
      max_pages_(std::max<int64_t>(1, max_bytes / page_bytes())) {}

bool KvPool::Reserve(int64_t pages) {
  if (reserved_ > 0 && reserved_ + pages > max_pages_) return false;
  reserved_ += pages;
  return true;
}

KvPool::Page* KvPool::Take() {
  if (free_.empty()) {
    std::unique_ptr<Page, PageDeleter> page(new Page());
    page->data = new (kPageAlignment) float[static_cast<size_t>(page_floats_)]();
    pages_.reserve(pages_.size() + 1);
    free_.reserve(pages_.size() + 1);  // so that Drop cannot fail
    free_.push_back(page.get());
    pages_.push_back(std::move(page));
  }
  Page* page = free_.back();
  free_.pop_back();
  page->owners = 1;
  return page;
}

void KvPool::Drop(Page* page) {
  if (--page->owners == 0) free_.push_back(page);
}

void KvPool::Trim() {
  free_.clear();
  std::erase_if(pages_, [](const auto& page) { return page->owners == 0; });
}

KvSequence::KvSequence(KvSequence&& other) noexcept
    : pool_(other.pool_), pages_(std::move(other.pages_)), tokens_(std::exchange(other.tokens_, 0)) {
  other.pages_.clear();
}

KvSequence& KvSequence::operator=(KvSequence&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(pages_, other.pages_);
  std::swap(tokens_, other.tokens_);
  return *this;
}

KvSequence KvSequence::Fork() const {
  KvSequence fork(*pool_);
  fork.pages_ = pages_;
  fork.tokens_ = tokens_;
  for (KvPool::Page* page : pages_) ++page->owners;
  return fork;
}

void KvSequence::Clear() {
  for (KvPool::Page* page : pages_) pool_->Drop(page);
  pages_.clear();
  tokens_ = 0;
}

void KvSequence::Extend(int64_t count) {
  const int64_t used = tokens_ % KvPool::kPageTokens;
  if (count > 0 && used > 0 && pages_.back()->owners > 1) {
    KvPool::Page* own = pool_->Take();
    const int64_t width = pool_->width_;
    const float* from = pages_.back()->data;
    float* to = own->data;
    for (int64_t layer = 0; layer < pool_->layers_; ++layer) {
      const int64_t keys = width * KvPool::kPageTokens;
      std::copy_n(from, keys + used * width, to);
      from += 2 * keys;
      to += 2 * keys;
    }
    pool_->Drop(pages_.back());
    pages_.back() = own;
  }
  tokens_ += count;
  const int64_t pages = (tokens_ + KvPool::kPageTokens - 1) / KvPool::kPageTokens;
  while (static_cast<int64_t>(pages_.size()) < pages) pages_.push_back(pool_->Take());
}

float* KvSequence::Layer(int64_t layer, int64_t page) const {
  return pages_[static_cast<size_t>(page)]->data + layer * 2 * pool_->width_ * KvPool::kPageTokens;
}

const float* KvSequence::keys(int64_t layer, int64_t page) const { return Layer(layer, page); }

void KvSequence::Put(int64_t layer, int64_t token, const float* key, const float* value) {
  const int64_t width = pool_->width_, place = token % KvPool::kPageTokens;
  float* keys = Layer(layer, token / KvPool::kPageTokens);
  for (int64_t c = 0; c < width; ++c) keys[c * KvPool::kPageTokens + place] = key[c];
  std::copy_n(value, width, keys + (KvPool::kPageTokens + place) * width);
}

}  // namespace tutti

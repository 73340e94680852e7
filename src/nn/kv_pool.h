#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace tutti {

class KvSequence;

// Pages for the self-attention keys and values of decoders that make one token at a time. A page holds kPageTokens
// tokens of one hypothesis, for every layer:
//   keys [width][kPageTokens], then values [kPageTokens][width], f32, layer after layer.
//
// Hypotheses that have a beginning in common share its pages. The bound is in bytes; whoever starts an utterance
// reserves what it can come to need, so that nothing fails in the middle of one. Memory is taken when pages are first
// used and kept for the next.
//
// Owned by one worker; not thread-safe. Outlives its sequences.
class KvPool {
 public:
  static constexpr int64_t kPageTokens = 16;

  KvPool(int64_t layers, int64_t width, int64_t max_bytes);
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  int64_t page_bytes() const { return page_floats_ * static_cast<int64_t>(sizeof(float)); }
  int64_t max_pages() const { return max_pages_; }
  int64_t reserved() const { return reserved_; }
  int64_t pages_in_use() const { return static_cast<int64_t>(pages_.size() - free_.size()); }
  int64_t bytes() const { return static_cast<int64_t>(pages_.size()) * page_bytes(); }  // held, in use or not

  // Pages that `sequences` hypotheses of up to `tokens` tokens can come to use.
  static int64_t PagesFor(int64_t sequences, int64_t tokens) {
    return sequences * ((tokens + kPageTokens - 1) / kPageTokens);
  }
  // False where that many pages more exceed the bound. Who asks for more than the bound gets it, alone.
  bool Reserve(int64_t pages);
  void Unreserve(int64_t pages) { reserved_ -= pages; }

  // Gives the memory of pages that are not in use back to the system.
  void Trim();

 private:
  friend class KvSequence;
  struct Page;
  struct PageDeleter {
    void operator()(Page* page) const;
  };

  Page* Take();
  void Drop(Page* page);

  const int64_t layers_, width_, page_floats_, max_pages_;
  int64_t reserved_ = 0;
  std::vector<std::unique_ptr<Page, PageDeleter>> pages_;
  std::vector<Page*> free_;
};

// The keys and values of one hypothesis, token after token. Full pages may be shared with others; a last page that is
// shared is copied before something is added to it, so no hypothesis ever sees another's tokens.
class KvSequence {
 public:
  explicit KvSequence(KvPool& pool) : pool_(&pool) {}
  KvSequence(KvSequence&& other) noexcept;
  KvSequence& operator=(KvSequence&& other) noexcept;
  ~KvSequence() { Clear(); }

  // Another hypothesis with the same tokens.
  KvSequence Fork() const;

  int64_t tokens() const { return tokens_; }

  // Room for `count` more tokens, whose keys and values the caller writes with Put, layer by layer.
  void Extend(int64_t count);
  // Keys and values [width] of token `token` in `layer`.
  void Put(int64_t layer, int64_t token, const float* key, const float* value);

  // Of page `page` in `layer`; the values are `width · kPageTokens` floats behind.
  const float* keys(int64_t layer, int64_t page) const;

  void Clear();

 private:
  float* Layer(int64_t layer, int64_t page) const;

  KvPool* pool_;
  std::vector<KvPool::Page*> pages_;
  int64_t tokens_ = 0;
};

}  // namespace tutti

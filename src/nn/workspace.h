#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tutti {

class Team;

// A worker's scratch memory: a stack of 64-byte aligned buffers that grows to the largest batch it has seen and is then
// reused, so that a batch in steady state allocates nothing. What a batch leaves untouched of a much larger one's pages
// goes back to the system; the addresses stay.
//
//   Workspace::Scope scope(workspace);
//   float* hidden = scope.Floats(rows * width);   // uninitialised; valid until `scope` ends
//
// Scopes nest like a stack. Not thread-safe: each worker owns one.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // Bytes of address space held, in use or not.
  size_t capacity() const;
  // Of these, so many at most have pages, when no scope is open.
  size_t touched() const { return touched_; }

  // Gives all of it back to the system; what comes next begins with one block of the size that was there. Without an
  // open scope only.
  void Release();

  // Threads that share the work of whoever uses this workspace (ForEach); null: none. Not owned.
  Team* team() const { return team_; }
  void set_team(Team* team) { team_ = team; }

  class Scope {
   public:
    explicit Scope(Workspace& workspace);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // For types that need neither construction nor destruction.
    template <typename T>
    T* As(int64_t count) {
      return static_cast<T*>(workspace_.Allocate(static_cast<size_t>(count) * sizeof(T)));
    }
    float* Floats(int64_t count) { return As<float>(count); }
    std::byte* Bytes(int64_t count) { return As<std::byte>(count); }

   private:
    Workspace& workspace_;
    const size_t block_, used_;
  };

 private:
  struct Block {
    std::byte* data;
    size_t size;
  };
  void* Allocate(size_t bytes);
  void Unmap();
  void EndOutermost();

  std::vector<Block> blocks_;
  size_t block_ = 0;  // index of the block in use
  size_t used_ = 0;   // bytes taken from it
  int64_t open_scopes_ = 0;
  size_t high_ = 0;  // the most that was taken from the block since the outermost scope began
  size_t touched_ = 0;
  size_t first_block_;
  Team* team_ = nullptr;
};

}  // namespace tutti

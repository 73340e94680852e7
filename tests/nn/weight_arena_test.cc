#include "nn/weight_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace tutti {
namespace {

TEST(WeightArenaTest, HandsOutZeroedAlignedPiecesThatDoNotOverlap) {
  WeightArena arena;
  std::vector<std::pair<std::shared_ptr<std::byte>, size_t>> pieces;
  for (const size_t size : {size_t{1}, size_t{64}, size_t{100}, size_t{20} << 20, size_t{20} << 20, size_t{40} << 20}) {
    auto piece = arena.Allocate(size);
    ASSERT_NE(piece, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.get()) % 64, 0u);
    EXPECT_TRUE(std::all_of(piece.get(), piece.get() + size, [](std::byte b) { return b == std::byte{0}; })) << size;
    std::fill(piece.get(), piece.get() + size, std::byte{0xFF});
    pieces.emplace_back(std::move(piece), size);
  }
}

TEST(WeightArenaTest, APieceOutlivesTheArena) {
  std::shared_ptr<std::byte> piece;
  {
    WeightArena arena;
    piece = arena.Allocate(1000);
  }
  piece.get()[999] = std::byte{1};
  EXPECT_EQ(piece.get()[999], std::byte{1});
}

TEST(WeightArenaTest, MoreThanThereIsGivesNull) {
  WeightArena arena;
  EXPECT_EQ(arena.Allocate(std::numeric_limits<size_t>::max() / 4), nullptr);
  EXPECT_NE(arena.Allocate(10), nullptr) << "and the next fits again";
}

}  // namespace
}  // namespace tutti

#include "nn/kv_pool.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/support/random.h"

namespace tutti {
namespace {

constexpr int64_t kLayers = 2, kWidth = 8, kPage = KvPool::kPageTokens;

class KvPoolTest : public ::testing::Test {
 protected:
  KvPool pool_{kLayers, kWidth, int64_t{1} << 20};
};

// Token `seed` in every layer.
void Append(KvSequence& sequence, uint32_t seed) {
  const int64_t token = sequence.tokens();
  sequence.Extend(1);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const auto both = testing::RandomFloats(2 * kWidth, seed + 1000 * static_cast<uint32_t>(layer));
    sequence.Put(layer, token, both.data(), both.data() + kWidth);
  }
}

void ExpectToken(const KvSequence& sequence, int64_t token, uint32_t seed) {
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const auto both = testing::RandomFloats(2 * kWidth, seed + 1000 * static_cast<uint32_t>(layer));
    const float* keys = sequence.keys(layer, token / kPage);
    for (int64_t c = 0; c < kWidth; ++c) {
      ASSERT_EQ(keys[c * kPage + token % kPage], both[static_cast<size_t>(c)]) << "layer " << layer << ", " << token;
      ASSERT_EQ(keys[(kPage + token % kPage) * kWidth + c], both[static_cast<size_t>(kWidth + c)]);
    }
  }
}

TEST_F(KvPoolTest, ForksShareTheirBeginningAndGoOnByThemselves) {
  KvSequence trunk(pool_);
  for (uint32_t i = 0; i < 20; ++i) Append(trunk, i);
  EXPECT_EQ(pool_.pages_in_use(), 2);
  KvSequence left = trunk.Fork(), right = trunk.Fork();
  EXPECT_EQ(pool_.pages_in_use(), 2) << "nothing is copied before someone writes";
  for (uint32_t i = 0; i < 20; ++i) {
    Append(left, 100 + i);
    Append(right, 200 + i);
    Append(trunk, 300 + i);
  }
  for (uint32_t i = 0; i < 40; ++i) {
    ExpectToken(left, i, i < 20 ? i : 80 + i);
    ExpectToken(right, i, i < 20 ? i : 180 + i);
    ExpectToken(trunk, i, i < 20 ? i : 280 + i);
  }
  EXPECT_EQ(left.keys(0, 0), right.keys(0, 0)) << "the full page is still one";
  EXPECT_EQ(pool_.pages_in_use(), 1 + 3 * 2);
}

TEST_F(KvPoolTest, TheOnlyHeirOfAPartialPageWritesWhereItLies) {
  KvSequence parent(pool_);
  for (uint32_t i = 0; i < 3; ++i) Append(parent, i);
  const float* page = parent.keys(0, 0);
  KvSequence child = parent.Fork();
  parent.Clear();
  Append(child, 3);
  EXPECT_EQ(child.keys(0, 0), page);
  for (uint32_t i = 0; i < 4; ++i) ExpectToken(child, i, i);
}

TEST_F(KvPoolTest, ReusesPagesAndGivesThemBack) {
  for (int round = 0; round < 3; ++round) {
    KvSequence sequence(pool_);
    for (uint32_t i = 0; i < 33; ++i) Append(sequence, i);
    KvSequence moved = std::move(sequence);
    EXPECT_EQ(moved.tokens(), 33);
    EXPECT_EQ(pool_.pages_in_use(), 3);
  }
  EXPECT_EQ(pool_.pages_in_use(), 0);
  EXPECT_EQ(pool_.bytes(), 3 * pool_.page_bytes());
  pool_.Trim();
  EXPECT_EQ(pool_.bytes(), 0);
}

TEST_F(KvPoolTest, ReservesUpToItsBoundAndMoreForOneAlone) {
  const int64_t most = pool_.max_pages();
  EXPECT_TRUE(pool_.Reserve(most + 7)) << "one alone is let in, whatever it needs";
  EXPECT_FALSE(pool_.Reserve(1));
  pool_.Unreserve(most + 7);
  EXPECT_TRUE(pool_.Reserve(most - 1));
  EXPECT_TRUE(pool_.Reserve(1));
  EXPECT_FALSE(pool_.Reserve(1));
  EXPECT_EQ(KvPool::PagesFor(5, kPage + 1), 10);
}

}  // namespace
}  // namespace tutti

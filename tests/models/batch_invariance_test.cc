#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>

#include "models/synthetic.h"
#include "nn/team.h"
#include "tests/support/asr.h"
#include "tests/support/random.h"

namespace tutti {
namespace {

using testing::ParaformerStages;

constexpr int64_t kFeatures = 560;

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

std::shared_ptr<const Paraformer> SmallModel(ComputeType type = ComputeType::kF32) {
  auto model = MakeSyntheticParaformer(
      {.width = 48, .heads = 4, .hidden = 96, .encoder_blocks = 3, .decoder_layers = 2, .taps = 11, .vocabulary = 100},
      7, type);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

struct RaggedSegments {
  std::vector<std::vector<float>> rows;  // features of each segment

  // Lengths about the heights of Linear's blocks and the row block of the layers, and odd ones; 0 and 1 among them.
  explicit RaggedSegments(uint32_t seed) {
    for (const int64_t length : {0, 1, 2, 3, 5, 16, 17, 31, 64, 67, 0, 129, 150}) {
      rows.push_back(testing::RandomFloats(length * kFeatures, ++seed));
    }
  }
};

struct Batch {
  std::vector<float> rows;
  std::vector<int64_t> offsets = {0};

  Batch(const RaggedSegments& segments, std::span<const size_t> order) {
    for (const size_t i : order) {
      rows.insert(rows.end(), segments.rows[i].begin(), segments.rows[i].end());
      offsets.push_back(static_cast<int64_t>(rows.size()) / kFeatures);
    }
  }
  RaggedBatch view() const { return {rows.data(), kFeatures, offsets}; }
};

// Part i of the values of a batch whose segments begin at `offsets`, in units of `width`.
std::span<const float> Part(const std::vector<float>& values, const std::vector<int64_t>& offsets, size_t i,
                            int64_t width) {
  return std::span(values).subspan(static_cast<size_t>(offsets[i] * width),
                                   static_cast<size_t>((offsets[i + 1] - offsets[i]) * width));
}

TEST(BatchInvarianceTest, EverySegmentHasTheSameBitsAloneAndInAnyBatchInAnyOrder) {
  const auto model = SmallModel();
  ASSERT_NE(model, nullptr);
  const int64_t width = model->encoder().options().width, vocabulary = model->decoder().options().vocabulary;
  const RaggedSegments segments(100);
  Workspace workspace;
  std::vector<ParaformerStages> alone;
  for (size_t i = 0; i < segments.rows.size(); ++i) {
    const std::vector<size_t> only = {i};
    const Batch batch(segments, only);
    alone.emplace_back(*model, batch.view(), workspace);
  }
  EXPECT_GT(alone.back().offsets.back(), 10) << "the synthetic predictor finds no tokens: nothing would be compared";

  std::mt19937 generator(5);
  for (int round = 0; round < 12; ++round) {
    std::vector<size_t> order(segments.rows.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), generator);
    order.resize(2 + generator() % (order.size() - 1));
    const Batch batch(segments, order);
    const ParaformerStages together(*model, batch.view(), workspace);
    for (size_t i = 0; i < order.size(); ++i) {
      const ParaformerStages& expected = alone[order[i]];
      EXPECT_TRUE(SameBits(Part(together.encoded, batch.offsets, i, width), expected.encoded))
          << "round " << round << ", segment " << order[i];
      EXPECT_TRUE(SameBits(Part(together.acoustic, together.offsets, i, width), expected.acoustic))
          << "round " << round << ", segment " << order[i];
      EXPECT_TRUE(SameBits(Part(together.log_probs, together.offsets, i, vocabulary), expected.log_probs))
          << "round " << round << ", segment " << order[i];
    }
  }
}

TEST(BatchInvarianceTest, RowsThatLieApartHaveTheBitsOfRowsLaidEndToEnd) {
  const RaggedSegments segments(600);
  std::vector<size_t> all(segments.rows.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const Batch batch(segments, all);
  std::vector<const float*> starts;
  for (const auto& rows : segments.rows) starts.push_back(rows.data());
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const auto model = SmallModel(type);
    ASSERT_NE(model, nullptr);
    Workspace workspace;
    std::vector<Hypothesis> together(all.size()), apart(all.size());
    model->Recognise(batch.view(), workspace, together);
    model->Recognise({starts, kFeatures, batch.offsets}, workspace, apart);
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(apart[i].ids, together[i].ids) << Name(type) << ", segment " << i;
      EXPECT_TRUE(SameBits(apart[i].scores, together[i].scores)) << Name(type) << ", segment " << i;
    }
  }
}

TEST(BatchInvarianceTest, ThreadsThatShareAModelGetTheBitsOfOneThread) {
  const auto model = SmallModel();
  ASSERT_NE(model, nullptr);
  const RaggedSegments segments(200);
  std::vector<size_t> all(segments.rows.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const Batch batch(segments, all);
  const auto recognise = [&model](const Batch& some) {
    Workspace workspace;
    std::vector<Hypothesis> hypotheses(some.offsets.size() - 1);
    model->Recognise(some.view(), workspace, hypotheses);
    return hypotheses;
  };
  const auto expected = recognise(batch);
  std::vector<int> differences(8);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < differences.size(); ++thread) {
    threads.emplace_back([&, thread] {
      // Each thread has its own order, so no two do the same at the same time.
      std::vector<size_t> order = all;
      std::rotate(order.begin(), order.begin() + static_cast<int64_t>(thread), order.end());
      const auto found = recognise(Batch(segments, order));
      for (size_t i = 0; i < order.size(); ++i) {
        if (found[i].ids != expected[order[i]].ids || !SameBits(found[i].scores, expected[order[i]].scores)) {
          ++differences[thread];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(differences, std::vector<int>(8, 0));
}

TEST(BatchInvarianceTest, ATeamGetsTheBitsOfOneThreadInEveryComputeType) {
  const RaggedSegments segments(400);
  std::vector<size_t> all(segments.rows.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const std::vector<size_t> only = {11};
  for (const ComputeType type : {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8}) {
    const auto model = SmallModel(type);
    ASSERT_NE(model, nullptr);
    for (const std::vector<size_t>& order : {all, only}) {
      const Batch batch(segments, order);
      const int64_t width = model->encoder().options().width;
      Workspace alone;
      const ParaformerStages expected(*model, batch.view(), alone);
      for (const int helpers : {1, 4}) {
        Team team(helpers);
        Workspace workspace;
        workspace.set_team(&team);
        const ParaformerStages found(*model, batch.view(), workspace);
        ASSERT_EQ(found.encoded.size(), static_cast<size_t>(batch.offsets.back() * width));
        EXPECT_TRUE(SameBits(found.encoded, expected.encoded)) << Name(type) << ", " << helpers << " helpers";
        EXPECT_TRUE(SameBits(found.acoustic, expected.acoustic)) << Name(type) << ", " << helpers << " helpers";
        EXPECT_TRUE(SameBits(found.log_probs, expected.log_probs)) << Name(type) << ", " << helpers << " helpers";
      }
    }
  }
}

TEST(BatchInvarianceTest, ANeighbourThatIsNotANumberHarmsNobody) {
  const auto model = SmallModel();
  ASSERT_NE(model, nullptr);
  RaggedSegments segments(300);
  std::fill(segments.rows[8].begin(), segments.rows[8].end(), std::numeric_limits<float>::quiet_NaN());
  const std::vector<size_t> order = {7, 8, 9}, first = {7}, last = {9};
  Workspace workspace;
  const auto recognise = [&](std::span<const size_t> which) {
    const Batch batch(segments, which);
    std::vector<Hypothesis> hypotheses(which.size());
    model->Recognise(batch.view(), workspace, hypotheses);
    return hypotheses;
  };
  const auto together = recognise(order), left = recognise(first), right = recognise(last);
  EXPECT_FALSE(left[0].ids.empty());
  EXPECT_EQ(together[0].ids, left[0].ids);
  EXPECT_TRUE(SameBits(together[0].scores, left[0].scores));
  EXPECT_EQ(together[2].ids, right[0].ids);
  EXPECT_TRUE(SameBits(together[2].scores, right[0].scores));
}

}  // namespace
}  // namespace tutti

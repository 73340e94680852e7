#include "models/weight_source.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

const std::string kTinyInt8 = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_tiny_int8/model.bin";

TEST(CheckpointWeightsTest, Int8RowsOfACTranslate2FileAreHandedOutWhereTheyLie) {
  const auto checkpoint = Checkpoint::Open(kTinyInt8);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const CheckpointWeights weights(*checkpoint);
  // The second is an alias, which has the scales of its target.
  for (const auto& [name, rows] : {std::pair("encoder/layer_0/ffn/linear_0/weight", int64_t{128}),
                                   std::pair("decoder/projection/weight", int64_t{1074})}) {
    const auto matrix = weights.GetMatrix(name, rows, 64);
    ASSERT_TRUE(matrix.ok()) << matrix.status();
    EXPECT_EQ(matrix->view.type, ComputeType::kInt8);
    EXPECT_EQ(matrix->view.order, WeightOrder::kRows);
    EXPECT_EQ(matrix->view.data, (*checkpoint)->Find(name)->data);
    const auto expected = *(*checkpoint)->Floats(name, {rows, 64});
    const auto* elements = static_cast<const int8_t*>(matrix->view.data);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(matrix->view.scales[i / 64] * static_cast<float>(elements[i]), expected[i]) << name << " " << i;
    }
  }
}

TEST(CheckpointWeightsTest, AQuantisedTensorThatIsNoMatrixBecomesF32) {
  const auto checkpoint = Checkpoint::Open(kTinyInt8);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto kernel = CheckpointWeights(*checkpoint).Get("encoder/conv1/weight", {64, 80, 3});
  ASSERT_TRUE(kernel.ok()) << kernel.status();
  const auto expected = *(*checkpoint)->Floats("encoder/conv1/weight", {64, 80, 3});
  EXPECT_EQ(kernel->Copy(), expected);
}

}  // namespace
}  // namespace tutti

#include "models/compression_ratio.h"

#include <gtest/gtest.h>

#include <string>

namespace tutti {
namespace {

// Expected: len(text) / len(zlib.compress(text)) of Python's zlib.
TEST(CompressionRatioTest, IsThatOfTheReference) {
  EXPECT_EQ(CompressionRatio(""), 0);
  EXPECT_FLOAT_EQ(CompressionRatio("you"), 3.0F / 11);
  EXPECT_FLOAT_EQ(CompressionRatio("Please hold while I try that extension."), 39.0F / 47);
}

TEST(CompressionRatioTest, IsHighWhereATextRepeatsItself) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += " I'm sorry.";
  EXPECT_FLOAT_EQ(CompressionRatio(text), 220.0F / 22);
}

}  // namespace
}  // namespace tutti

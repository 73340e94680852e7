#pragma once

#include <gtest/gtest.h>

#include <string>

#include "models/convert.h"
#include "tests/support/folder.h"

namespace tutti::testing {

inline constexpr ComputeType kConvertedTypes[] = {ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8};

// Converts models into a folder of its own.
class ConvertFixture : public ::testing::Test {
 protected:
  std::string Convert(const std::string& in, ComputeType type, const std::string& name = "model.gguf") const {
    const absl::Status status = ConvertModel(in, folder_ / name, type);
    EXPECT_TRUE(status.ok()) << status;
    return folder_ / name;
  }

  const Folder folder_;
};

}  // namespace tutti::testing

#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace tutti::testing {

// Seeded normal values, the same on every machine.
inline std::vector<float> RandomFloats(int64_t count, uint32_t seed, float deviation = 1.0F) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(generator);
  return values;
}

// Offsets of `segments` segments with 0 … max_rows rows each.
inline std::vector<int64_t> RandomOffsets(int64_t segments, int64_t max_rows, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int64_t> rows(0, max_rows);
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < segments; ++i) offsets.push_back(offsets.back() + rows(generator));
  return offsets;
}

}  // namespace tutti::testing

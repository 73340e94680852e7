#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tutti::testing {

// Samples in [-1, 1] of a plain 16-bit mono .wav fixture (44-byte header); a test failure otherwise.
inline std::vector<float> ReadWav(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<float> samples;
  if (bytes.size() < 44 || bytes.compare(0, 4, "RIFF") != 0 || bytes.compare(36, 4, "data") != 0) {
    ADD_FAILURE() << path << ": not a plain .wav file";
    return samples;
  }
  for (size_t at = 44; at + 1 < bytes.size(); at += 2) {
    int16_t value = 0;
    std::memcpy(&value, bytes.data() + at, 2);
    samples.push_back(static_cast<float>(value) / 32768.0F);
  }
  return samples;
}

}  // namespace tutti::testing

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tutti::testing {

// A dense little-endian float32 array from a .npy file (version 1); a test failure and an empty array otherwise.
struct Npy {
  std::vector<int64_t> shape;
  std::vector<float> values;

  int64_t rows() const { return shape.empty() ? 0 : shape[0]; }
  int64_t width() const { return shape.size() < 2 ? 1 : shape[1]; }
};

inline Npy ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Npy array;
  if (bytes.size() < 10 || bytes.compare(0, 7, "\x93NUMPY\x01") != 0) {
    ADD_FAILURE() << path << ": not a .npy file";
    return array;
  }
  const size_t header = static_cast<uint8_t>(bytes[8]) + 256U * static_cast<uint8_t>(bytes[9]);
  const std::string text = bytes.substr(10, header);
  if (text.find("'<f4'") == std::string::npos || text.find("'fortran_order': False") == std::string::npos) {
    ADD_FAILURE() << path << ": not row-major float32: " << text;
    return array;
  }
  size_t elements = 1;
  const size_t close = text.find(')');
  for (size_t at = text.find('(') + 1; at < close; ++at) {
    if (text[at] < '0' || text[at] > '9') continue;
    size_t digits = 0;
    array.shape.push_back(std::stoll(text.substr(at), &digits));
    elements *= static_cast<size_t>(array.shape.back());
    at += digits;
  }
  if (bytes.size() != 10 + header + 4 * elements) {
    ADD_FAILURE() << path << ": " << bytes.size() << " bytes do not fit its shape " << text;
    return Npy();
  }
  array.values.resize(elements);
  std::memcpy(array.values.data(), bytes.data() + 10 + header, 4 * elements);
  return array;
}

}  // namespace tutti::testing

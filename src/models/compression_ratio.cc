#include "models/compression_ratio.h"

#include <zlib.h>

#include <vector>

namespace tutti {

float CompressionRatio(std::string_view text) {
  const auto size = static_cast<uLong>(text.size());
  uLongf packed = compressBound(size);
  std::vector<Bytef> bytes(packed);
  if (compress(bytes.data(), &packed, reinterpret_cast<const Bytef*>(text.data()), size) != Z_OK) return 0;
  return static_cast<float>(text.size()) / static_cast<float>(packed);
}

}  // namespace tutti

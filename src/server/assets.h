#pragma once

#include <string_view>

namespace tutti {

// A file of the page or of the documentation, built into the program (tools/embed_assets.py).
struct Asset {
  std::string_view path;  // "/assets/app.js"
  std::string_view content_type;
  std::string_view etag;  // of the content
  std::string_view bytes;
};

// Null when there is none.
const Asset* FindAsset(std::string_view path);

}  // namespace tutti

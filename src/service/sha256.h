#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct evp_md_ctx_st;

namespace tutti {

// 32 bytes.
std::string Sha256(std::string_view bytes);
// Two lower-case digits a byte.
std::string Hex(std::string_view bytes);

// A digest of bytes that come piece by piece. Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();

  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Add(std::string_view bytes);
  // Forgets what was added.
  void Restart();
  // In hexadecimal, of all that was added; Restart before more is.
  std::string Finish();

 private:
  const std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

// In hexadecimal, as sha256sum prints it. NotFound, PermissionDenied or Unavailable with the path and the reason.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace tutti

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// The API keys that a service accepts, each belonging to a tenant. Only SHA-256 digests are kept: a key has 256 random
// bits, so a slow hash would add nothing. The file has a line a key, "TENANT KEY-ID SHA256-HEX YYYY-MM-DD"; lines that
// are empty or begin with # are passed over.
//
// Immutable; a changed file is a new KeyStore.
class KeyStore {
 public:
  struct Entry {
    std::string tenant;
    std::string id;  // the first 8 digits of the digest: names a key without telling it
    std::string created;
  };

  // NotFound for a missing file, InvalidArgument with file and line for one that is malformed. Messages never quote a
  // line: somebody may have put a key there.
  static absl::StatusOr<KeyStore> Load(const std::string& path);

  // The tenant of a key, empty when nobody's. Takes the same time whichever key matches, or none.
  std::string_view TenantOf(std::string_view key) const;

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::vector<std::string> digests_;  // 32 bytes each, parallel to entries_
};

// Makes a new key, "tutti_" and 43 base64url characters, adds it to the file (made with mode 0600 when missing;
// replaced atomically under a lock, so that two commands at once both count; mode, owner and other lines stay) and
// returns it: it is told this once. A tenant is 1 … 64 of [a-zA-Z0-9._-], a date YYYY-MM-DD.
absl::StatusOr<std::string> AddKey(const std::string& path, const std::string& tenant, std::string_view date);

// Takes a tenant's keys out of the file or, when it names no tenant, the one with this id. NotFound when there is none.
// Returns how many.
absl::StatusOr<int> RevokeKeys(const std::string& path, std::string_view tenant_or_id);

}  // namespace tutti

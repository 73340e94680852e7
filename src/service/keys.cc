#include "service/keys.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "service/sha256.h"

namespace tutti {
namespace {

constexpr std::string_view kKeyPrefix = "tutti_";
constexpr int64_t kMaxKeyFileBytes = 16 << 20;
constexpr size_t kKeyBytes = 32, kKeyIdDigits = 8;
static_assert(kKeyBytes == SHA256_DIGEST_LENGTH);

std::optional<std::string> FromHex(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    const size_t high = kDigits.find(hex[i]), low = kDigits.find(hex[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return hex.size() % 2 == 0 ? std::optional(bytes) : std::nullopt;
}

absl::StatusOr<std::string> RandomKey() {
  std::array<unsigned char, kKeyBytes> bytes = {};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Unavailable("keys: the system gives no random bytes");
  }
  std::array<unsigned char, (kKeyBytes + 2) / 3 * 4 + 1> base64 = {};
  EVP_EncodeBlock(base64.data(), bytes.data(), static_cast<int>(bytes.size()));
  std::string key(kKeyPrefix);
  for (const unsigned char c : base64) {
    if (c == '=') break;
    key += c == '+' ? '-' : c == '/' ? '_' : static_cast<char>(c);
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

bool IsTenant(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool IsDate(std::string_view date) {
  constexpr std::string_view kShape = "0000-00-00";
  return date.size() == kShape.size() && std::equal(date.begin(), date.end(), kShape.begin(), [](char c, char shape) {
           return shape == '0' ? c >= '0' && c <= '9' : c == shape;
         });
}

struct Line {
  std::string text;                      // without its end
  std::optional<KeyStore::Entry> entry;  // none: empty or a comment
  std::string digest;
};

std::vector<std::string_view> SplitAtBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> fields;
  for (size_t from = text.find_first_not_of(kBlanks); from != std::string_view::npos;) {
    const size_t to = std::min(text.find_first_of(kBlanks, from), text.size());
    fields.push_back(text.substr(from, to - from));
    from = text.find_first_not_of(kBlanks, to);
  }
  return fields;
}

absl::StatusOr<Line> ParseLine(std::string_view text) {
  Line line = {.text = std::string(text), .entry = std::nullopt, .digest = ""};
  const std::vector<std::string_view> fields = SplitAtBlanks(text);
  if (fields.empty() || fields[0].starts_with('#')) return line;
  if (fields.size() != 4) {
    return InvalidArgument("{} fields, expected TENANT KEY-ID SHA256-HEX YYYY-MM-DD", fields.size());
  }
  if (!IsTenant(fields[0])) return InvalidArgument("tenant: expected 1 … 64 of [a-zA-Z0-9._-]");
  const auto digest = FromHex(fields[2]);
  if (!digest || digest->size() != kKeyBytes) return InvalidArgument("digest: expected 64 digits of 0-9a-f");
  if (fields[1] != fields[2].substr(0, kKeyIdDigits)) {
    return InvalidArgument("key id: expected the first {} digits of the digest", kKeyIdDigits);
  }
  if (!IsDate(fields[3])) return InvalidArgument("date: expected YYYY-MM-DD");
  line.entry = {.tenant = std::string(fields[0]), .id = std::string(fields[1]), .created = std::string(fields[3])};
  line.digest = *digest;
  return line;
}

absl::StatusOr<std::vector<Line>> ReadLines(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxKeyFileBytes));
  std::vector<Line> lines;
  std::set<std::string_view> digests;
  for (size_t from = 0; from < text.size();) {
    const size_t to = std::min(text.find('\n', from), text.size());
    auto line = ParseLine(std::string_view(text).substr(from, to - from));
    const size_t number = lines.size() + 1;
    if (!line.ok()) return WithContext(line.status(), fmt::format("{}:{}", path, number));
    lines.push_back(*std::move(line));
    from = to + 1;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].entry && !digests.insert(lines[i].digest).second) {
      return InvalidArgument("{}:{}: key {} is in the file twice", path, i + 1, lines[i].entry->id);
    }
  }
  return lines;
}

// A key file for one who changes it. Others lock it and wait; since it is replaced and not written to, whoever got the
// lock of a file that was replaced meanwhile begins anew.
class LockedFile {
 public:
  static absl::StatusOr<std::unique_ptr<LockedFile>> Open(const std::string& path, bool create) {
    while (true) {
      std::unique_ptr<LockedFile> file(new LockedFile(path));
      file->fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
      if (file->fd_ < 0) return SystemError("open", path, errno);
      while (flock(file->fd_, LOCK_EX) != 0) {
        if (errno != EINTR) return SystemError("lock", path, errno);
      }
      struct stat locked = {}, there = {};
      if (fstat(file->fd_, &locked) != 0) return SystemError("look at", path, errno);
      if (stat(path.c_str(), &there) == 0 && locked.st_dev == there.st_dev && locked.st_ino == there.st_ino) {
        return file;
      }
    }
  }
  ~LockedFile() {
    if (fd_ >= 0) close(fd_);
  }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  absl::Status Replace(const std::vector<Line>& lines) const {
    std::string text;
    for (const Line& line : lines) text += line.text + "\n";
    TUTTI_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path_, 0600));
    TUTTI_RETURN_IF_ERROR(file->CopyAttributes(fd_));
    TUTTI_RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(text))));
    return file->Commit();
  }

 private:
  explicit LockedFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  int fd_ = -1;
};

// Where a symbolic link leads: the link shall stay one.
std::string Resolved(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::canonical(path, error);
  return error ? path : resolved.string();
}

}  // namespace

absl::StatusOr<KeyStore> KeyStore::Load(const std::string& path) {
  TUTTI_ASSIGN_OR_RETURN(std::vector<Line> lines, ReadLines(path));
  KeyStore store;
  for (Line& line : lines) {
    if (!line.entry) continue;
    store.entries_.push_back(*std::move(line.entry));
    store.digests_.push_back(std::move(line.digest));
  }
  return store;
}

std::string_view KeyStore::TenantOf(std::string_view key) const {
  const std::string digest = Sha256(key);
  size_t found = 0;  // 1 + the index: no branch depends on which it is
  for (size_t i = 0; i < digests_.size(); ++i) {
    const bool same = CRYPTO_memcmp(digest.data(), digests_[i].data(), kKeyBytes) == 0;
    found |= (i + 1) * static_cast<size_t>(same);
  }
  return found == 0 ? std::string_view() : entries_[found - 1].tenant;
}

absl::StatusOr<std::string> AddKey(const std::string& path, const std::string& tenant, std::string_view date) {
  if (!IsTenant(tenant)) return InvalidArgument("tenant '{}': expected 1 … 64 of [a-zA-Z0-9._-]", tenant);
  if (!IsDate(date)) return InvalidArgument("date '{}': expected YYYY-MM-DD", date);
  const std::string file = Resolved(path);
  TUTTI_ASSIGN_OR_RETURN(const auto locked, LockedFile::Open(file, true));
  TUTTI_ASSIGN_OR_RETURN(std::vector<Line> lines, ReadLines(file));
  std::string key, digest;
  const auto id_is_taken = [&digest](const Line& line) {
    return line.entry && line.digest.substr(0, kKeyIdDigits / 2) == digest.substr(0, kKeyIdDigits / 2);
  };
  do {
    TUTTI_ASSIGN_OR_RETURN(key, RandomKey());
    digest = Sha256(key);
  } while (std::ranges::any_of(lines, id_is_taken));
  const std::string hex = Hex(digest);
  TUTTI_ASSIGN_OR_RETURN(Line line,
                         ParseLine(fmt::format("{} {} {} {}", tenant, hex.substr(0, kKeyIdDigits), hex, date)));
  lines.push_back(std::move(line));
  TUTTI_RETURN_IF_ERROR(locked->Replace(lines));
  return key;
}

absl::StatusOr<int> RevokeKeys(const std::string& path, std::string_view tenant_or_id) {
  const std::string file = Resolved(path);
  TUTTI_ASSIGN_OR_RETURN(const auto locked, LockedFile::Open(file, false));
  TUTTI_ASSIGN_OR_RETURN(std::vector<Line> lines, ReadLines(file));
  for (const auto field : {&KeyStore::Entry::tenant, &KeyStore::Entry::id}) {
    const auto revoked =
        std::erase_if(lines, [&](const Line& line) { return line.entry && (*line.entry).*field == tenant_or_id; });
    if (revoked == 0) continue;
    TUTTI_RETURN_IF_ERROR(locked->Replace(lines));
    return static_cast<int>(revoked);
  }
  return NotFound("{}: no key of a tenant '{}', and none with this id", path, tenant_or_id);
}

}  // namespace tutti

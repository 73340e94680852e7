#include "service/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace tutti {
namespace {

constexpr size_t kMaxUrl = 4096;

bool TakePrefix(std::string_view prefix, std::string_view& text) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

struct Block {
  uint32_t address;
  int bits;
};

constexpr uint32_t Ip(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast and what is above it.
constexpr Block kPrivate[] = {
    {Ip(0, 0, 0, 0), 8},      {Ip(10, 0, 0, 0), 8},     {Ip(100, 64, 0, 0), 10}, {Ip(127, 0, 0, 0), 8},
    {Ip(169, 254, 0, 0), 16}, {Ip(172, 16, 0, 0), 12},  {Ip(192, 0, 0, 0), 24},  {Ip(192, 0, 2, 0), 24},
    {Ip(192, 88, 99, 0), 24}, {Ip(192, 168, 0, 0), 16}, {Ip(198, 18, 0, 0), 15}, {Ip(198, 51, 100, 0), 24},
    {Ip(203, 0, 113, 0), 24}, {Ip(224, 0, 0, 0), 3},
};

bool IsPrivate4(uint32_t address) {
  return std::ranges::any_of(
      kPrivate, [address](const Block& block) { return (address ^ block.address) >> (32 - block.bits) == 0; });
}

uint32_t BigEndian(const unsigned char* bytes) { return Ip(bytes[0], bytes[1], bytes[2], bytes[3]); }

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (is_tls ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  if (text.size() > kMaxUrl) return InvalidArgument("the URL has more than {} bytes", kMaxUrl);
  if (std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '\\' || c == '"'; })) {
    return InvalidArgument("the URL has characters that do not belong into one");
  }
  Url url;
  if (TakePrefix("https://", text)) {
    url.is_tls = true;
  } else if (!TakePrefix("http://", text)) {
    return InvalidArgument("the URL does not begin with http:// or https://");
  }
  text = text.substr(0, text.find('#'));
  const size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  if (!text.substr(end).starts_with('/')) url.target = '/';
  url.target += text.substr(end);
  if (authority.find('@') != std::string_view::npos) return InvalidArgument("the URL has a user name in it");
  if (TakePrefix("[", authority)) {
    const size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return InvalidArgument("the URL's host has a [ without ]");
    url.host = authority.substr(0, bracket);
    std::array<unsigned char, 16> ignored;
    if (inet_pton(AF_INET6, url.host.c_str(), ignored.data()) != 1)
      return InvalidArgument("the URL's host is no address");
    authority.remove_prefix(bracket + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = InLowerCase(std::string(authority.substr(0, colon)));
    if (url.host.empty() || !std::ranges::all_of(url.host, IsHostCharacter))
      return InvalidArgument("the URL has no host");
    authority.remove_prefix(colon);
  }
  url.port = url.is_tls ? 443 : 80;
  if (!authority.empty()) {
    const char* const last = authority.data() + authority.size();
    const auto [parsed, error] = std::from_chars(authority.data() + 1, last, url.port);
    if (authority[0] != ':' || error != std::errc() || parsed != last || url.port < 1 || url.port > 65535) {
      return InvalidArgument("the URL's port is none");
    }
  }
  return url;
}

bool IsPrivateAddress(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // without a zone
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return IsPrivate4(BigEndian(bytes.data()));
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return true;
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0) return IsPrivate4(BigEndian(&bytes[12]));
  // Global unicast is 2000::/3, but for documentation (2001:db8::/32) and tunnels to IPv4 (6to4, Teredo).
  if (bytes[0] >> 5 != 1) return true;
  const uint32_t first = BigEndian(bytes.data());
  if (first == 0x20010DB8 || first == 0x20010000) return true;
  return bytes[0] == 0x20 && bytes[1] == 0x02 && IsPrivate4(BigEndian(&bytes[2]));
}

}  // namespace tutti

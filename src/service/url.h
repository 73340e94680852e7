#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tutti {

// An http or https URL (RFC 3986) that somebody else chose.
struct Url {
  bool is_tls = false;
  std::string host;  // lower case; an IPv6 address without its brackets
  int port = 0;
  std::string target;  // path and query, "/" at least

  // "host" or, where it is not the scheme's, "host:port": for the Host header.
  std::string authority() const;
};

// InvalidArgument for anything but http and https, for a user or password in it, and for characters that do not belong
// into a URL. The fragment is dropped.
absl::StatusOr<Url> ParseUrl(std::string_view text);

// An address that only machines near us can reach, or none at all: loopback, private, link-local, multicast, shared,
// reserved (RFC 6890), also within IPv4-mapped IPv6. `address` is text, as an IP address is written.
bool IsPrivateAddress(std::string_view address);

}  // namespace tutti

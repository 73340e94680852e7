#pragma once

#include <string>
#include <string_view>

#include "server/handlers.h"

namespace tutti {

struct Route {
  std::string_view method;   // GET answers HEAD, too
  std::string_view pattern;  // a path, or a beginning of paths when it ends in *
  Handler handler;
  bool is_open = false;  // needs no API key
};

// Null when there is none: `allowed` has the methods that the path knows, as the Allow header lists them.
const Route* FindRoute(std::string_view method, std::string_view path, std::string& allowed);

}  // namespace tutti

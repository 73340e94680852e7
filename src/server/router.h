#pragma once

#include <string_view>

#include "server/handlers.h"

namespace tutti {

struct Route {
  std::string_view method;   // GET answers HEAD, too
  std::string_view pattern;  // a path, or a beginning of paths when it ends in *
  Handler handler;
  bool is_open = false;        // needs no API key
  bool takes_sockets = false;  // a WebSocket, too, which does need one
};

// Null when there is none: `path_known` tells whether there is one with another method.
const Route* FindRoute(std::string_view method, std::string_view path, bool& path_known);

}  // namespace tutti

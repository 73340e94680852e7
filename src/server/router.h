#pragma once

#include <string>
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

// Null when there is none; `allowed` lists the methods for which there is one then, as the header Allow has them.
const Route* FindRoute(std::string_view method, std::string_view path, std::string& allowed);

}  // namespace tutti

#pragma once

#include <memory>

#include "server/service.h"

namespace tutti {

// Serves a connection until one side has enough: request after request, or a WebSocket. Never fails; what goes wrong
// is answered or logged.
Awaitable<void> ServeConnection(Service& service, std::unique_ptr<Transport> transport);

}  // namespace tutti

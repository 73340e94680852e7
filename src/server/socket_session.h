#pragma once

#include "server/service.h"
#include "server/web_socket.h"

namespace tutti {

// Speaks FunASR's WebSocket protocol (spec §17.1, §17.2) on an accepted socket until the client closes it.
//
// offline: the bytes of one recording, then one answer. online and 2pass: 16-bit PCM, answered while it comes in: a
// sentence when the VAD ends it, before that what has become certain of it. The open sentence is recognised again each
// time it has doubled in length, which costs at most twice its length in work, besides the last time.
//
// What a client does wrong is answered by an error frame, and the connection goes on.
Awaitable<void> ServeSocket(Service& service, WebSocket& socket, RequestContext& context);

}  // namespace tutti

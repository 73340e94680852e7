#pragma once

#include <memory>
#include <string>

#include "server/service.h"
#include "service/fields.h"

namespace tutti {

// A request's audio and what it says beside.
struct Upload {
  std::shared_ptr<SpoolFile> file;  // null: there was none
  std::string name;                 // as the client calls it
  Fields fields;
};

// Takes in a body of any kind that the service knows: multipart/form-data, whose file may be called `file` or `audio`;
// application/json, whose `url` may name the recording; or the audio itself, with fields in the query. Nothing of the
// file is kept in memory.
//
// Refuses before the body is read: OutOfRange for one that is too large, ResourceExhausted with too many uploads at
// once or a full spool.
Awaitable<absl::StatusOr<Upload>> ReceiveUpload(Service& service, HttpExchange& exchange);

}  // namespace tutti

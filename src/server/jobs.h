#pragma once

#include "base/status.h"
#include "server/service.h"

namespace tutti {

// Opens the database of options.files.jobs and goes on with what is in it; service.models and service.spool must be
// there. Does nothing when jobs are off.
absl::Status StartJobs(Service& service);

}  // namespace tutti

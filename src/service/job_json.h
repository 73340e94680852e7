#pragma once

#include <string>
#include <vector>

#include "service/job_store.h"

namespace tutti {

// A job as the API shows it:
//   {"id", "state", "progress", "file", "attempts", "created_ms", "started_ms", "finished_ms", "result", "error"}
// Times are null when not yet; result is the transcript of a done job, else null; error {"code", "message"} of a failed
// one, else null. Job::result must be JSON: it is taken over as it is.
std::string JobJson(const Job& job);

// {"jobs": [...], "next_before": ms or null}, the jobs without result. `limit` as it was given to JobStore::List: fewer
// jobs are the last page.
std::string JobListJson(const std::vector<Job>& jobs, int limit);

}  // namespace tutti

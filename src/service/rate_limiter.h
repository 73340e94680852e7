#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "base/mutex.h"

namespace tutti {

// A token bucket a tenant: `per_minute` requests on average, `burst` at once. Buckets that are full again are
// forgotten within a minute, so that memory is bounded by the tenants that spent something since.
//
// Thread-safe: any number of threads may call any method at the same time.
class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // 0 per minute: no limit. A burst below 1 counts as 1.
  RateLimiter(double per_minute, double burst);

  // Takes a token. Without one, how long until there is one: the client's Retry-After.
  std::optional<std::chrono::duration<double>> Take(const std::string& tenant, Time now) TUTTI_EXCLUDES(mu_);

  // From now on; what tenants have spent stays spent.
  void SetRate(double per_minute, double burst) TUTTI_EXCLUDES(mu_);

  size_t size() const TUTTI_EXCLUDES(mu_);  // buckets that are remembered

 private:
  struct Bucket {
    double tokens = 0;
    Time filled;
  };

  double Tokens(const Bucket& bucket, Time now) const TUTTI_REQUIRES(mu_);

  mutable Mutex mu_;
  double per_second_ TUTTI_GUARDED_BY(mu_), burst_ TUTTI_GUARDED_BY(mu_);
  std::map<std::string, Bucket> buckets_ TUTTI_GUARDED_BY(mu_);
  Time swept_ TUTTI_GUARDED_BY(mu_);
};

}  // namespace tutti

#include "service/rate_limiter.h"

#include <algorithm>
#include <iterator>

namespace tutti {
namespace {

constexpr std::chrono::minutes kSweepInterval{1};

}  // namespace

RateLimiter::RateLimiter(double per_minute, double burst)
    : per_second_(per_minute / 60), burst_(std::max(burst, 1.0)) {}

std::optional<std::chrono::duration<double>> RateLimiter::Take(const std::string& tenant, Time now) {
  MutexLock lock(mu_);
  if (per_second_ <= 0) return std::nullopt;
  if (now - swept_ >= kSweepInterval) {
    for (auto bucket = buckets_.begin(); bucket != buckets_.end();) {
      bucket = Tokens(bucket->second, now) >= burst_ ? buckets_.erase(bucket) : std::next(bucket);
    }
    swept_ = now;
  }
  Bucket& bucket = buckets_.try_emplace(tenant, Bucket{.tokens = burst_, .filled = now}).first->second;
  bucket.tokens = Tokens(bucket, now);
  bucket.filled = std::max(bucket.filled, now);
  if (bucket.tokens < 1) return std::chrono::duration<double>((1 - bucket.tokens) / per_second_);
  bucket.tokens -= 1;
  return std::nullopt;
}

// Two callers may come with their times in the wrong order: time does not run backwards here.
double RateLimiter::Tokens(const Bucket& bucket, Time now) const {
  const double elapsed = std::max(0.0, std::chrono::duration<double>(now - bucket.filled).count());
  return std::min(burst_, bucket.tokens + elapsed * per_second_);
}

void RateLimiter::SetRate(double per_minute, double burst) {
  MutexLock lock(mu_);
  per_second_ = per_minute / 60;
  burst_ = std::max(burst, 1.0);
}

size_t RateLimiter::size() const {
  MutexLock lock(mu_);
  return buckets_.size();
}

}  // namespace tutti

#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"

namespace tutti {

// How long the recordings of a benchmark are, in seconds.
class LengthMix {
 public:
  // "fixed:S", "uniform:A:B", "aishell" (read sentences: lognormal, median 4.5 s, 1.2 to 15 s) or "meeting" (1 to 30 s,
  // each as likely). InvalidArgument names what is wrong; lengths lie between 0.1 and 3600 s.
  static absl::StatusOr<LengthMix> Parse(std::string_view text);
  static LengthMix Fixed(double seconds) { return LengthMix(Kind::kUniform, seconds, seconds); }

  // Lengths until they reach `total` seconds, one at least. The same every time; a mix of one length gives no more than
  // `total` where `total` holds one.
  std::vector<double> Draw(double total) const;

 private:
  enum class Kind { kUniform, kLognormal };
  LengthMix(Kind kind, double low, double high) : kind_(kind), low_(low), high_(high) {}

  Kind kind_;
  double low_;
  double high_;
};

}  // namespace tutti

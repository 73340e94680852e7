#include "cli/bench_lengths.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <random>

namespace tutti {
namespace {

constexpr double kShortest = 0.1, kLongest = 3600;

std::optional<double> Seconds(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= kShortest && value <= kLongest)) return std::nullopt;
  return value;
}

}  // namespace

absl::StatusOr<LengthMix> LengthMix::Parse(std::string_view text) {
  if (text == "aishell") return LengthMix(Kind::kLognormal, 1.2, 15);
  if (text == "meeting") return LengthMix(Kind::kUniform, 1, 30);
  const auto wrong = [&] {
    return InvalidArgument("lengths: \"{}\", expected fixed:S, uniform:A:B (seconds, {} to {}), aishell or meeting",
                           text, kShortest, kLongest);
  };
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return wrong();
  const std::string_view kind = text.substr(0, colon), rest = text.substr(colon + 1);
  if (kind == "fixed") {
    const auto seconds = Seconds(rest);
    return seconds ? absl::StatusOr<LengthMix>(Fixed(*seconds)) : wrong();
  }
  const size_t second = rest.find(':');
  if (kind != "uniform" || second == std::string_view::npos) return wrong();
  const auto low = Seconds(rest.substr(0, second)), high = Seconds(rest.substr(second + 1));
  if (!low || !high || *low > *high) return wrong();
  return LengthMix(Kind::kUniform, *low, *high);
}

std::vector<double> LengthMix::Draw(double total) const {
  constexpr double kMedian = 4.5, kSpread = 0.35;
  std::mt19937 random(1);  // NOLINT: the same every time
  // The library's distributions differ from one standard library to the next.
  const auto unit = [&random] { return (static_cast<double>(random()) + 0.5) / 4294967296.0; };
  std::vector<double> lengths;
  if (low_ == high_) {
    lengths.assign(static_cast<size_t>(std::max(1.0, total / low_)), low_);
    return lengths;
  }
  for (double sum = 0; sum < total; sum += lengths.back()) {
    if (kind_ == Kind::kUniform) {
      lengths.push_back(low_ + (high_ - low_) * unit());
    } else {
      const double normal = std::sqrt(-2 * std::log(unit())) * std::cos(2 * std::numbers::pi * unit());
      lengths.push_back(std::clamp(kMedian * std::exp(kSpread * normal), low_, high_));
    }
  }
  return lengths;
}

}  // namespace tutti

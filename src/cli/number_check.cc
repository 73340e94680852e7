#include "cli/number_check.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>

namespace tutti {
namespace {

CLI::Validator NumberThat(std::function<bool(double)> fits, std::string expected) {
  return {[fits = std::move(fits), expected = std::move(expected)](const std::string& text) -> std::string {
            double number = 0;
            if (CLI::detail::lexical_cast(text, number) && std::isfinite(number) && fits(number)) return "";
            return fmt::format("{}: expected a number {}", text, expected);
          },
          ""};
}

}  // namespace

CLI::Validator NumberAbove(double low) {
  return NumberThat([low](double number) { return number > low; }, fmt::format("above {}", low));
}

CLI::Validator NumberBetween(double least, double most) {
  return NumberThat([least, most](double number) { return number >= least && number <= most; },
                    fmt::format("from {} to {}", least, most));
}

}  // namespace tutti

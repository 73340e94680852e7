#include <charconv>
#include <cmath>
#include <optional>

#include "checkpoint/model_package.h"
#include "checkpoint/printable.h"
#include "checkpoint/text_lines.h"

namespace tutti {
namespace {

// A section is a line `<AddShift> 560 560` and the line after it, `<LearnRateCoef> 0 [ v_0 … v_559 ]`. Blocks of other
// sections look alike (`<Splice>` has one, `[ 0 ]`), so they are told apart by name, not by order.
struct Section {
  std::string_view name;
  std::vector<float>* values;
  bool found = false;
};

std::optional<float> ParseValue(std::string_view text) {
  double value = 0;  // then rounded, as the reference does
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const auto rounded = static_cast<float>(value);
  return std::isfinite(rounded) ? std::optional(rounded) : std::nullopt;
}

absl::Status ParseValues(std::string_view line, std::string_view name, std::string_view declared,
                         std::vector<float>& values) {
  const auto fields = Fields(line);
  if (fields.size() < 4 || fields[0] != "<LearnRateCoef>" || fields[2] != "[" || fields.back() != "]") {
    return InvalidArgument("found {}, expected `<LearnRateCoef> 0 [ … ]` after {}", Printable(line), name);
  }
  for (size_t i = 3; i + 1 < fields.size(); ++i) {
    const auto value = ParseValue(fields[i]);
    if (!value) return InvalidArgument("field {}: found {}, expected a number", i + 1, Printable(fields[i]));
    values.push_back(*value);
  }
  if (declared != fmt::format("{}", values.size())) {
    return InvalidArgument("{} has {} values, expected {}", name, values.size(), Printable(declared));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Cmvn> ParseCmvn(std::string_view text, std::string_view source_name) {
  Cmvn cmvn;
  Section sections[] = {{"<AddShift>", &cmvn.shift}, {"<Rescale>", &cmvn.scale}};
  const auto lines = Lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto fields = Fields(lines[i]);
    for (Section& section : sections) {
      if (fields.empty() || fields[0] != section.name) continue;
      if (section.found) return InvalidArgument("{}: line {}: a second {}", source_name, i + 1, section.name);
      section.found = true;
      const std::string_view next = i + 1 < lines.size() ? lines[i + 1] : std::string_view();
      const std::string_view declared = fields.size() > 1 ? fields[1] : std::string_view();
      const absl::Status status = ParseValues(next, section.name, declared, *section.values);
      if (!status.ok()) return WithContext(status, fmt::format("{}: line {}", source_name, i + 2));
    }
  }
  for (const Section& section : sections) {
    if (!section.found) return InvalidArgument("{}: no {} in {} lines", source_name, section.name, lines.size());
  }
  if (cmvn.shift.size() != cmvn.scale.size() || cmvn.shift.empty()) {
    return InvalidArgument("{}: {} shifts and {} scales, expected as many of both", source_name, cmvn.shift.size(),
                           cmvn.scale.size());
  }
  return cmvn;
}

}  // namespace tutti

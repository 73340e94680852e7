#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tutti {

// What a request says besides its audio: form fields, query parameters or the members of a JSON object, in order, the
// same name any number of times. Getters remember which names were asked for, so that what nobody knows can be refused.
//
// Errors are FieldErrors. Not thread-safe.
class Fields {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;  // of all names and values

  // OutOfRange beyond kMaxBytes.
  absl::Status Add(std::string name, std::string value);
  // "a=1&b=2", percent-encoded.
  absl::Status AddQuery(std::string_view query);
  // An object of strings, numbers, booleans and arrays of these.
  absl::Status AddJson(std::string_view text);

  // An object that AddJson reads as the same fields; a name with several values has an array.
  std::string Json() const;

  // The last value; empty when there is none.
  std::string Text(std::string_view name, std::string_view otherwise = "") const;
  std::vector<std::string> All(std::string_view name) const;
  absl::StatusOr<bool> Bool(std::string_view name, bool otherwise) const;
  absl::StatusOr<int64_t> Integer(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const;
  absl::StatusOr<double> Number(std::string_view name, double otherwise, double least, double most) const;
  // One of `allowed`, of which the first is the default.
  absl::StatusOr<std::string> Choice(std::string_view name, const std::vector<std::string>& allowed) const;
  bool Has(std::string_view name) const;

  // FieldError about a field that no getter was asked for, or that is there twice although one value was asked for: of
  // two values, one in the query and one in the form, the sender cannot mean both.
  absl::Status RefuseUnknown() const;

 private:
  const std::string* Find(std::string_view name) const;

  struct Field {
    std::string name, value;
    mutable bool known = false, single = false;
  };
  std::vector<Field> fields_;
  size_t bytes_ = 0;
};

}  // namespace tutti

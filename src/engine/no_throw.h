#pragma once

#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace tutti {

// Calls `work`, which returns a Status or StatusOr; what a library throws becomes a status that names the input.
template <typename Work>
auto NoThrow(std::string_view name, Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("{}: out of memory", name);
  } catch (const std::exception& e) {
    return absl::InternalError(fmt::format("{}: {}", name, e.what()));
  }
}

}  // namespace tutti

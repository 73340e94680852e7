#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "checkpoint/tensor_table.h"

namespace tutti {

// Reads every element of every tensor, so that ASan sees a view that leaves its bytes.
inline void Touch(const Checkpoint& checkpoint) {
  constexpr int64_t kEnough = 1 << 20;  // tensors may share storages, so there may be more than the file has
  int64_t left = kEnough;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const int64_t bytes = view.bytes();
    left -= bytes;
    if (left < 0) return;
    volatile uint8_t sink = 0;
    for (int64_t i = 0; view.parts.empty() && i < bytes; ++i) {
      sink = static_cast<uint8_t>(sink ^ static_cast<uint8_t>(view.data[i]));
    }
    checkpoint.Borrow(view);
    checkpoint.Floats(name, view.shape).IgnoreError();
  }
}

inline void Touch(absl::StatusOr<TensorTable> table) {
  if (table.ok()) Touch(Checkpoint("fuzz", std::move(table->tensors), std::move(table->copies)));
}

}  // namespace tutti

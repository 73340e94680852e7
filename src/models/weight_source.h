#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "checkpoint/tensor.h"
#include "nn/weight_arena.h"
#include "nn/weight_matrix.h"

namespace tutti {

// The f32 elements of one weight: owned, or a view that lives as long as its source.
class Weight {
 public:
  explicit Weight(std::vector<float> owned) : owned_(std::move(owned)), data_(owned_.data()), size_(owned_.size()) {}
  // `lease` lives as long as the weight; null for none.
  explicit Weight(std::span<const float> view, std::shared_ptr<const void> lease = nullptr)
      : lease_(std::move(lease)), data_(view.data()), size_(view.size()) {}
  Weight(Weight&&) = default;  // a moved vector keeps its buffer
  Weight(const Weight&) = delete;
  Weight& operator=(const Weight&) = delete;

  const float* data() const { return data_; }
  size_t size() const { return size_; }
  std::vector<float> Copy() const { return {data_, data_ + size_}; }

 private:
  std::vector<float> owned_;
  std::shared_ptr<const void> lease_;
  const float* data_;
  size_t size_;
};

// A matrix as its source stores it, and what keeps its f32 elements or scales alive where that is not the source.
struct StoredMatrix {
  Weight owner;
  WeightMatrix view;
};

// Where a network takes its weights from as it loads: a model package, or a generator (models/synthetic.h) that lets a
// network of any size be made without a file.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Where what is loaded from here keeps its packed weights.
  WeightArena& arena() const { return *arena_; }

  virtual bool Has(std::string_view name) const = 0;

  // InvalidArgument or NotFound names the source, the tensor, the shape found and the one expected.
  virtual absl::StatusOr<Weight> Get(std::string_view name, std::span<const int64_t> shape) const = 0;
  absl::StatusOr<Weight> Get(std::string_view name, std::initializer_list<int64_t> shape) const {
    return Get(name, std::span<const int64_t>(shape.begin(), shape.size()));
  }

  // The same for the matrix [out, in] of a linear layer, in the type that the source has it in: one that holds int8
  // need not make f32 of it first.
  virtual absl::StatusOr<StoredMatrix> GetMatrix(std::string_view name, int64_t out, int64_t in) const;

 private:
  const std::unique_ptr<WeightArena> arena_ = std::make_unique<WeightArena>();
};

// A checkpoint's tensors; f32 ones, and the matrices that `tutti models convert` wrote, are handed out as the file maps
// them. The pages of all but int8 matrices are let go when they have been read.
class CheckpointWeights final : public WeightSource {
 public:
  explicit CheckpointWeights(std::shared_ptr<const Checkpoint> checkpoint) : checkpoint_(std::move(checkpoint)) {}

  using WeightSource::Get;
  bool Has(std::string_view name) const override { return checkpoint_->Has(name); }
  absl::StatusOr<Weight> Get(std::string_view name, std::span<const int64_t> shape) const override;
  absl::StatusOr<StoredMatrix> GetMatrix(std::string_view name, int64_t out, int64_t in) const override;

 private:
  const std::shared_ptr<const Checkpoint> checkpoint_;
};

}  // namespace tutti

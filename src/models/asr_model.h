#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/model_package.h"
#include "frontend/feature_extractor.h"
#include "models/decoding.h"
#include "models/hypothesis.h"
#include "models/sanm_encoder.h"
#include "models/weight_source.h"
#include "nn/ragged_batch.h"
#include "nn/workspace.h"
#include "tutti/compute_type.h"

namespace tutti {

struct SegmentText {
  std::string text;
  std::vector<TextUnit> units;
  int64_t start_ms = -1;  // from the segment's start; -1: all of the segment
  int64_t end_ms = -1;
};

// A recogniser network over ragged batches. Immutable after Load; safe from any thread (each with its own Workspace)
// and after fork. A segment's result is a function of its own rows alone, bit for bit.
class AsrModel {
 public:
  // Chooses the family by the package's model type. Unimplemented lists the families there are. kAuto is the type that
  // the package was converted to, where the CPU has it.
  static absl::StatusOr<std::shared_ptr<const AsrModel>> Load(const ModelPackage& package,
                                                              ComputeType compute_type = ComputeType::kF32);
  // The same with weights from `source` in place of the package's own.
  static absl::StatusOr<std::shared_ptr<const AsrModel>> Load(const ModelPackage& package, const WeightSource& source,
                                                              ComputeType compute_type);
  virtual ~AsrModel() = default;

  virtual const FeatureExtractor* frontend() const = 0;
  virtual std::string_view family() const = 0;                         // "paraformer"
  virtual ComputeType compute_type() const = 0;                        // in use; never kAuto
  virtual const SanmEncoder* sanm_encoder() const { return nullptr; }  // null: a family without one

  // Features as the frontend makes them, one segment or many, which are only read. hypotheses.size() ==
  // features.segments(). A segment without rows gets an empty hypothesis.
  virtual void Recognise(const ScatteredBatch& features, Workspace& workspace,
                         std::span<Hypothesis> hypotheses) const = 0;

  // What a worker recognises with; the model outlives it. Unless a family has its own, all of what is admitted runs
  // through Recognise at once.
  virtual std::unique_ptr<Decoding> NewDecoding() const;

  // Longer stretches of speech are cut; shorter ones are joined, without the silence between them, up to join_ms in
  // all. `options` are such as Check takes.
  virtual int64_t max_segment_ms(const SearchOptions& /*options*/) const { return std::numeric_limits<int64_t>::max(); }
  virtual int64_t join_ms(const SearchOptions& /*options*/) const { return 0; }
  // How many times the budget of a batch a worker's decoding has in hand. More than once where each token reads all
  // weights again, which costs the same for one segment and for many.
  virtual double batch_factor() const { return 1; }
  // What a segment of so many rows counts as in a batch: more where it is filled up before the network sees it.
  virtual int64_t batch_rows(int64_t rows, const SearchOptions& /*options*/) const { return rows; }

  // Whether it takes options of search at all.
  virtual bool takes_search_options() const { return false; }
  // As in Recognizer.
  virtual std::vector<std::string> languages() const { return {}; }
  virtual bool translates() const { return false; }
  // InvalidArgument for options that the model cannot serve, and says which it can.
  virtual absl::Status Check(const SearchOptions& options) const;

  virtual SegmentText Text(const Hypothesis& hypothesis) const = 0;
  // The same in the hypothesis's parts, one text for each; without parts, in one.
  virtual std::vector<SegmentText> Texts(const Hypothesis& hypothesis) const { return {Text(hypothesis)}; }
};

}  // namespace tutti

#include "models/asr_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "models/paraformer.h"
#include "models/sense_voice.h"
#include "models/whisper.h"

namespace tutti {
namespace {

using Loaded = absl::StatusOr<std::shared_ptr<const AsrModel>>;

struct Family {
  std::string_view type;  // config's `model`
  Loaded (*load)(const ModelPackage& package, const WeightSource& source, ComputeType compute_type);
};

template <typename Model>
Loaded LoadAs(const ModelPackage& package, const WeightSource& source, ComputeType compute_type) {
  return Model::Load(package, source, compute_type);
}

constexpr std::array kFamilies = {Family{"Paraformer", &LoadAs<Paraformer>},
                                  Family{"SenseVoiceSmall", &LoadAs<SenseVoice>}, Family{"Whisper", &LoadAs<Whisper>}};

// One batch at a time, all of it at once.
class BatchDecoding final : public Decoding {
 public:
  explicit BatchDecoding(const AsrModel& model) : model_(model) {}

  void Admit(std::span<const Utterance> utterances, Workspace& workspace) override {
    offsets_.assign(1, 0);
    starts_.clear();
    for (const Utterance& utterance : utterances) {
      offsets_.push_back(offsets_.back() + utterance.rows);
      starts_.push_back(utterance.features);
    }
    hypotheses_.assign(utterances.size(), {});
    model_.Recognise({starts_, model_.frontend()->width(), offsets_}, workspace, hypotheses_);
    for (size_t i = 0; i < utterances.size(); ++i) {
      finished_.push_back({utterances[i].id, std::move(hypotheses_[i])});
    }
  }

  void Step(Workspace&, std::vector<Finished>& finished) override {
    std::ranges::move(finished_, std::back_inserter(finished));
    finished_.clear();
  }

  void Remove(int64_t id) override {
    std::erase_if(finished_, [id](const Finished& one) { return one.id == id; });
  }
  void Clear() override { finished_.clear(); }
  bool empty() const override { return finished_.empty(); }

 private:
  const AsrModel& model_;
  std::vector<int64_t> offsets_;
  std::vector<const float*> starts_;
  std::vector<Hypothesis> hypotheses_;
  std::vector<Finished> finished_;
};

}  // namespace

std::unique_ptr<Decoding> AsrModel::NewDecoding() const { return std::make_unique<BatchDecoding>(*this); }

absl::Status AsrModel::Check(const SearchOptions& options) const {
  if (options == SearchOptions{}) return absl::OkStatus();
  return InvalidArgument("a {} model takes neither language nor task, nor any other option of decoding", family());
}

absl::StatusOr<std::shared_ptr<const AsrModel>> AsrModel::Load(const ModelPackage& package, ComputeType compute_type) {
  return Load(package, CheckpointWeights(package.weights), compute_type);
}

absl::StatusOr<std::shared_ptr<const AsrModel>> AsrModel::Load(const ModelPackage& package, const WeightSource& source,
                                                               ComputeType compute_type) {
  const ComputeType stored = package.stored_type;
  if (compute_type == ComputeType::kAuto && stored != ComputeType::kF32 && ResolveComputeType(stored) == stored) {
    compute_type = stored;
  }
  std::string known;
  for (const Family& family : kFamilies) {
    if (package.model_type == family.type) return family.load(package, source, compute_type);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.type);
  }
  return Unimplemented("{}: model type {} is not a recognition model tutti can run; there is {}", package.directory,
                       package.model_type.empty() ? "(none)" : package.model_type, known);
}

}  // namespace tutti

#include "models/asr_model.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "models/paraformer.h"
#include "models/sense_voice.h"

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
                                  Family{"SenseVoiceSmall", &LoadAs<SenseVoice>}};

}  // namespace

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

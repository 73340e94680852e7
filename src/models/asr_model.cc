#include "models/asr_model.h"

#include "models/paraformer.h"

namespace tutti {

absl::StatusOr<std::shared_ptr<const AsrModel>> AsrModel::Load(const ModelPackage& package, ComputeType compute_type) {
  if (package.model_type == "Paraformer") return Paraformer::Load(package, compute_type);
  return Unimplemented("{}: model type {} is not a recognition model tutti can run; there is Paraformer",
                       package.directory, package.model_type.empty() ? "(none)" : package.model_type);
}

}  // namespace tutti

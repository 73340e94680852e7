#include "tutti/recognizer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/cpu_affinity.h"
#include "base/status.h"
#include "checkpoint/model_package.h"
#include "engine/no_throw.h"
#include "engine/recognizer_impl.h"

namespace tutti {
namespace {

// Cores this process may run on.
int Cores() {
  const auto allowed = AllowedCpus();
  return allowed.ok() ? static_cast<int>(allowed->size()) : 1;
}

// Threads that help a worker which works alone, beside it: no more than there are cores, or they would wait for each
// other. Pinned workers keep to their CPUs, which leaves none to a helper of all of them.
int Helpers(const RecognizerOptions& options) {
  if (options.latency) return options.threads - 1;
  return options.pin_threads ? 0 : std::min(options.threads, Cores()) - 1;
}

absl::Status CheckOptions(const RecognizerOptions& options) {
  const auto positive = [](std::string_view name, double value) {
    if (value > 0 && std::isfinite(value)) return absl::OkStatus();
    return InvalidArgument("{}: {}, expected > 0", name, value);
  };
  constexpr int kMaxThreads = 1024;
  for (const auto& [name, value] :
       {std::pair("threads", options.threads), {"decode_threads", options.decode_threads}}) {
    if (value < 0 || value > kMaxThreads) {
      return InvalidArgument("{}: {}, expected 0 … {}", name, value, kMaxThreads);
    }
  }
  TUTTI_RETURN_IF_ERROR(positive("batch_seconds", options.batch_seconds));
  TUTTI_RETURN_IF_ERROR(positive("queue_seconds", options.queue_seconds));
  TUTTI_RETURN_IF_ERROR(positive("queue_bytes", static_cast<double>(options.queue_bytes)));
  return positive("max_pending", static_cast<double>(options.max_pending));
}

// "models/demo-paraformer/" → "demo-paraformer".
std::string LastComponent(const std::string& directory) {
  const std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  return path.has_filename() ? path.filename() : path.parent_path().filename();
}

}  // namespace

absl::StatusOr<RecognizerParts> LoadParts(const RecognizerOptions& options) {
  if (options.model.empty() && options.vad.empty()) {
    return InvalidArgument("recogniser: neither a recognition model nor a VAD model is given");
  }
  TUTTI_RETURN_IF_ERROR(CheckOptions(options));
  RecognizerParts parts;
  if (!options.model.empty()) {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.model));
    TUTTI_ASSIGN_OR_RETURN(parts.asr, AsrModel::Load(package, options.compute_type));
    parts.model_name = LastComponent(options.model);
  }
  if (!options.vad.empty()) {
    TUTTI_ASSIGN_OR_RETURN(const ModelPackage package, ModelPackage::Open(options.vad));
    TUTTI_ASSIGN_OR_RETURN(parts.vad, FsmnVad::Load(package));
  }
  return parts;
}

absl::StatusOr<std::unique_ptr<Recognizer>> Recognizer::Create(const RecognizerOptions& options) {
  return NoThrow("recogniser", [&options]() -> absl::StatusOr<std::unique_ptr<Recognizer>> {
    TUTTI_ASSIGN_OR_RETURN(RecognizerParts parts, LoadParts(options));
    return CreateRecognizer(options, std::move(parts));
  });
}

absl::StatusOr<std::unique_ptr<Recognizer>> CreateRecognizer(const RecognizerOptions& options, RecognizerParts parts) {
  TUTTI_RETURN_IF_ERROR(CheckOptions(options));
  RecognizerOptions resolved = options;
  if (resolved.threads == 0) resolved.threads = Cores();
  // Each holds a recording it is at: more than there are cores would hold more and be no faster.
  if (resolved.decode_threads == 0) resolved.decode_threads = std::min(resolved.threads, Cores());
  auto recognizer = std::make_unique<RecognizerImpl>(resolved, Helpers(resolved), std::move(parts));
  TUTTI_RETURN_IF_ERROR(recognizer->Start());
  return recognizer;
}

}  // namespace tutti

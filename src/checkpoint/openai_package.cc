#include "checkpoint/openai_package.h"

#include <utility>

#include "checkpoint/whisper_config.h"
#include "checkpoint/whisper_names.h"
#include "checkpoint/whisper_tokenizer.h"

namespace tutti {
namespace {

absl::StatusOr<int64_t> Dimension(const Checkpoint& weights, const Config& config, const std::string& key) {
  constexpr int64_t kMost = 1 << 20;
  if (const auto found = weights.dims().find(key); found != weights.dims().end()) return found->second;
  const std::string path = "dims." + key;
  if (config.Has(path)) return config.GetIntBetween(path, 0, 1, kMost);
  return InvalidArgument(
      "{}: {}: missing; expected OpenAI's checkpoint with its dims, or FunASR's config.yaml with them", weights.path(),
      path);
}

}  // namespace

absl::StatusOr<ModelPackage> OpenOpenAiPackage(const std::string& directory, const std::string& weights,
                                               const Config& config) {
  ModelPackage package;
  package.directory = directory;
  package.format = "OpenAI";
  TUTTI_ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> file, Checkpoint::Open(weights));
  TUTTI_ASSIGN_OR_RETURN(package.weights, RenameWhisper(WhisperNames::kOpenAi, file));
  WhisperConfig whisper;
  TUTTI_ASSIGN_OR_RETURN(whisper.encoder_heads, Dimension(*file, config, "n_audio_head"));
  TUTTI_ASSIGN_OR_RETURN(whisper.decoder_heads, Dimension(*file, config, "n_text_head"));
  TUTTI_ASSIGN_OR_RETURN(WhisperTokenizer tokenizer, ReadWhisperTokenizer(directory, *package.weights));
  TakeTokenizer(std::move(tokenizer), package);
  TUTTI_RETURN_IF_ERROR(ConfigureWhisper(std::move(whisper), weights, package));
  return package;
}

}  // namespace tutti

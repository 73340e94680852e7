// Whisper checkpoints in Hugging Face's and OpenAI's names: whatever tensors a file has, they are refused or joined
// within it. The first byte chooses the names, the rest is a file of any format.
#include <memory>

#include "checkpoint/whisper_names.h"
#include "touch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto names = data[0] == 'O' ? tutti::WhisperNames::kOpenAi : tutti::WhisperNames::kHuggingFace;
  const auto bytes = std::make_shared<const std::vector<std::byte>>(reinterpret_cast<const std::byte*>(data) + 1,
                                                                    reinterpret_cast<const std::byte*>(data) + size);
  const auto file = tutti::Checkpoint::Parse("fuzz", *bytes, bytes);
  if (!file.ok()) return 0;
  const auto renamed = tutti::RenameWhisper(names, *file);
  if (renamed.ok()) tutti::Touch(**renamed);
  return 0;
}

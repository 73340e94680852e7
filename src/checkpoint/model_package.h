#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/byte_bpe.h"
#include "checkpoint/config.h"
#include "checkpoint/tensor.h"
#include "tutti/compute_type.h"

namespace tutti {

// Mean shift and scale per feature: y = (x + shift) · scale (spec §2.3). Both empty when the model has no CMVN.
struct Cmvn {
  std::vector<float> shift;
  std::vector<float> scale;
};

// Parses a Kaldi am.mvn text. `source_name` is for errors.
absl::StatusOr<Cmvn> ParseCmvn(std::string_view text, std::string_view source_name);

// id → token. tokens.json: an array of strings; tokens.txt: one a line.
absl::StatusOr<std::vector<std::string>> ParseTokensJson(std::string_view text, std::string_view source_name);
std::vector<std::string> ParseTokensText(std::string_view text);

// word → pieces, `word piece piece …` a line.
using SegDict = std::map<std::string, std::vector<std::string>, std::less<>>;
SegDict ParseSegDict(std::string_view text);

// A FunASR/ModelScope model directory as downloaded (spec §13.1): configuration.json's file_path_metas, or detection
// by file name, merged over config.yaml. Or a Whisper directory of CTranslate2 (checkpoint/ctranslate2_package.h),
// Hugging Face (checkpoint/huggingface_package.h) or OpenAI (checkpoint/openai_package.h), whose weights may also be
// named themselves. Or a GGUF file that holds all of a model (checkpoint/gguf_package.h). Small files are parsed at
// once, weights are mapped.
//
// Immutable, safe from any thread.
struct ModelPackage {
  // NotFound when the directory or a file it names is missing, InvalidArgument when one is malformed.
  static absl::StatusOr<ModelPackage> Open(const std::string& path);

  std::string directory;  // or the file
  Config config;
  std::string model_type;  // config's `model`: "Paraformer", "FsmnVADStreaming", "Whisper", …
  std::string format;      // whose files these are: "FunASR", "CTranslate2", "Hugging Face", "OpenAI" or "GGUF"
  std::shared_ptr<const Checkpoint> weights;
  // What the large matrices were converted to; kF32 unless `tutti models convert` wrote the file. Never kAuto.
  ComputeType stored_type = ComputeType::kF32;
  Cmvn cmvn;                        // empty: none configured
  std::vector<std::string> tokens;  // empty: none (VAD)
  SegDict seg_dict;                 // empty: none
  BpeTables bpe;                    // no merges: the tokenizer is another
  std::string tokenizer_source;     // the files that tokens and merges are from, where they are a byte-level BPE's
};

}  // namespace tutti

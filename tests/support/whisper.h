#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/tensor.h"
#include "models/whisper_batch.h"
#include "models/whisper_decoder.h"
#include "models/whisper_encoder.h"
#include "models/whisper_search.h"
#include "tests/support/asr.h"
#include "tests/support/npy.h"

namespace tutti::testing {

inline const std::string kWhisperTiny = kFixtures + "whisper_tiny/";

inline WhisperDims TinyWhisperDims(ComputeType type = ComputeType::kF32) {
  return {.width = 64,
          .encoder_heads = 2,
          .decoder_heads = 2,
          .hidden = 128,
          .encoder_layers = 2,
          .decoder_layers = 2,
          .audio_positions = 500,
          .vocabulary = 1074,
          .compute_type = type};
}

inline WhisperVocabulary TinyWhisperVocabulary() {
  const auto config = ReadJson(kWhisperTiny + "config.json");
  return {.end = 557,
          .start = 558,
          .translate = 567,
          .transcribe = 568,
          .start_of_previous = 570,
          .no_speech = 571,
          .no_timestamps = 572,
          .first_time = 573,
          .vocabulary = 1074,
          .languages = config["lang_ids"],
          .suppress = config["suppress_ids"],
          .suppress_begin = config["suppress_ids_begin"]};
}

// The network of whisper_tiny.
struct TinyWhisper {
  explicit TinyWhisper(ComputeType type = ComputeType::kF32, const std::string& directory = kWhisperTiny) {
    const auto checkpoint = Checkpoint::Open(directory + "model.bin");
    if (!checkpoint.ok()) {
      ADD_FAILURE() << checkpoint.status();
      return;
    }
    const CheckpointWeights weights(*checkpoint);
    auto loaded_encoder = WhisperEncoder::Load(weights, TinyWhisperDims(type));
    auto loaded_decoder = WhisperDecoder::Load(weights, TinyWhisperDims(type));
    if (!loaded_encoder.ok() || !loaded_decoder.ok()) {
      ADD_FAILURE() << loaded_encoder.status() << loaded_decoder.status();
      return;
    }
    encoder.emplace(*std::move(loaded_encoder));
    decoder.emplace(*std::move(loaded_decoder));
  }

  // [window / 2, width] of features at the beginning of a window.
  std::vector<float> Encode(const std::vector<float>& features, int64_t window, Workspace& workspace) const {
    const std::vector<int64_t> offsets = {0, static_cast<int64_t>(features.size()) / 80}, windows = {window};
    std::vector<float> encoded(static_cast<size_t>(window / 2 * 64));
    encoder->Run(RaggedBatch{features.data(), 80, offsets}, windows, workspace, encoded.data());
    return encoded;
  }

  std::optional<WhisperEncoder> encoder;
  std::optional<WhisperDecoder> decoder;
};

// The prompt and options of a case of expected.json.
inline WhisperDecodeOptions WhisperCase(const nlohmann::json& expected, const WhisperVocabulary& tokens) {
  const auto& given = expected["options"];
  WhisperDecodeOptions options;
  options.prompt = expected["prompt"].get<std::vector<int32_t>>();
  options.beam_size = given.value("beam_size", 1);
  options.patience = given.value("patience", 1.0F);
  options.length_penalty = given.value("length_penalty", 1.0F);
  options.max_length = given.value("max_length", 448);
  options.rules.suppress = given.contains("suppress_tokens") ? std::vector<int32_t>() : tokens.suppress;
  options.rules.suppress_blank = given.value("suppress_blank", true);
  options.rules.repetition_penalty = given.value("repetition_penalty", 1.0F);
  options.rules.no_repeat_ngram_size = given.value("no_repeat_ngram_size", 0);
  options.rules.max_initial_timestamp = given.value("max_initial_timestamp_index", 50);
  return options;
}

// One utterance by itself, from its encoding.
inline WhisperResult DecodeAlone(const TinyWhisper& model, const WhisperVocabulary& tokens,
                                 const std::vector<float>& encoded, const WhisperDecodeOptions& options,
                                 Workspace& workspace) {
  WhisperBatch batch(*model.decoder, tokens, int64_t{1} << 24);
  CrossMemory memory = model.decoder->Listen(encoded.data(), static_cast<int64_t>(encoded.size()) / 64, workspace);
  const absl::Status admitted = batch.Admit(1, memory, options);
  EXPECT_TRUE(admitted.ok()) << admitted;
  while (!batch.empty()) batch.Step(workspace);
  auto finished = batch.TakeFinished();
  if (finished.size() != 1) {
    ADD_FAILURE() << finished.size() << " results";
    return {};
  }
  EXPECT_EQ(batch.pool().pages_in_use(), 0);
  EXPECT_EQ(batch.pool().reserved(), 0);
  return std::move(finished[0].result);
}

}  // namespace tutti::testing

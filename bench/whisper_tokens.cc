// Tokens that Whisper finds in windows of samples, one JSON line each, for tools that compare them with another
// engine's, and what the parts of the work took.
//
//   whisper_tokens MODEL f32|bf16|int8 greedy|times|beam WINDOW-SECONDS BATCH FILE.f32…
//
// MODEL is a directory with whisper-base's model.bin and config.json, a FILE the raw 16 kHz samples of one window.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/seconds.h"
#include "checkpoint/tensor.h"
#include "frontend/log_mel.h"
#include "models/weight_source.h"
#include "models/whisper_batch.h"
#include "models/whisper_decoder.h"
#include "models/whisper_encoder.h"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

absl::Status Run(int count, char** arguments) {
  if (count < 7) return InvalidArgument("arguments: MODEL TYPE MODE WINDOW-SECONDS BATCH FILE…");
  const std::string directory = arguments[1], mode = arguments[3];
  WhisperDims dims;
  TUTTI_ASSIGN_OR_RETURN(dims.compute_type, ParseComputeType(arguments[2]));
  const int64_t window = std::atoll(arguments[4]) * LogMel::kFramesPerSecond, most = std::atoll(arguments[5]);
  std::ifstream config_file(directory + "/config.json");
  const auto config = nlohmann::json::parse(config_file, nullptr, false);
  if (config.is_discarded()) return InvalidArgument("{}/config.json: not JSON", directory);
  WhisperVocabulary tokens;
  tokens.languages = config["lang_ids"].get<std::vector<int32_t>>();
  tokens.suppress = config["suppress_ids"].get<std::vector<int32_t>>();
  tokens.suppress_begin = config["suppress_ids_begin"].get<std::vector<int32_t>>();
  TUTTI_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(directory + "/model.bin"));
  const CheckpointWeights weights(checkpoint);
  TUTTI_ASSIGN_OR_RETURN(const WhisperEncoder encoder, WhisperEncoder::Load(weights, dims));
  TUTTI_ASSIGN_OR_RETURN(const WhisperDecoder decoder, WhisperDecoder::Load(weights, dims));
  TUTTI_ASSIGN_OR_RETURN(const auto log_mel, LogMel::Create(dims.mels));

  WhisperDecodeOptions options;
  options.prompt = {tokens.start, 50259, tokens.transcribe};
  if (mode != "times") options.prompt.push_back(tokens.no_timestamps);
  if (mode == "beam") options.beam_size = 5;
  options.rules.suppress = tokens.suppress;
  WhisperBatch batch(decoder, tokens, int64_t{1} << 30);
  Workspace workspace;
  double features_s = 0, encoder_s = 0, listen_s = 0, step_s = 0;
  int64_t steps = 0, next = 6;
  std::vector<float> encoded(static_cast<size_t>(WhisperEncoder::Rows(window) * dims.width));
  while (next < count || !batch.empty()) {
    for (; next < count && batch.utterances() < most; ++next) {
      std::ifstream file(arguments[next], std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      const std::span samples(reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float));
      auto start = Clock::now();
      std::vector<float> features;
      log_mel->Compute(samples, features);
      features.resize(std::min(features.size(), static_cast<size_t>(window * dims.mels)));
      features_s += SecondsSince(start);
      start = Clock::now();
      const std::vector<int64_t> offsets = {0, static_cast<int64_t>(features.size()) / dims.mels}, windows = {window};
      encoder.Run(RaggedBatch{features.data(), dims.mels, offsets}, windows, workspace, encoded.data());
      encoder_s += SecondsSince(start);
      start = Clock::now();
      CrossMemory memory = decoder.Listen(encoded.data(), WhisperEncoder::Rows(window), workspace);
      listen_s += SecondsSince(start);
      TUTTI_RETURN_IF_ERROR(batch.Admit(next, memory, options));
    }
    const auto start = Clock::now();
    batch.Step(workspace);
    step_s += SecondsSince(start);
    ++steps;
    for (const auto& [id, result, memory] : batch.TakeFinished()) {
      const WhisperSequence& best = result.sequences[0];
      fmt::print("{{\"file\": \"{}\", \"tokens\": [{}], \"score\": {}, \"no_speech_prob\": {}}}\n", arguments[id],
                 fmt::join(best.tokens, ", "), best.score, result.no_speech_prob);
    }
  }
  fmt::print(stderr, "features {:.3f} s, encoder {:.3f} s, listen {:.3f} s, {} steps {:.3f} s\n", features_s, encoder_s,
             listen_s, steps, step_s);
  return absl::OkStatus();
}

}  // namespace
}  // namespace tutti

int main(int argc, char** argv) {
  const absl::Status status = tutti::Run(argc, argv);
  if (!status.ok()) fmt::print(stderr, "whisper_tokens: {}\n", tutti::Message(status));
  return status.ok() ? 0 : 1;
}

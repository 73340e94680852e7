#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor.h"
#include "tests/checkpoint/torch_file.h"
#include "tests/support/folder.h"

// One small Whisper in every format (tools/make_whisper_forms.py), and more forms that tests write of it.
namespace tutti::testing {

inline const std::string kWhisperForms = TUTTI_SOURCE_DIR "/tests/data/fixtures/whisper_forms/";

// The f32 elements of a tensor as bytes.
inline std::string BytesOfTensor(const Checkpoint& from, const std::string& name, const TensorView& view) {
  const auto floats = from.Floats(name, view.shape);
  if (!floats.ok()) {
    ADD_FAILURE() << floats.status();
    return "";
  }
  return {reinterpret_cast<const char*>(floats->data()), floats->size() * sizeof(float)};
}

// A safetensors file in f32 of all tensors of `from`, without `prefix` before their names.
inline std::string SafetensorsOf(const Checkpoint& from, const std::string& prefix = "") {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, view] : from.tensors()) {
    const std::string bytes = BytesOfTensor(from, name, view);
    const std::string shown = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    header[shown] = {
        {"dtype", "F32"}, {"shape", view.shape}, {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + text + data;
}

// A torch file in f32 of all tensors of `from`, with `prefix` before their names.
inline std::string TorchFileOf(const Checkpoint& from, const std::string& prefix = "") {
  std::vector<std::pair<std::string, std::string>> state, storages;
  for (const auto& [name, view] : from.tensors()) {
    const std::string key = std::to_string(storages.size());
    std::vector<int64_t> strides(view.shape.size(), 1);
    for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * view.shape[i];
    state.emplace_back(prefix + name, torch_file::Tensor({"FloatStorage", key, view.elements()}, view.shape, strides));
    storages.emplace_back(key, BytesOfTensor(from, name, view));
  }
  return torch_file::File(torch_file::Dict(state), storages);
}

// The form as FunASR packages it, in `folder`: the checkpoint, its configuration, and the vocabulary beside it.
inline void WriteFunAsrForm(const Folder& folder) {
  const std::filesystem::path openai = kWhisperForms + "openai";
  std::filesystem::copy(openai / "base.pt", folder / "large-v3.pt");
  std::filesystem::copy(openai / "multilingual.tiktoken", folder / "multilingual.tiktoken");
  folder.Write("configuration.json",
               R"({"framework": "pytorch", "task": "auto-speech-recognition", "model": {"type": "funasr"},
                   "file_path_metas": {"init_param": "large-v3.pt", "config": "config.yaml"}})");
  folder.Write(
      "config.yaml",
      "model: Whisper-large-v3\n"
      "model_conf: {lsm_weight: 0.1, length_normalized_loss: true, hub: funasr}\n"
      "dims: {n_mels: 80, n_vocab: 494, n_audio_ctx: 100, n_audio_state: 32, n_audio_head: 2, n_audio_layer: 2,\n"
      "  n_text_ctx: 64, n_text_state: 32, n_text_head: 2, n_text_layer: 2}\n"
      "frontend: WhisperFrontend\n"
      "frontend_conf: {fs: 16000, n_mels: \"${dims.n_mels}\", do_pad_trim: true}\n"
      "tokenizer: WhisperTokenizer\n"
      "tokenizer_conf: {language: null, task: transcribe, is_multilingual: true, num_languages: 100}\n"
      "scope_map: [none, \"model.\"]\n");
}

}  // namespace tutti::testing

#include "models/fsmn_vad.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "models/layers.h"
#include "nn/ops.h"

namespace tutti {
namespace {

constexpr int64_t kMaxWidth = 1 << 14;

absl::Status ReadInt(const Config& config, const std::string& path, int& value) {
  constexpr int64_t kLow = std::numeric_limits<int>::min(), kHigh = std::numeric_limits<int>::max();
  TUTTI_ASSIGN_OR_RETURN(const int64_t read, config.GetIntBetween(path, value, kLow, kHigh));
  value = static_cast<int>(read);
  return absl::OkStatus();
}

absl::StatusOr<VadOptions> OptionsFromConfig(const Config& config) {
  const auto path = [&config](const std::string& key) { return config.Has(key) ? key : "model_conf." + key; };
  VadOptions options;
  const std::pair<const char*, int*> integers[] = {
      {"max_end_silence_time", &options.max_end_silence_time},
      {"max_start_silence_time", &options.max_start_silence_time},
      {"window_size_ms", &options.window_size_ms},
      {"sil_to_speech_time_thres", &options.sil_to_speech_time_thres},
      {"speech_to_sil_time_thres", &options.speech_to_sil_time_thres},
      {"lookback_time_start_point", &options.lookback_time_start_point},
      {"lookahead_time_end_point", &options.lookahead_time_end_point},
      {"max_single_segment_time", &options.max_single_segment_time},
      {"noise_frame_num_used_for_snr", &options.noise_frame_num_used_for_snr},
      {"chunk_size", &options.chunk_size},
  };
  for (const auto& [key, value] : integers) TUTTI_RETURN_IF_ERROR(ReadInt(config, path(key), *value));
  const std::pair<const char*, double*> numbers[] = {
      {"speech_2_noise_ratio", &options.speech_2_noise_ratio},
      {"snr_thres", &options.snr_thres},
      {"decibel_thres", &options.decibel_thres},
      {"speech_noise_thres", &options.speech_noise_thres},
  };
  for (const auto& [key, value] : numbers) {
    TUTTI_ASSIGN_OR_RETURN(*value, config.GetDouble(path(key), *value));
  }
  TUTTI_ASSIGN_OR_RETURN(const int64_t mode, config.GetIntBetween(path("detect_mode"), 1, 0, 1));
  options.detect_mode = static_cast<VadOptions::DetectMode>(mode);
  if (const auto flag = config.GetBool(path("do_extend"), true); flag.ok()) {
    options.do_extend = *flag;
  } else {  // the official package says 1
    TUTTI_ASSIGN_OR_RETURN(const int64_t number, config.GetIntBetween(path("do_extend"), 1, 0, 1));
    options.do_extend = number == 1;
  }
  TUTTI_ASSIGN_OR_RETURN(options.dynamic_silence, config.GetBool(path("dynamic_silence"), false));
  TUTTI_ASSIGN_OR_RETURN(const auto ids, config.GetInts(path("sil_pdf_ids"), {0}));
  options.sil_pdf_ids.clear();
  for (const int64_t id : ids) {
    options.sil_pdf_ids.push_back(static_cast<int>(std::clamp<int64_t>(id, -1, std::numeric_limits<int>::max())));
  }
  for (const auto& [key, expected] : {std::pair{"sample_rate", 16000}, {"frame_in_ms", 10}, {"frame_length_ms", 25}}) {
    TUTTI_ASSIGN_OR_RETURN(const int64_t found, config.GetInt(path(key), expected));
    if (found != expected) {
      return Unimplemented("{}: {}: {}, only {} is supported", config.source_name(), path(key), found, expected);
    }
  }
  if (absl::Status status = Validate(options); !status.ok()) return WithContext(status, config.source_name());
  return options;
}

}  // namespace

struct FsmnVad::Layers {
  struct Layer {
    Linear project;
    std::vector<float> taps;  // [shape.taps, shape.width]
    Linear affine;            // with ReLU
  };
  Linear in1, in2;  // the second with ReLU
  std::vector<Layer> layers;
  FsmnShape shape;  // of every layer's memory; looks back only
  Linear out1, out2;
};

FsmnVad::FsmnVad() = default;
FsmnVad::~FsmnVad() = default;

int64_t FsmnVad::classes() const { return layers_->out2.out(); }

absl::StatusOr<std::shared_ptr<const FsmnVad>> FsmnVad::Load(const ModelPackage& package) {
  return Load(package, CheckpointWeights(package.weights));
}

absl::StatusOr<std::shared_ptr<const FsmnVad>> FsmnVad::Load(const ModelPackage& package, const WeightSource& source) {
  const Config& config = package.config;
  if (package.model_type != "FsmnVADStreaming" && package.model_type != "FsmnVAD") {
    return Unimplemented("{}: model: \"{}\", expected a voice activity model (FsmnVADStreaming)", package.directory,
                         package.model_type);
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string encoder, config.GetString("encoder", "FSMN"));
  if (encoder != "FSMN") {
    return Unimplemented("{}: encoder: \"{}\", only FSMN is supported", config.source_name(), encoder);
  }
  std::shared_ptr<FsmnVad> vad(new FsmnVad());
  TUTTI_ASSIGN_OR_RETURN(vad->default_options_, OptionsFromConfig(config));
  TUTTI_ASSIGN_OR_RETURN(vad->frontend_, Frontend::FromPackage(package));
  const FrontendOptions& rows = vad->frontend_->options();
  if (rows.frame_length != 400 || rows.frame_shift != 160 || rows.lfr_n != 1) {
    return Unimplemented("{}: frontend_conf: frames of {} samples every {}, lfr_n {}; VAD needs 25 ms, 10 ms, lfr_n 1",
                         config.source_name(), rows.frame_length, rows.frame_shift, rows.lfr_n);
  }

  struct Size {
    const char* key;
    int64_t value, low;
  };
  std::array<Size, 10> sizes = {{{"input_dim", 400, 1},
                                 {"input_affine_dim", 140, 1},
                                 {"fsmn_layers", 4, 1},
                                 {"linear_dim", 250, 1},
                                 {"proj_dim", 128, 1},
                                 {"lorder", 20, 1},
                                 {"rorder", 0, 0},
                                 {"lstride", 1, 1},
                                 {"output_affine_dim", 140, 1},
                                 {"output_dim", 248, 1}}};
  for (auto& [key, value, low] : sizes) {
    TUTTI_ASSIGN_OR_RETURN(value, config.GetIntBetween(std::string("encoder_conf.") + key, value, low, kMaxWidth));
  }
  const auto [input, input_affine, layers, linear, proj, lorder, rorder, lstride, output_affine, output] =
      std::array{sizes[0].value, sizes[1].value, sizes[2].value, sizes[3].value, sizes[4].value,
                 sizes[5].value, sizes[6].value, sizes[7].value, sizes[8].value, sizes[9].value};
  if (rorder != 0) {
    return Unimplemented(
        "{}: encoder_conf.rorder: {}, only 0 is supported: a memory that looks ahead would delay a stream",
        config.source_name(), rorder);
  }
  if (lorder * lstride > kMaxWidth) {
    return InvalidArgument("{}: encoder_conf: lorder {} x lstride {}, expected at most {} frames", config.source_name(),
                           lorder, lstride, kMaxWidth);
  }
  if (input != vad->frontend_->width()) {
    return InvalidArgument("{}: encoder_conf.input_dim: {}, but the frontend makes rows of {} (lfr_m {} x n_mels {})",
                           config.source_name(), input, vad->frontend_->width(), rows.lfr_m, rows.mels);
  }
  for (const int id : vad->default_options_.sil_pdf_ids) {
    if (id >= output) {
      return InvalidArgument("{}: sil_pdf_ids: {}, expected ids below output_dim {}", config.source_name(), id, output);
    }
  }

  auto network = std::make_unique<Layers>();
  TUTTI_ASSIGN_OR_RETURN(network->in1, LoadLinear(source, "encoder.in_linear1.linear", {input_affine, input}));
  TUTTI_ASSIGN_OR_RETURN(network->in2,
                         LoadLinear(source, "encoder.in_linear2.linear", {linear, input_affine}, {.relu = true}));
  const int64_t taps = (lorder - 1) * lstride + 1;
  network->shape = {.width = proj, .taps = taps, .left = taps - 1};
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "encoder.fsmn." + std::to_string(i);
    Layers::Layer layer;
    TUTTI_ASSIGN_OR_RETURN(layer.project, LoadLinear(source, name + ".linear.linear", {proj, linear, false}));
    TUTTI_ASSIGN_OR_RETURN(const auto filter, source.Get(name + ".fsmn_block.conv_left.weight", {proj, 1, lorder, 1}));
    layer.taps.resize(static_cast<size_t>(taps * proj));  // zeros between the strides
    for (int64_t c = 0; c < proj; ++c) {
      for (int64_t k = 0; k < lorder; ++k) {
        layer.taps[static_cast<size_t>(k * lstride * proj + c)] = filter.data()[c * lorder + k];
      }
    }
    TUTTI_ASSIGN_OR_RETURN(layer.affine, LoadLinear(source, name + ".affine.linear", {linear, proj}, {.relu = true}));
    network->layers.push_back(std::move(layer));
  }
  TUTTI_ASSIGN_OR_RETURN(network->out1, LoadLinear(source, "encoder.out_linear1.linear", {output_affine, linear}));
  TUTTI_ASSIGN_OR_RETURN(network->out2, LoadLinear(source, "encoder.out_linear2.linear", {output, output_affine}));
  vad->layers_ = std::move(network);
  return std::shared_ptr<const FsmnVad>(std::move(vad));
}

void FsmnVad::Silence(const float* features, int64_t rows, std::span<const int> silence_ids, Memory& memory,
                      Workspace& workspace, float* silence) const {
  if (rows <= 0) return;
  const Layers& network = *layers_;
  const int64_t proj = network.shape.width, past = network.shape.left;
  if (memory.layers.empty()) {
    memory.layers.assign(network.layers.size(), std::vector<float>(static_cast<size_t>(past * proj)));
  }
  Workspace::Scope scope(workspace);
  float* narrow = scope.Floats(rows * std::max(network.in1.out(), network.out1.out()));
  float* hidden = scope.Floats(rows * network.in2.out());
  float* logits = scope.Floats(rows * network.out2.out());
  // The remembered rows stand before the new ones, zeros at the start of a stream, so every new row sees all taps.
  float* projected = scope.Floats((past + rows) * proj);
  float* remembered = scope.Floats((past + rows) * proj);
  const std::array<int64_t, 2> offsets = {0, past + rows};

  network.in1.Run(features, rows, narrow, workspace);
  network.in2.Run(narrow, rows, hidden, workspace);
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layers::Layer& layer = network.layers[i];
    std::vector<float>& carry = memory.layers[i];
    std::copy(carry.begin(), carry.end(), projected);
    layer.project.Run(hidden, rows, projected + past * proj, workspace);
    std::copy(projected + rows * proj, projected + (rows + past) * proj, carry.begin());
    FsmnMemory(projected, proj, offsets, network.shape, layer.taps.data(), false, remembered, proj);
    layer.affine.Run(remembered + past * proj, rows, hidden, workspace);
  }
  network.out1.Run(hidden, rows, narrow, workspace);
  network.out2.Run(narrow, rows, logits, workspace);
  const int64_t classes = network.out2.out();
  Softmax(logits, rows, classes);
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const int id : silence_ids) sum += logits[row * classes + id];
    silence[row] = static_cast<float>(std::min(sum, 1.0));
  }
}

}  // namespace tutti

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/sync_point.h"
#include "checkpoint/model_package.h"
#include "frontend/frontend.h"
#include "models/vad_state_machine.h"
#include "models/weight_source.h"
#include "nn/linear.h"
#include "nn/workspace.h"
#include "tutti/vad.h"

namespace tutti {

// The FSMN-VAD network (spec §3): 400 features → 248 class probabilities per 10 ms frame, of which the silence ids are
// summed. Immutable after Load; safe from any thread and after fork. Everything a recording needs is in VadStream.
class FsmnVad {
 public:
  // The last (lorder-1)·lstride projected rows of each layer, oldest first: what the network remembers of one stream.
  struct Memory {
    std::vector<std::vector<float>> layers;  // empty: the start of a stream
  };

  static absl::StatusOr<std::shared_ptr<const FsmnVad>> Load(const ModelPackage& package);
  // The same with weights from `source` in place of the package's own.
  static absl::StatusOr<std::shared_ptr<const FsmnVad>> Load(const ModelPackage& package, const WeightSource& source);
  ~FsmnVad();

  const std::shared_ptr<const Frontend>& frontend() const { return frontend_; }
  // Defaults of this package: model_conf overlaid with top-level keys. Fixed silence unless it says dynamic_silence.
  const VadOptions& default_options() const { return default_options_; }
  int64_t classes() const;  // ids that sil_pdf_ids may name are below

  // Silence probability of each of `rows` feature rows, the continuation of the stream that `memory` belongs to. A
  // row's result depends on the rows before it alone, not on how the stream is cut.
  void Silence(const float* features, int64_t rows, std::span<const int> silence_ids, Memory& memory,
               Workspace& workspace, float* silence) const;

 private:
  struct Layers;
  FsmnVad();

  std::shared_ptr<const Frontend> frontend_;
  VadOptions default_options_;
  std::unique_ptr<const Layers> layers_;
};

// Voice activity of one recording or live stream, in pieces. Offline is one stream that gets everything; segments do
// not depend on how the audio is cut: dynamic_silence looks at borders every chunk_size ms of the stream, wherever the
// pieces end.
//
// Owns every bit of state that FunASR keeps on its shared model (spec §4.7). Not thread-safe; one owner each.
class VadStream {
 public:
  // InvalidArgument for options out of range. `sync_points` may be null; "VadStream:network_done" lies between the
  // network and the decisions over its frames.
  static absl::StatusOr<std::unique_ptr<VadStream>> Create(std::shared_ptr<const FsmnVad> model,
                                                           const VadOptions& options,
                                                           SyncPoints* sync_points = nullptr);

  // 16 kHz mono samples in [-1, 1], any number: they are worked off in small pieces. Appends the events of spec §4.6
  // that are new. With `is_final` the stream ends and is as new afterwards.
  void Accept(std::span<const float> samples, bool is_final, Workspace& workspace, std::vector<VadEvent>& events);

  // No segment whose end is still to be reported starts before this frame (10 ms each): older audio can be let go.
  int64_t first_needed_frame() const { return machine_.first_needed_frame(); }

 private:
  VadStream(std::shared_ptr<const FsmnVad> model, const VadOptions& options, SyncPoints* sync_points);

  void AcceptPiece(std::span<const float> samples, bool is_final, Workspace& workspace);

  const std::shared_ptr<const FsmnVad> model_;
  const VadOptions options_;
  SyncPoints* const sync_points_;

  FrontendStream features_;
  FsmnVad::Memory memory_;
  VadStateMachine machine_;
  int64_t chunk_left_ = 0;       // samples up to the next border of the dynamic schedule
  std::vector<float> rows_;      // features of one piece
  std::vector<float> samples_;   // of frames that are not whole yet
  std::vector<float> decibels_;  // of frames whose silence probability is not known yet
};

// The segments of a whole recording.
absl::StatusOr<std::vector<VadSegment>> DetectSpeech(const std::shared_ptr<const FsmnVad>& model,
                                                     std::span<const float> samples, const VadOptions& options,
                                                     Workspace& workspace);

}  // namespace tutti

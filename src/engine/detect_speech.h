#pragma once

#include <memory>

#include "models/fsmn_vad.h"
#include "tutti/recognizer.h"

namespace tutti {

// The speech of a whole recording, decoded and listened to on the calling thread, a second at a time.
absl::StatusOr<Recognizer::SpeechResult> DetectSpeech(const std::shared_ptr<const FsmnVad>& vad,
                                                      const AudioInput& input, const TranscribeOptions& options,
                                                      SyncPoints* sync_points);

// A live stream's voice activity.
absl::StatusOr<std::unique_ptr<VadSession>> OpenVadSession(const std::shared_ptr<const FsmnVad>& vad,
                                                           const VadOptions& options, SyncPoints* sync_points);

}  // namespace tutti

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "engine/parts.h"
#include "tutti/recognizer.h"

namespace tutti {

// The pool's own knobs; durations are as of a front that is never kept waiting itself.
struct PoolOptions {
  // Of each process: threads, decode_threads, batch_seconds, … `threads` is for each, 0 means one. max_pending is the
  // pool's.
  RecognizerOptions recognizer;
  int processes = 2;  // 0: as many as the cores allow
  // Makes the models, in a process without threads; it must start none that outlive it. None: as `recognizer` names
  // them.
  std::function<absl::StatusOr<RecognizerParts>()> load;
  // The VAD model is loaded in the front as well, for OpenStream; it decodes nothing.
  bool streams = false;

  // A recording that has ended a worker when it was alone in it gets so many further attempts.
  int retries = 2;
  // Recordings that a worker has at a time, estimated in seconds of audio, so that it can batch across them.
  double credit_seconds = 180;
  // Memory that a worker may take beyond the models; 0: no limit.
  int64_t worker_memory_bytes = 0;

  std::chrono::milliseconds beat{200};           // a worker's sign of life
  std::chrono::milliseconds silence{10'000};     // without one it is taken for dead
  std::chrono::milliseconds stall{60'000};       // a busy worker gets on with something within this
  double stall_per_audio = 4;                    // and so many times the audio that it has decoded of what it holds
  std::chrono::milliseconds first_back_off{50};  // before a worker is replaced that did nothing useful
  std::chrono::milliseconds longest_back_off{5'000};
  // Of workers, without one recording finished between: the pool gives up. 0: 20, more with more retries or processes.
  int max_deaths_in_a_row = 0;

  // A worker that has reached one of these gets no more, and is replaced when it has finished what it has; 0: never.
  // What has done nothing yet is as good as a new one.
  int64_t recycle_recordings = 0;
  std::chrono::milliseconds recycle_age{0};
  int64_t recycle_resident_bytes = 0;  // the models count: they are in each worker's memory, though there once

  // Lines that workers write to standard error, and how they ended when nobody asked them to. Called from the pool's
  // thread; none: they go to standard error.
  std::function<void(std::string_view line)> on_log;
  // The error of a recording given up ends with the last lines of its worker. Without it only on_log has them: for
  // errors that strangers read.
  bool quote_workers = true;
};

}  // namespace tutti

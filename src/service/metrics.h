#pragma once

#include <memory>
#include <string>

#include "service/dispatcher.h"
#include "tutti/recognizer.h"

namespace tutti {

// What /metrics shows, in Prometheus's text format. Names begin with tutti_; docs/deployment.md lists them.
//
// Thread-safe: any number of threads may call any method at the same time.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // An answered request; `route` is one of a few patterns, never a client's text.
  void CountRequest(const std::string& route, int status, double seconds);
  // A finished transcription.
  void CountTranscript(const std::string& model, const Transcript& transcript);
  void CountError(const std::string& code);
  void SetConnections(int64_t open);
  void SetUploads(int64_t receiving, int64_t spool_bytes);
  void SetModel(const std::string& name, const std::string& compute_type, int threads, const RecognizerStats& stats,
                const Dispatcher::Load& load);
  void SetDraining(bool draining);

  // × real time over the last minute, and all audio so far, in seconds.
  double AudioPerSecond() const;
  double audio_seconds() const;

  std::string Render() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tutti

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/sync_point.h"
#include "engine/previous_text.h"
#include "engine/recording_language.h"
#include "models/hypothesis.h"
#include "tutti/recognizer.h"

namespace tutti {

// Whoever keeps account of requests. Called without locks held, from any thread.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  virtual void OnCancelled(int64_t id) = 0;
  virtual void OnFinished(int64_t id) = 0;
};

// What feeding found out about a recording, besides its segments.
struct Recording {
  int64_t duration_ms = 0;
  int channels = 1;
  bool truncated = false;
  Timings timings;  // decode, vad, features
};

// One recording from Submit to its result: gathers the segments as workers finish them, restores their order, and
// reports once.
//
// It holds no audio and no queue, so a result cannot depend on either. Thread-safe.
class Request final : public Transcription {
 public:
  struct Identity {
    int64_t id = 0;  // order of arrival; given by the RequestTable
    std::string name;
    std::string model;
    std::string compute_type;
  };
  Request(Identity identity, TranscribeOptions options, Recognizer::OnDone on_done,
          std::weak_ptr<RequestObserver> observer, SyncPoints* sync_points);

  const absl::StatusOr<Transcript>& Wait() override TUTTI_EXCLUDES(mu_);
  bool done() const override TUTTI_EXCLUDES(mu_);
  void Cancel() override;

  int64_t id() const { return identity_.id; }
  const std::string& name() const { return identity_.name; }
  const TranscribeOptions& options() const { return options_; }

  // More work on it would be for nothing: cancelled, past its deadline or finished.
  bool stopped() const;

  // For its Feed. Each segment is announced before it is queued, FeedingDone comes after the last.
  void Decoded(int64_t audio_ms) TUTTI_EXCLUDES(mu_);
  // Returns the segment's number, from 0.
  int64_t ExpectSegment() TUTTI_EXCLUDES(mu_);
  void FeedingDone(const Recording& recording) TUTTI_EXCLUDES(mu_);

  // For workers. `number` is what ExpectSegment returned, `parts` the segment, or the several that its model made of
  // it, in order; `seconds` its share of its batch's time.
  void AddSegment(int64_t number, std::vector<Segment> parts, double seconds) TUTTI_EXCLUDES(mu_);

  // For a search that is told what was said before (SearchOptions::condition_on_previous_text), or which language is
  // spoken (no SearchOptions::multilingual): segments follow one another, in the latter case until the language is
  // known. A worker says what it heard before it adds the segment.
  bool may_wait_for_segments() const { return options_.search.condition_on_previous_text || finds_one_language(); }
  void Heard(int channel, const Hypothesis& hypothesis) TUTTI_EXCLUDES(mu_);
  std::vector<int32_t> TextBefore(int channel) const TUTTI_EXCLUDES(mu_);
  SpokenLanguage LanguageOf(int channel) const TUTTI_EXCLUDES(mu_);
  int64_t finished_segments() const TUTTI_EXCLUDES(mu_);

  // For an engine that works elsewhere and hands on what it hears of it: instead of all the above.
  void Relay(const Progress& progress) TUTTI_EXCLUDES(mu_);
  void Relay(int64_t number, Segment segment) TUTTI_EXCLUDES(mu_);  // numbers from 0, each once
  // Ends it with its transcript, whose wall time becomes that from Submit to now.
  void Complete(Transcript transcript);

  // Ends it with an error, unless it has ended before.
  void Fail(absl::Status status) { Finish(std::move(status)); }
  // Ends it with Cancelled or DeadlineExceeded, whichever stopped() means.
  void FailStopped();

 private:
  bool finds_one_language() const;
  bool complete() const TUTTI_REQUIRES(mu_) { return fed_ && finished_segments_ == expected_segments_; }
  Transcript Assemble() TUTTI_REQUIRES(mu_);
  void Report() TUTTI_EXCLUDES(mu_, progress_mu_);
  void Finish(absl::StatusOr<Transcript> result) TUTTI_EXCLUDES(mu_, progress_mu_);

  const Identity identity_;
  const TranscribeOptions options_;
  const std::weak_ptr<RequestObserver> observer_;
  SyncPoints* const sync_points_;
  const std::chrono::steady_clock::time_point submitted_ = std::chrono::steady_clock::now();

  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> ending_ = false;  // set once, by the thread that writes the result

  // Written by the thread that set ending_, before done_; read by others after done_.
  absl::StatusOr<Transcript> result_;
  Recognizer::OnDone on_done_;

  Mutex progress_mu_;  // held while the caller's progress and segment functions run; taken before mu_

  mutable Mutex mu_;
  CondVar finished_;
  Transcript transcript_ TUTTI_GUARDED_BY(mu_);                             // without segments
  std::map<int64_t, std::vector<Segment>> segments_ TUTTI_GUARDED_BY(mu_);  // by number
  PreviousText previous_text_ TUTTI_GUARDED_BY(mu_);
  RecordingLanguage language_ TUTTI_GUARDED_BY(mu_);
  Progress progress_ TUTTI_GUARDED_BY(mu_);
  // Finished and not yet told to on_segment, by number; empty without one.
  std::map<int64_t, std::vector<Segment>> untold_ TUTTI_GUARDED_BY(mu_);
  int64_t next_untold_ TUTTI_GUARDED_BY(mu_) = 0;
  int64_t expected_segments_ TUTTI_GUARDED_BY(mu_) = 0;
  int64_t finished_segments_ TUTTI_GUARDED_BY(mu_) = 0;
  bool fed_ TUTTI_GUARDED_BY(mu_) = false;
  bool done_ TUTTI_GUARDED_BY(mu_) = false;
};

}  // namespace tutti

#include "engine/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/language_names.h"
#include "base/seconds.h"
#include "pipeline/text_join.h"

namespace tutti {
namespace {

void TellLanguage(Transcript& transcript) {
  struct Share {
    double ms = 0, probability = 0;  // of speech; summed over it
  };
  std::map<std::string_view, Share> shares;
  for (const Segment& segment : transcript.segments) {
    if (segment.language.empty() || segment.text.empty()) continue;
    const auto ms = static_cast<double>(std::max<int64_t>(segment.end_ms - segment.start_ms, 1));
    Share& share = shares[segment.language];
    share.ms += ms;
    share.probability += ms * static_cast<double>(segment.language_probability.value_or(0));
  }
  if (shares.empty()) return;
  const auto& [language, share] = *std::ranges::max_element(shares, {}, [](const auto& one) { return one.second.ms; });
  transcript.language = language;
  transcript.language_probability = static_cast<float>(share.probability / share.ms);
}

}  // namespace

Request::Request(Identity identity, TranscribeOptions options, Recognizer::OnDone on_done,
                 std::weak_ptr<RequestObserver> observer, SyncPoints* sync_points)
    : identity_(std::move(identity)),
      options_(std::move(options)),
      observer_(std::move(observer)),
      sync_points_(sync_points),
      result_(absl::UnknownError("not finished")),
      on_done_(std::move(on_done)) {}

const absl::StatusOr<Transcript>& Request::Wait() {
  MutexLock lock(mu_);
  while (!done_) finished_.Wait(mu_);
  return result_;
}

bool Request::done() const {
  MutexLock lock(mu_);
  return done_;
}

void Request::Cancel() {
  if (cancelled_.exchange(true) || ending_) return;
  if (const auto observer = observer_.lock()) observer->OnCancelled(id());
}

bool Request::stopped() const {
  return cancelled_ || ending_ || (options_.deadline && std::chrono::steady_clock::now() >= *options_.deadline);
}

void Request::Decoded(int64_t audio_ms) {
  {
    MutexLock lock(mu_);
    progress_.audio_ms_decoded = audio_ms;
  }
  Report();
}

int64_t Request::ExpectSegment() {
  MutexLock lock(mu_);
  ++progress_.segments_found;
  return expected_segments_++;
}

void Request::FeedingDone(const Recording& recording) {
  Transcript transcript;
  {
    MutexLock lock(mu_);
    fed_ = true;
    transcript_.duration_ms = recording.duration_ms;
    transcript_.channels = recording.channels;
    transcript_.truncated = recording.truncated;
    transcript_.timings.decode = recording.timings.decode;
    transcript_.timings.vad = recording.timings.vad;
    transcript_.timings.features = recording.timings.features;
    if (!complete()) return;
    transcript = Assemble();
  }
  Report();  // a worker may have added the last segment and not have come to that yet
  Finish(std::move(transcript));
}

void Request::AddSegment(int64_t number, std::vector<Segment> parts, double seconds) {
  Transcript transcript;
  bool last = false;
  {
    MutexLock lock(mu_);
    if (options_.on_segment) untold_.emplace(number, parts);
    segments_.emplace(number, std::move(parts));
    transcript_.timings.recognise += seconds;
    ++finished_segments_;
    ++progress_.segments_done;
    last = complete();
    if (last) transcript = Assemble();
  }
  Report();
  if (last) Finish(std::move(transcript));
}

void Request::Heard(int channel, const Hypothesis& hypothesis) {
  MutexLock lock(mu_);
  previous_text_.Add(channel, hypothesis, options_.search.prompt_reset_on_temperature);
  if (finds_one_language()) language_.Add(channel, hypothesis);
}

std::vector<int32_t> Request::TextBefore(int channel) const {
  MutexLock lock(mu_);
  return previous_text_.Of(channel);
}

bool Request::finds_one_language() const {
  if (options_.search.multilingual) return false;
  const std::string code = LanguageCode(options_.search.language);
  return code.empty() || code == "auto";
}

SpokenLanguage Request::LanguageOf(int channel) const {
  MutexLock lock(mu_);
  return language_.Of(channel);
}

int64_t Request::finished_segments() const {
  MutexLock lock(mu_);
  return finished_segments_;
}

void Request::Relay(const Progress& progress) {
  {
    MutexLock lock(mu_);
    progress_ = progress;
  }
  Report();
}

void Request::Relay(int64_t number, Segment segment) {
  {
    MutexLock lock(mu_);
    untold_[number].push_back(std::move(segment));
  }
  Report();
}

void Request::Complete(Transcript transcript) {
  transcript.timings.wall = SecondsSince(submitted_);
  Finish(std::move(transcript));
}

Transcript Request::Assemble() {
  Transcript transcript = std::move(transcript_);
  transcript.file = identity_.name;
  transcript.model = identity_.model;
  transcript.compute_type = identity_.compute_type;
  for (auto& [number, parts] : segments_) {
    std::ranges::move(parts, std::back_inserter(transcript.segments));
  }
  segments_.clear();
  std::ranges::stable_sort(transcript.segments, {}, [](const Segment& segment) {
    return std::tuple(segment.start_ms, segment.channel, segment.end_ms);
  });
  for (const Segment& segment : transcript.segments) AppendText(segment.text, transcript.text);
  TellLanguage(transcript);
  transcript.timings.wall = SecondsSince(submitted_);
  return transcript;
}

void Request::FailStopped() {
  if (cancelled_) {
    Finish(absl::CancelledError(fmt::format("{}: cancelled", name())));
  } else {
    Finish(absl::DeadlineExceededError(fmt::format("{}: the deadline passed before it was transcribed", name())));
  }
}

void Request::Report() {
  if (!options_.progress && !options_.on_segment) return;
  MutexLock one_at_a_time(progress_mu_);
  if (ending_) return;
  Progress progress;
  std::vector<Segment> segments;
  {
    MutexLock lock(mu_);
    progress = progress_;
    for (auto next = untold_.begin(); next != untold_.end() && next->first == next_untold_; ++next_untold_) {
      std::ranges::move(next->second, std::back_inserter(segments));
      next = untold_.erase(next);
    }
  }
  for (const Segment& segment : segments) options_.on_segment(segment);
  if (options_.progress) options_.progress(progress);
}

void Request::Finish(absl::StatusOr<Transcript> result) {
  if (ending_.exchange(true)) return;
  { MutexLock after_the_last_report(progress_mu_); }
  result_ = std::move(result);
  if (const auto on_done = std::exchange(on_done_, nullptr)) on_done(result_);
  {
    MutexLock lock(mu_);
    done_ = true;
    finished_.NotifyAll();
  }
  if (const auto observer = observer_.lock()) observer->OnFinished(id());
  ReachSyncPoint(sync_points_, "Request:finished");
}

}  // namespace tutti

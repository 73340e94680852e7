#include "service/dispatcher_state.h"

#include <algorithm>

#include "base/seconds.h"

namespace tutti {
namespace {

using std::chrono::steady_clock;

constexpr double kMaxSeconds = 1e9;

}  // namespace

absl::StatusOr<int64_t> Dispatcher::State::Submit(Work work) {
  if (!(work.seconds > 0 && work.seconds <= kMaxSeconds)) {
    return InvalidArgument("{}: {} s of audio, expected > 0 and at most {}", work.input.name(), work.seconds,
                           kMaxSeconds);
  }
  const bool interactive = work.options.priority == Priority::kInteractive;
  const double bound = options_.queue_seconds * (interactive ? 1 : 1 - options_.interactive_share);
  Request request;
  request.work = std::move(work);
  if (request.work.options.progress) {
    request.progress = std::make_shared<const OnProgress>(std::exchange(request.work.options.progress, nullptr));
  }
  MutexLock lock(mu_);
  if (draining_) return Unavailable("{}: no more is accepted before the restart", request.work.input.name());
  const double there = queue_.seconds() + running().seconds;
  if (!requests_.empty() && there + request.work.seconds > bound) {
    return ResourceExhausted("{}: the queue is full: {:.0f} s of audio are there and this is {:.0f} s, {:.0f} s {}",
                             request.work.input.name(), there, request.work.seconds, bound,
                             interactive ? "are allowed" : "are allowed for batch requests");
  }
  const int64_t id = next_id_++;
  queue_.Push({.id = id,
               .tenant = request.work.tenant,
               .priority = request.work.options.priority,
               .seconds = request.work.seconds});
  if (request.work.options.deadline) deadlines_.emplace(*request.work.options.deadline, id);
  requests_.emplace(id, std::move(request));
  ++untold_;
  changed_.NotifyOne();
  return id;
}

void Dispatcher::State::Cancel(int64_t id) {
  std::shared_ptr<Transcription> transcription;
  {
    MutexLock lock(mu_);
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    if (found->second.waits) {
      EndWaiting(found, absl::CancelledError(fmt::format("{}: cancelled", found->second.work.input.name())));
      return;
    }
    found->second.cancelled = true;
    transcription = found->second.transcription;
  }
  if (transcription != nullptr) transcription->Cancel();
}

void Dispatcher::State::Close() {
  std::vector<std::shared_ptr<Transcription>> transcriptions;
  {
    MutexLock lock(mu_);
    draining_ = closed_ = true;
    for (auto it = requests_.begin(); it != requests_.end();) {
      if (it->second.waits) {
        const std::string& name = it->second.work.input.name();
        it = EndWaiting(it, absl::CancelledError(fmt::format("{}: the service is shutting down", name)));
        continue;
      }
      it->second.cancelled = true;
      if (it->second.transcription != nullptr) transcriptions.push_back(it->second.transcription);
      ++it;
    }
    changed_.NotifyOne();
  }
  for (const auto& transcription : transcriptions) transcription->Cancel();
}

void Dispatcher::State::Drain() {
  MutexLock lock(mu_);
  draining_ = true;
}

double Dispatcher::State::RetryAfterSeconds() {
  MutexLock lock(mu_);
  // A single recording may be longer than the queue, and then has to end before there is room.
  const double excess = queue_.seconds() + running().seconds - options_.queue_seconds;
  return std::clamp(std::max(queue_.seconds(), excess) / speed_.XRealTime(steady_clock::now()), 1.0, 3600.0);
}

Dispatcher::Load Dispatcher::State::load() const {
  MutexLock lock(mu_);
  const Running sum = running();
  return {.waiting = static_cast<int64_t>(queue_.size()),
          .running = sum.count,
          .waiting_seconds = queue_.seconds(),
          .running_seconds = sum.seconds,
          .queue_seconds = options_.queue_seconds};
}

void Dispatcher::State::Run(Recognizer& recognizer) {
  while (true) {
    std::vector<Ending> endings;
    std::optional<FairQueue::Item> next;
    {
      MutexLock lock(mu_);
      while (true) {
        EndExpired();
        endings.swap(endings_);
        next = TakeNext();
        if (!endings.empty() || next) break;
        if (closed_ && untold_ == 0) return;
        WaitForChange();
      }
    }
    for (Ending& ending : endings) Tell(std::move(ending.request), ending.status);
    if (next) HandOver(recognizer, *next);
  }
}

std::optional<FairQueue::Item> Dispatcher::State::TakeNext() {
  if (retry_at_ && steady_clock::now() < *retry_at_) return std::nullopt;
  retry_at_.reset();
  std::optional<FairQueue::Item> item;
  if (running().count == 0 || running().seconds < options_.window_seconds) {
    item = queue_.Pop();
  } else if (running_[0].seconds < options_.window_seconds) {
    item = queue_.Pop(Priority::kInteractive);
  }
  if (!item) return std::nullopt;
  Request& request = requests_.find(item->id)->second;
  if (request.work.options.deadline) deadlines_.erase({*request.work.options.deadline, item->id});
  request.waits = false;
  BeginRunning(request.work);
  return item;
}

void Dispatcher::State::EndExpired() {
  const Time now = steady_clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto found = requests_.find(deadlines_.begin()->second);
    const std::string& name = found->second.work.input.name();
    EndWaiting(found, absl::DeadlineExceededError(fmt::format("{}: the deadline passed while it waited", name)));
  }
}

void Dispatcher::State::WaitForChange() {
  // A deadline may be as far as time_point::max(), with which no clock can reckon.
  Time wake_up = steady_clock::now() + std::chrono::hours(1);
  if (!deadlines_.empty()) wake_up = std::min(wake_up, deadlines_.begin()->first);
  if (retry_at_) wake_up = std::min(wake_up, *retry_at_);
  changed_.WaitUntil(mu_, wake_up);
}

void Dispatcher::State::HandOver(Recognizer& recognizer, const FairQueue::Item& item) {
  AudioInput input;
  TranscribeOptions options;
  {
    MutexLock lock(mu_);
    const Work& work = requests_.find(item.id)->second.work;
    input = work.input;
    options = work.options;
  }
  options.progress = [state = shared_from_this(), id = item.id](const Progress& progress) {
    state->Report(id, progress);
  };
  auto transcription = recognizer.Submit(
      input, options, [state = shared_from_this(), id = item.id](const auto& result) { state->Finished(id, result); });
  {
    MutexLock lock(mu_);
    const auto found = requests_.find(item.id);
    if (found == requests_.end()) return;  // it has ended already
    if (!transcription.ok()) return Refused(found, item, transcription.status());
    Request& request = found->second;
    request.work.input = AudioInput();
    request.transcription = *transcription;
    if (!request.cancelled) return;
  }
  (*transcription)->Cancel();
}

void Dispatcher::State::Refused(Requests::iterator found, const FairQueue::Item& item, const absl::Status& status) {
  Request& request = found->second;
  const bool again = absl::IsResourceExhausted(status) && !request.cancelled;
  if (!again) CorrectSeconds(request.work, 0);
  EndRunning(request.work);
  if (!again) {
    const std::string& name = request.work.input.name();
    return End(found, request.cancelled ? absl::CancelledError(fmt::format("{}: cancelled", name)) : status);
  }
  request.waits = true;
  queue_.Return(item);
  if (request.work.options.deadline) deadlines_.emplace(*request.work.options.deadline, item.id);
  retry_at_ = steady_clock::now() + options_.retry_interval;
}

Dispatcher::State::Requests::iterator Dispatcher::State::EndWaiting(Requests::iterator found, absl::Status status) {
  queue_.Remove(found->first);
  const auto next = std::next(found);
  if (found->second.work.options.deadline) deadlines_.erase({*found->second.work.options.deadline, found->first});
  End(found, std::move(status));
  return next;
}

void Dispatcher::State::End(Requests::iterator found, absl::Status status) {
  endings_.push_back({std::move(found->second), std::move(status)});
  requests_.erase(found);
  changed_.NotifyOne();
}

void Dispatcher::State::Report(int64_t id, const Progress& progress) {
  std::shared_ptr<const OnProgress> owners;
  {
    MutexLock lock(mu_);
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    Request& request = found->second;
    owners = request.progress;
    request.decoded_seconds = SecondsOf(progress.audio_ms_decoded);
    if (request.decoded_seconds > request.work.seconds) CorrectSeconds(request.work, request.decoded_seconds);
    if (progress.segments_found > 0) {
      const double finished = request.decoded_seconds * static_cast<double>(progress.segments_done) /
                              static_cast<double>(progress.segments_found);
      speed_.Finished(finished - request.finished_seconds, steady_clock::now());
      request.finished_seconds = std::max(request.finished_seconds, finished);
    }
  }
  if (owners != nullptr) (*owners)(progress);
}

void Dispatcher::State::Finished(int64_t id, const absl::StatusOr<Transcript>& result) {
  Request request;
  {
    MutexLock lock(mu_);
    const auto found = requests_.find(id);
    request = std::move(found->second);
    requests_.erase(found);
    CorrectSeconds(request.work, result.ok() ? SecondsOf(result->duration_ms) : request.decoded_seconds);
    EndRunning(request.work);
    if (result.ok()) speed_.Finished(request.work.seconds - request.finished_seconds, steady_clock::now());
    retry_at_.reset();
    changed_.NotifyOne();
  }
  Tell(std::move(request), result);
}

void Dispatcher::State::Tell(Request request, const absl::StatusOr<Transcript>& result) {
  if (request.work.on_done) request.work.on_done(result);
  request = Request();
  MutexLock lock(mu_);
  --untold_;
  changed_.NotifyOne();
}

void Dispatcher::State::BeginRunning(const Work& work) {
  Running& sum = RunningOf(work);
  ++sum.count;
  sum.seconds += work.seconds;
  speed_.SetBusy(true, steady_clock::now());
}

void Dispatcher::State::EndRunning(const Work& work) {
  Running& sum = RunningOf(work);
  --sum.count;
  sum.seconds = sum.count == 0 ? 0 : sum.seconds - work.seconds;  // no rounding errors to keep
  if (running().count == 0) speed_.SetBusy(false, steady_clock::now());
}

void Dispatcher::State::CorrectSeconds(Work& work, double seconds) {
  const double more = seconds - work.seconds;
  queue_.Charge(work.tenant, work.options.priority, more);
  RunningOf(work).seconds += more;
  work.seconds = seconds;
}

Dispatcher::State::Running& Dispatcher::State::RunningOf(const Work& work) {
  return running_[work.options.priority == Priority::kInteractive ? 0 : 1];
}

Dispatcher::State::Running Dispatcher::State::running() const {
  return {.count = running_[0].count + running_[1].count, .seconds = running_[0].seconds + running_[1].seconds};
}

}  // namespace tutti

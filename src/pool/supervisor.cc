#include "pool/supervisor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/print.h"
#include "base/seconds.h"
#include "engine/audio_input.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick(50);
// Of one look at the processes no more than this counts as time that they had: the front itself may have been away.
constexpr milliseconds kLongestLook(500);
constexpr int kLeastOpenFiles = 512;  // that a front may be expected to have to spare
constexpr int kMostStillborn = 8;     // ends before a beginning, of each process, before nobody waits for the next

HandOutOptions ForHandOut(const PoolOptions& options) {
  return {.processes = options.processes,
          .least_recordings = options.recognizer.threads + 1,
          .most_recordings = std::clamp(kLeastOpenFiles / options.processes, options.recognizer.threads + 1, 32),
          .credit_seconds = options.credit_seconds,
          .retries = options.retries};
}

// What a recording did to its process, and how far it was then.
std::string DescribeDeath(const std::string& how, const Progress& at, int attempts) {
  const std::string stage = at.audio_ms_decoded == 0
                                ? "before any of it was decoded"
                                : fmt::format("with {:.1f} s of it decoded and {} of {} segments recognised",
                                              SecondsOf(at.audio_ms_decoded), at.segments_done, at.segments_found);
  return fmt::format("its process {} {}, as in all of {} attempts with no other recording beside it", how, stage,
                     attempts);
}

}  // namespace

Supervisor::Supervisor(ChildProcess nursery, NurseryReady models, const PoolOptions& options, NurseryMaker make_nursery)
    : options_(options),
      models_(std::move(models)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      make_nursery_(std::move(make_nursery)),
      nursery_(std::move(nursery.channel)),
      nursery_pid_(nursery.pid),
      hand_out_(ForHandOut(options)),
      slots_(static_cast<size_t>(options.processes)) {
  stats_.sandboxed = true;
  Publish();
}

void Supervisor::Add(std::shared_ptr<Request> request, AudioInput input, bool only_speech) {
  MutexLock lock(mu_);
  Job& job = inbox_.emplace_back();
  job.request = std::move(request);
  job.input = std::move(input);
  job.only_speech = only_speech;
  eventfd_write(wake_.get(), 1);
}

void Supervisor::DropStopped() {
  MutexLock lock(mu_);
  look_for_stopped_ = true;
  eventfd_write(wake_.get(), 1);
}

void Supervisor::Stop() {
  MutexLock lock(mu_);
  stop_ = true;
  eventfd_write(wake_.get(), 1);
}

PoolStats Supervisor::stats() const {
  MutexLock lock(mu_);
  return published_;
}

void Supervisor::Publish() {
  stats_.nursery_pid = nursery_pid_;
  stats_.pids.clear();
  for (const auto& [id, worker] : workers_) {
    if (worker.takes_jobs()) stats_.pids.push_back(worker.pid);
  }
  if (stats_.start_seconds == 0 && stats_.pids.size() == slots_.size()) {
    stats_.start_seconds = SecondsSince(began_);
  }
  MutexLock lock(mu_);
  published_ = stats_;
}

void Supervisor::Run() {
  while (TakeInbox()) {
    Advance();
    FillSlots();
    HandOutAll();
    Publish();
    Poll();
  }
  nursery_.Close();  // which ends the nursery, and it its workers
  workers_.clear();
  Publish();
}

bool Supervisor::TakeInbox() {
  std::vector<Job> arrived;
  bool look = false;
  {
    MutexLock lock(mu_);
    if (stop_) return false;
    arrived.swap(inbox_);
    look = std::exchange(look_for_stopped_, false);
  }
  for (Job& job : arrived) {
    if (!unavailable_.ok()) {
      job.request->Fail(WithContext(unavailable_, job.request->name()));
      continue;
    }
    const int64_t id = job.request->id();
    hand_out_.Add(id, SizeInBytes(job.input), job.request->options().priority == Priority::kInteractive);
    jobs_.emplace(id, std::move(job));
  }
  if (look) ForgetStopped();
  return true;
}

void Supervisor::Poll() {
  std::vector<pollfd> fds = {{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                             {.fd = nursery_ ? nursery_.fd() : -1, .events = POLLIN, .revents = 0}};
  std::vector<WorkerLink*> polled;
  for (auto& [id, worker] : workers_) {
    polled.push_back(&worker);
    for (const int fd : {worker.channel ? worker.channel.fd() : -1, worker.log.get()}) {
      fds.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
  }
  if (poll(fds.data(), fds.size(), static_cast<int>(kTick.count())) <= 0) return;
  ReachSyncPoint(options_.recognizer.sync_points, "Supervisor:reading");
  if (fds[0].revents != 0) {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
  }
  for (size_t i = 0; i < polled.size(); ++i) {
    if (fds[2 + 2 * i].revents != 0) ReadWorker(*polled[i]);
    if (fds[3 + 2 * i].revents != 0) ReadLog(*polled[i]);
  }
  if (fds[1].revents != 0) ReadNursery();
}

void Supervisor::Advance() {
  const auto now = std::chrono::steady_clock::now();
  const auto passed = std::min(kLongestLook, std::chrono::duration_cast<milliseconds>(now - last_look_));
  if (passed.count() == 0) return;
  last_look_ = now;
  for (Slot& slot : slots_) slot.wait = std::max(milliseconds(0), slot.wait - passed);
  AdvanceNursery(passed);
  for (auto& [id, worker] : workers_) {
    worker.health.Advance(passed);
    if (worker.pid != 0) CheckHealth(worker);
  }
}

void Supervisor::CheckHealth(WorkerLink& worker) {
  if (!worker.killed_for.empty()) return;
  int64_t audio_ms = 0, done = worker.finished;
  const std::vector<int64_t> running = hand_out_.Of(worker.id);
  for (const int64_t job_id : running) {
    Job& job = jobs_.at(job_id);
    const Progress progress = job.sheet->progress();
    audio_ms += progress.audio_ms_decoded;
    done += progress.audio_ms_decoded + progress.segments_found + progress.segments_done;
    TellProgress(job);
  }
  if (running.empty()) {
    worker.health.Idle();
  } else {
    worker.health.Progress(done);
  }
  if (auto complaint = worker.health.Complaint(options_, audio_ms)) return Kill(worker, *std::move(complaint));
  const auto beyond = [](int64_t value, int64_t limit) { return limit > 0 && value >= limit; };
  worker.retiring =
      worker.retiring || (worker.finished > 0 && (beyond(worker.finished, options_.recycle_recordings) ||
                                                  beyond(worker.health.age().count(), options_.recycle_age.count()) ||
                                                  beyond(worker.resident_bytes, options_.recycle_resident_bytes)));
  if (worker.retiring && running.empty()) worker.channel.Close();  // its sign to leave
}

void Supervisor::FillSlots() {
  for (size_t i = 0; i < slots_.size() && nursery_ && nursery_ready_; ++i) {
    Slot& slot = slots_[i];
    if (slot.worker >= 0 || slot.wait.count() > 0) continue;
    slot.worker = next_worker_++;
    WorkerLink& worker = workers_[slot.worker];
    worker.id = slot.worker;
    worker.slot = static_cast<int64_t>(i);
    ++stats_.started;
    ++unanswered_;
    // Its end is noticed where its messages are read.
    nursery_.Send(ForkWorker{.worker = worker.id, .slot = worker.slot}).IgnoreError();
  }
}

void Supervisor::HandleBirth(const WorkerBorn& born, std::vector<UniqueFd> fds) {
  --unanswered_;
  WorkerLink& worker = workers_[born.worker];
  worker.id = born.worker;
  worker.pid = born.pid;
  worker.channel = Channel(std::move(fds[0]));
  worker.log = std::move(fds[1]);
  worker.health = {};
}

void Supervisor::ReadLog(WorkerLink& worker) {
  std::array<char, 4096> text = {};
  ssize_t got = 0;
  while ((got = read(worker.log.get(), text.data(), text.size())) > 0) {
    const auto print = [&worker](std::string_view line) {
      PrintText(stderr, "tutti: process {}: {}\n", worker.pid, line);
    };
    worker.tail.Add({text.data(), static_cast<size_t>(got)}, options_.on_log ? options_.on_log : print);
  }
  if (got == 0) worker.log.Reset();
}

void Supervisor::Kill(WorkerLink& worker, std::string why) {
  if (!worker.killed_for.empty() || !nursery_) return;
  worker.killed_for = std::move(why);
  ++unanswered_;
  nursery_.Send(KillWorker{worker.id}).IgnoreError();
}

void Supervisor::HandleEnd(const WorkerEnded& ended) {
  const auto found = workers_.find(ended.worker);
  if (found == workers_.end()) return;
  // What it had sent before it died is done.
  if (found->second.channel) ReadWorker(found->second);
  if (found->second.log) ReadLog(found->second);
  const WorkerLink worker = std::move(found->second);
  workers_.erase(found);
  if (worker.pid == 0 || !worker.killed_for.empty()) --unanswered_;
  Slot& slot = slots_[static_cast<size_t>(worker.slot)];
  slot.worker = -1;

  const std::vector<HandOut::Verdict> verdicts = hand_out_.WorkerGone(ended.worker);
  if (worker.retiring && verdicts.empty() && worker.killed_for.empty()) {
    ++stats_.recycled;
    return;
  }
  ++stats_.died;
  if (!worker.killed_for.empty()) ++stats_.hung;
  const bool lived = worker.health.age() > kGoodAge;
  if (lived) deaths_in_a_row_ = 0;
  slot.fruitless = worker.finished > 0 || lived ? 0 : slot.fruitless + 1;
  if (slot.fruitless > 0) slot.wait = BackOff(options_, slot.fruitless);

  if (!worker.up) ++stillborn_;
  const int status = static_cast<int>(ended.wait_status);
  std::string how = ended.error.empty() ? DescribeEnd(status) : "could not be started: " + ended.error;
  if (!worker.killed_for.empty()) how = worker.killed_for + " and was killed";
  if (options_.on_log) options_.on_log(fmt::format("process {} {}", worker.pid, how));
  const std::string words = worker.tail.Text().empty() ? "" : "; the last words: " + worker.tail.Text();
  for (const HandOut::Verdict& verdict : verdicts) {
    Job& job = jobs_.at(verdict.id);
    if (job.request->stopped()) {
      hand_out_.Drop(verdict.id);
      jobs_.erase(verdict.id);
    } else if (verdict.condemned) {
      ++stats_.quarantined;
      Publish();  // whoever hears of the failure finds it counted
      TellProgress(job);
      const std::string death = DescribeDeath(how, job.sheet->progress(), verdict.deaths_alone);
      if (options_.on_log) options_.on_log(fmt::format("gives up a recording: {}{}", death, words));
      job.request->Fail(absl::InternalError(
          fmt::format("{}: {}{}", job.request->name(), death, options_.quote_workers ? words : "")));
      jobs_.erase(verdict.id);
    } else {
      ++stats_.retried;
      job.sheet.reset();
    }
  }
  if (++deaths_in_a_row_ > options_.max_deaths_in_a_row) {
    GiveUp(Unavailable("process pool: {} processes in a row died before one recording was finished, the last one {}{}",
                       deaths_in_a_row_, how, options_.quote_workers ? words : ""));
  } else if (stillborn_ > kMostStillborn * options_.processes) {
    FailAll(Unavailable("process pool: no process comes up, the last one {}{}; further ones are being started", how,
                        options_.quote_workers ? words : ""));
  }
}

}  // namespace tutti

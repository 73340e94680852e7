#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include "pool/supervisor.h"

namespace tutti {
namespace {

using std::chrono::milliseconds;

constexpr int kPatience = 5;  // nurseries in a row that may die before nobody waits for the next one

}  // namespace

void Supervisor::AdvanceNursery(milliseconds passed) {
  if (!nursery_) {
    nursery_wait_ -= passed;
    if (make_nursery_ && nursery_wait_.count() <= 0) MakeNursery();
    return;
  }
  nursery_age_ += passed;
  nursery_silent_ = unanswered_ > 0 ? nursery_silent_ + passed : milliseconds(0);
  if (nursery_silent_ > options_.silence) KillNursery("did not answer");
}

void Supervisor::KillNursery(std::string why) {
  if (nursery_killed_for_.empty()) nursery_killed_for_ = std::move(why);
  kill(nursery_pid_, SIGKILL);
}

void Supervisor::ReadNursery() {
  while (nursery_) {
    absl::StatusOr<std::optional<Received>> received = nursery_.Receive(false);
    if (!received.ok()) return NurseryIsGone();
    if (!received->has_value()) return;
    nursery_silent_ = milliseconds(0);
    Received& message = **received;
    if (const auto* born = std::get_if<WorkerBorn>(&message.message); born != nullptr && message.fds.size() == 2) {
      HandleBirth(*born, std::move(message.fds));
    } else if (const auto* ended = std::get_if<WorkerEnded>(&message.message)) {
      HandleEnd(*ended);
    } else if (const auto* ready = std::get_if<NurseryReady>(&message.message)) {
      HandleReady(*ready);
    } else if (const auto* failed = std::get_if<NurseryFailed>(&message.message)) {
      nursery_killed_for_ = "cannot load the models: " + failed->message;
    }
  }
}

// What differs would make results depend on when a process died.
void Supervisor::HandleReady(const NurseryReady& ready) {
  if (EncodeMessage(ready).value_or("") != EncodeMessage(models_).value_or("")) {
    return KillNursery("found other models than those that were loaded first");
  }
  nursery_ready_ = true;
  unavailable_ = absl::OkStatus();
  ++stats_.reloaded;
}

void Supervisor::NurseryIsGone() {
  nursery_.Close();
  int status = 0;
  // Its socket closes a moment before it can be reaped.
  for (int i = 0; i < 100 && waitpid(nursery_pid_, &status, WNOHANG) == 0; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  const std::string how = nursery_killed_for_.empty() ? DescribeEnd(status) : nursery_killed_for_;
  AfterNursery(Unavailable("process pool: the process that starts the workers {}", how));
}

void Supervisor::MakeNursery() {
  absl::StatusOr<ChildProcess> made = make_nursery_();
  if (!made.ok()) return AfterNursery(made.status());
  nursery_ = std::move(made->channel);
  nursery_pid_ = made->pid;
  nursery_ready_ = false;
  nursery_age_ = nursery_silent_ = milliseconds(0);
}

void Supervisor::AfterNursery(const absl::Status& why) {
  // Its workers end with it. What they had and have not told is begun anew, and their end says nothing about it.
  for (auto& [id, worker] : workers_) {
    if (worker.channel) ReadWorker(worker);
    if (worker.log) ReadLog(worker);
    for (const int64_t job_id : hand_out_.Withdraw(id)) {
      jobs_.at(job_id).sheet.reset();
      ++stats_.retried;
    }
  }
  workers_.clear();
  std::ranges::fill(slots_, Slot{});
  unanswered_ = 0;
  if (!make_nursery_) return GiveUp(absl::Status(why.code(), Message(why) + "; run the command again"));
  if (options_.on_log) options_.on_log(Message(why));
  const bool was_of_use = std::exchange(nursery_ready_, false);
  nursery_killed_for_.clear();
  nursery_deaths_ = nursery_age_ > kGoodAge ? 1 : nursery_deaths_ + 1;
  nursery_age_ = milliseconds(0);
  nursery_wait_ = BackOff(options_, nursery_deaths_);
  if (!was_of_use || nursery_deaths_ > kPatience) FailAll(Unavailable("{}; it is being started again", Message(why)));
  ForgetStopped();
}

void Supervisor::FailAll(const absl::Status& why) {
  unavailable_ = why;
  for (auto& [id, job] : std::exchange(jobs_, {})) {
    hand_out_.Drop(id);
    job.request->Fail(WithContext(why, job.request->name()));
  }
}

void Supervisor::GiveUp(const absl::Status& why) {
  make_nursery_ = nullptr;
  nursery_.Close();
  workers_.clear();
  FailAll(why);
}

}  // namespace tutti

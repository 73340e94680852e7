#include "service/webhook_sender.h"

#include <algorithm>
#include <utility>

#include "service/job_json.h"
#include "service/webhook.h"

namespace tutti {

WebhookSender::WebhookSender(JobStore& store, const JobClock& clock, WebhookOptions options, Post post,
                             std::function<void(const absl::Status&)> report)
    : store_(store),
      clock_(clock),
      options_(std::move(options)),
      post_(std::move(post)),
      report_(std::move(report)),
      state_(std::make_shared<State>()),
      thread_([this] { Run(); }) {}

WebhookSender::~WebhookSender() {
  {
    MutexLock lock(state_->mu);
    state_->stopping = true;
    state_->changed.NotifyAll();
  }
  thread_.join();
}

void WebhookSender::Deliver(const Job& job) {
  const auto pause = job.webhook_tries == 0 ? std::chrono::milliseconds(0) : PauseAfter(job.webhook_tries);
  MutexLock lock(state_->mu);
  state_->due.emplace(clock_.now() + pause, Delivery{job.id, job.tenant, job.webhook, job.webhook_tries});
  state_->changed.NotifyAll();
}

void WebhookSender::Wake() {
  MutexLock lock(state_->mu);
  state_->changed.NotifyAll();
}

void WebhookSender::Run() {
  std::vector<Outcome> outcomes;
  std::vector<Delivery> due;
  while (Take(outcomes, due)) {
    for (const Outcome& outcome : std::exchange(outcomes, {})) Note(outcome);
    for (Delivery& delivery : std::exchange(due, {})) Send(std::move(delivery));
  }
}

bool WebhookSender::Take(std::vector<Outcome>& outcomes, std::vector<Delivery>& due) {
  MutexLock lock(state_->mu);
  while (true) {
    if (state_->stopping) return false;
    outcomes.swap(state_->outcomes);
    state_->at_once -= outcomes.size();
    const auto now = clock_.now();
    auto& waiting = state_->due;
    while (!waiting.empty() && waiting.begin()->first <= now && state_->at_once < options_.max_at_once) {
      due.push_back(std::move(waiting.begin()->second));
      waiting.erase(waiting.begin());
      ++state_->at_once;
    }
    if (!outcomes.empty() || !due.empty()) return true;
    if (waiting.empty() || state_->at_once == options_.max_at_once) {
      state_->changed.Wait(state_->mu);
    } else {
      state_->changed.WaitUntil(state_->mu, std::chrono::steady_clock::now() + (waiting.begin()->first - now));
    }
  }
}

void WebhookSender::Send(Delivery delivery) {
  const auto job = store_.Get(delivery.id, delivery.tenant);
  auto done = [state = state_, delivery](const absl::StatusOr<int>& answer) {
    MutexLock lock(state->mu);
    state->outcomes.push_back({delivery, answer});
    state->changed.NotifyAll();
  };
  if (!job.ok()) return done(job.status());
  const std::string body = JobJson(*job);
  post_(delivery.url, WebhookHeaders(options_.secret, clock_.unix_ms() / 1000, body), body, std::move(done));
}

void WebhookSender::Note(const Outcome& outcome) {
  const auto& [delivery, answer] = outcome;
  const bool delivered = answer.ok() && *answer >= 200 && *answer < 300;
  if (delivered) {
    Report(WithContext(store_.WebhookDelivered(delivery.id), "webhook"));
    return;
  }
  // Retention may have removed the job: there is nothing left to tell.
  const absl::Status noted = store_.WebhookTried(delivery.id);
  if (absl::IsNotFound(noted)) return;
  Report(WithContext(noted, "webhook"));

  Delivery next = delivery;
  ++next.tries;
  const std::string why = answer.ok() ? fmt::format("HTTP status {}", *answer) : Message(answer.status());
  if (next.tries >= options_.max_tries) {
    Report(Unavailable("webhook of job {}: given up after {} tries: {}", next.id, next.tries, why));
    Report(WithContext(store_.WebhookDelivered(next.id), "webhook"));
    return;
  }
  const auto pause = PauseAfter(next.tries);
  const absl::Status failed = Unavailable("webhook of job {}: try {} of {}: {}; the next in {} s", next.id, next.tries,
                                          options_.max_tries, why, pause.count() / 1000);
  {
    MutexLock lock(state_->mu);
    state_->due.emplace(clock_.now() + pause, std::move(next));
  }
  Report(failed);
}

std::chrono::milliseconds WebhookSender::PauseAfter(int tries) const {
  std::chrono::milliseconds pause = options_.first_pause;
  for (int i = 1; i < std::min(tries, options_.max_tries); ++i) pause *= 4;
  return pause;
}

void WebhookSender::Report(const absl::Status& status) const {
  if (report_ && !status.ok()) report_(status);
}

}  // namespace tutti

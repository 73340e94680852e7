#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "service/job_clock.h"
#include "service/job_store.h"

namespace tutti {

struct WebhookOptions {
  std::string secret;  // of the signature
  int max_tries = 6;   // then it is given up
  // After a try in vain; each further pause is four times the last: 10 s, 40 s, … 43 min.
  std::chrono::milliseconds first_pause{10'000};
  size_t max_at_once = 16;
};

// Tells the receivers of webhooks how their jobs ended: POSTs the job as JSON, signed, again and again with longer and
// longer pauses until somebody answers 2xx. The store knows what has been delivered and how often it was tried, so a
// restart goes on where it was; a receiver may hear of a job twice, never of none.
//
// Thread-safe: any number of threads may call any method at the same time. The work is done on a thread of its own.
class WebhookSender {
 public:
  // The HTTP status of the answer, or why there is none.
  using Done = std::function<void(const absl::StatusOr<int>&)>;
  // Begins to POST and returns; `done` is called once, from any thread, also from within the call or after the sender
  // is gone. It must follow no redirects and give up after some seconds by itself.
  using Post = std::function<void(const std::string& url, std::vector<std::pair<std::string, std::string>> headers,
                                  std::string body, Done done)>;

  // `report`, if any, is told what fails. Store and clock must outlive the sender.
  WebhookSender(JobStore& store, const JobClock& clock, WebhookOptions options, Post post,
                std::function<void(const absl::Status&)> report = nullptr);
  // Begins no more; what is on its way is forgotten and will be tried again after the next start.
  ~WebhookSender();

  WebhookSender(const WebhookSender&) = delete;
  WebhookSender& operator=(const WebhookSender&) = delete;

  // An ended job with a webhook: at once when it was never tried, else after the pause of its last try.
  void Deliver(const Job& job);

  // The clock was moved.
  void Wake();

 private:
  struct Delivery {
    std::string id, tenant, url;
    int tries = 0;  // in vain
  };
  struct Outcome {
    Delivery delivery;
    absl::StatusOr<int> answer;
  };
  struct State {
    Mutex mu;
    CondVar changed;
    std::multimap<std::chrono::steady_clock::time_point, Delivery> due TUTTI_GUARDED_BY(mu);
    std::vector<Outcome> outcomes TUTTI_GUARDED_BY(mu);
    size_t at_once TUTTI_GUARDED_BY(mu) = 0;
    bool stopping TUTTI_GUARDED_BY(mu) = false;
  };

  void Run();
  // What there is to do now, after waiting for it. False at the end.
  bool Take(std::vector<Outcome>& outcomes, std::vector<Delivery>& due);
  void Send(Delivery delivery);
  void Note(const Outcome& outcome);
  std::chrono::milliseconds PauseAfter(int tries) const;
  void Report(const absl::Status& status) const;

  JobStore& store_;
  const JobClock& clock_;
  const WebhookOptions options_;
  const Post post_;
  const std::function<void(const absl::Status&)> report_;

  const std::shared_ptr<State> state_;  // shared with the calls of `done` to come
  std::thread thread_;
};

}  // namespace tutti

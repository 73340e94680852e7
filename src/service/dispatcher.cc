#include "service/dispatcher.h"

#include <utility>

#include "service/dispatcher_state.h"

namespace tutti {

class Dispatcher::StateTicket final : public Ticket {
 public:
  StateTicket(std::weak_ptr<State> state, int64_t id) : state_(std::move(state)), id_(id) {}

  void Cancel() override {
    if (const auto state = state_.lock()) state->Cancel(id_);
  }

 private:
  const std::weak_ptr<State> state_;
  const int64_t id_;
};

Dispatcher::Dispatcher(std::shared_ptr<Recognizer> recognizer, const DispatcherOptions& options)
    : recognizer_(std::move(recognizer)),
      state_(std::make_shared<State>(options)),
      thread_([this] { state_->Run(*recognizer_); }) {}

Dispatcher::~Dispatcher() {
  state_->Close();
  thread_.join();
}

absl::StatusOr<std::shared_ptr<Dispatcher::Ticket>> Dispatcher::Submit(Work work) {
  TUTTI_ASSIGN_OR_RETURN(const int64_t id, state_->Submit(std::move(work)));
  return std::make_shared<StateTicket>(state_, id);
}

double Dispatcher::RetryAfterSeconds() const { return state_->RetryAfterSeconds(); }

void Dispatcher::Drain() { state_->Drain(); }

Dispatcher::Load Dispatcher::load() const { return state_->load(); }

}  // namespace tutti

#include "service/model_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace tutti {

// Models that nobody holds. Their end waits for what runs in them: seconds that a service's thread does not have.
//
// Thread-safe. Run is for one thread.
class ModelTable::Cemetery {
 public:
  void Bury(const LoadedModel* model) TUTTI_EXCLUDES(mu_) {
    std::unique_ptr<const LoadedModel> dead(model);
    MutexLock lock(mu_);
    if (closed_) return;  // after the lock is gone, `dead` ends here
    dead_.push_back(std::move(dead));
    changed_.NotifyAll();
  }

  // Until Close, and until none is left.
  void Run() TUTTI_EXCLUDES(mu_) {
    while (true) {
      std::vector<std::unique_ptr<const LoadedModel>> ending;
      MutexLock lock(mu_);
      while (dead_.empty() && !closed_) changed_.Wait(mu_);
      if (dead_.empty()) return;
      ending.swap(dead_);
    }
  }

  void Close() TUTTI_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    closed_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<std::unique_ptr<const LoadedModel>> dead_ TUTTI_GUARDED_BY(mu_);
  bool closed_ TUTTI_GUARDED_BY(mu_) = false;
};

ModelTable::ModelTable(Loader loader)
    : loader_(std::move(loader)),
      cemetery_(std::make_shared<Cemetery>()),
      undertaker_([cemetery = cemetery_] { cemetery->Run(); }) {}

ModelTable::~ModelTable() {
  Models models;
  {
    MutexLock lock(mu_);
    models_.swap(models);
  }
  models.clear();
  cemetery_->Close();
  undertaker_.join();
}

absl::StatusOr<std::unique_ptr<ModelTable>> ModelTable::Load(const ServeOptions& options, Loader loader) {
  std::unique_ptr<ModelTable> table(new ModelTable(std::move(loader)));
  TUTTI_RETURN_IF_ERROR(table->Reload(options));
  return table;
}

absl::StatusOr<ModelTable::Models> ModelTable::LoadAll(const ServeOptions& options) const {
  if (options.models.model.empty()) return InvalidArgument("models.model: at least one model is needed");
  Models models;
  for (const std::string& given : options.models.model) {
    TUTTI_ASSIGN_OR_RETURN(LoadedModel model, loader_(options, given));
    for (const auto& other : models) {
      if (other->name == model.name) return InvalidArgument("models.model: two models are named {}", model.name);
    }
    models.emplace_back(new LoadedModel(std::move(model)),
                        [cemetery = cemetery_](const LoadedModel* dead) { cemetery->Bury(dead); });
  }
  return models;
}

absl::StatusOr<std::shared_ptr<const LoadedModel>> ModelTable::Find(std::string_view name) const {
  MutexLock lock(mu_);
  if (name.empty() || name == "whisper-1") return models_.front();
  std::vector<std::string_view> names;
  for (const auto& model : models_) {
    if (model->name == name) return model;
    names.push_back(model->name);
  }
  return NotFound("model '{}' is not loaded; there are {}", name, fmt::join(names, ", "));
}

std::vector<std::shared_ptr<const LoadedModel>> ModelTable::all() const {
  MutexLock lock(mu_);
  return models_;
}

absl::Status ModelTable::Reload(const ServeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(Models models, LoadAll(options));
  MutexLock lock(mu_);
  models_.swap(models);
  if (draining_) {
    for (const auto& model : models_) model->dispatcher->Drain();
  }
  return absl::OkStatus();
}

void ModelTable::Drain() {
  MutexLock lock(mu_);
  draining_ = true;
  for (const auto& model : models_) model->dispatcher->Drain();
}

int64_t ModelTable::pending() const {
  int64_t pending = 0;
  for (const auto& model : all()) {
    const Dispatcher::Load load = model->dispatcher->load();
    pending += load.waiting + load.running;
  }
  return pending;
}

absl::StatusOr<LoadedModel> LoadModel(const ServeOptions& options, std::string name, const std::string& model,
                                      const std::string& vad, const RecognizerMaker& make) {
  TUTTI_ASSIGN_OR_RETURN(const ComputeType compute_type, ParseComputeType(options.models.compute_type));
  TUTTI_ASSIGN_OR_RETURN(std::shared_ptr<Recognizer> recognizer, make({.model = model,
                                                                       .vad = vad,
                                                                       .compute_type = compute_type,
                                                                       .threads = options.models.threads,
                                                                       .decode_threads = options.models.decode_threads,
                                                                       .batch_seconds = options.models.batch_seconds}));
  // Two batches for every worker, one that runs and one that forms.
  const double batch = std::max(options.models.batch_seconds, recognizer->stats().batch_budget_seconds);
  const double window = std::max(120.0, 2 * batch * recognizer->threads());
  auto dispatcher = std::make_unique<Dispatcher>(
      recognizer, DispatcherOptions{.queue_seconds = options.limits.queue_seconds, .window_seconds = window});
  return LoadedModel{.name = std::move(name), .recognizer = recognizer, .dispatcher = std::move(dispatcher)};
}

}  // namespace tutti

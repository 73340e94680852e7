#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "service/config.h"
#include "service/dispatcher.h"
#include "tutti/recognizer.h"

namespace tutti {

// A model that a service offers under a name. Immutable; recognizer and dispatcher have thread contracts of their own.
struct LoadedModel {
  std::string name;
  std::shared_ptr<Recognizer> recognizer;
  std::unique_ptr<Dispatcher> dispatcher;  // goes before the recogniser
};

// The models of a service. A request holds the model it began with, so that Reload disturbs nobody. Whoever lets go of
// a model last does not wait for its end, which a thread of the table sees to.
//
// Thread-safe: any number of threads may call any method at the same time.
class ModelTable {
 public:
  // Loads a model from "NAME=PATH", or from a path or registered name, which is its name then, as the options say. May
  // block for seconds.
  using Loader = std::function<absl::StatusOr<LoadedModel>(const ServeOptions& options, const std::string& given)>;

  // Loads all of options.models.model, of which the first is the default.
  static absl::StatusOr<std::unique_ptr<ModelTable>> Load(const ServeOptions& options, Loader loader);

  // Empty and "whisper-1", which clients of OpenAI send unasked, mean the default. NotFound lists the names.
  absl::StatusOr<std::shared_ptr<const LoadedModel>> Find(std::string_view name) const TUTTI_EXCLUDES(mu_);
  std::vector<std::shared_ptr<const LoadedModel>> all() const TUTTI_EXCLUDES(mu_);

  // Loads all that these options name; they take the place of the old ones, which go when their last request has ended.
  // On an error nothing changes. One at a time.
  absl::Status Reload(const ServeOptions& options) TUTTI_EXCLUDES(mu_);

  // Waits for the end of models that nobody holds any more.
  ~ModelTable();

  // Accepts nothing from now on. Unfinished requests over all models are in pending().
  void Drain() TUTTI_EXCLUDES(mu_);
  int64_t pending() const TUTTI_EXCLUDES(mu_);

 private:
  using Models = std::vector<std::shared_ptr<const LoadedModel>>;

  class Cemetery;

  explicit ModelTable(Loader loader);
  absl::StatusOr<Models> LoadAll(const ServeOptions& options) const;

  const Loader loader_;
  const std::shared_ptr<Cemetery> cemetery_;
  std::thread undertaker_;

  mutable Mutex mu_;
  Models models_ TUTTI_GUARDED_BY(mu_);
  bool draining_ TUTTI_GUARDED_BY(mu_) = false;
};

// Recognizer::Create, or what takes its place.
using RecognizerMaker = std::function<absl::StatusOr<std::shared_ptr<Recognizer>>(const RecognizerOptions&)>;

// With the recogniser options that ServeOptions mean, one model: `model` and `vad` are paths, vad may be empty.
absl::StatusOr<LoadedModel> LoadModel(const ServeOptions& options, std::string name, const std::string& model,
                                      const std::string& vad, const RecognizerMaker& make);

}  // namespace tutti

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "service/config.h"
#include "service/model_table.h"

namespace tutti {

struct Service;

// The service: listens, answers, drains. Run it from the program's main thread; it takes over SIGTERM, SIGINT and
// SIGHUP as long as it lives.
class Server {
 public:
  // Reads the options anew, from wherever they came. May block.
  using OptionsReader = std::function<absl::StatusOr<ServeOptions>()>;

  // Opens the port, becomes options.security.user, loads the keys and the models. Errors name the option at fault.
  // Without `reread` SIGHUP finds the same options again.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const ServeOptions& options, ModelTable::Loader loader,
                                                        OptionsReader reread = nullptr);
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "http://127.0.0.1:8000"; the port that the system chose when 0 was asked for.
  std::string url() const;

  // Until a signal ends it, or Stop, then drains: accepts nothing, finishes what was accepted, for drain_seconds at
  // most. SIGHUP reads options, keys and models anew: options that are wrong change nothing, those that need a restart
  // are logged, and what cannot be loaded stays as it was. Returns false when something was left unfinished.
  bool Run();
  // From any thread.
  void Stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace tutti

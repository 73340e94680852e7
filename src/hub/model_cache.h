#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/fetch_source.h"
#include "hub/manifest.h"
#include "hub/model_source.h"

namespace tutti {

// A folder of models that were fetched: NAME/ for a registered one, hf/OWNER/NAME/ and modelscope/OWNER/NAME/ for
// repositories, each with its manifest.json. What is on its way lies in .pull/NAME/: finished files in files/, archives
// in wheels/, each as FILE.part until it is whole. A model appears under its name all at once, when every file is there
// and checked. A lock keeps two processes from working on one model at a time.
//
// Not thread-safe.
class ModelCache {
 public:
  explicit ModelCache(std::string folder, HubOptions options = {});

  // How a pull tells what it does.
  struct Listener {
    std::function<void(std::string_view)> say;  // a line for people
    PullProgress progress;
  };

  struct Pulled {
    std::string directory;
    Manifest manifest;
    bool was_there = false;  // whole already; nothing was fetched
  };
  // Makes sure that the model is here and whole: checks what is, or fetches it from its sources in turn. When another
  // process is at it, waits for that one first. Files of somebody else's in the model's directory stay.
  //
  // FailedPrecondition when a file of it is there that no pull made. Else the error names every source with
  // what went wrong there: DataLoss if one of them had that, else Unavailable.
  absl::StatusOr<Pulled> Pull(const ModelSpec& spec, const Listener& listener);

  // The directory of the model, of a repository the first that is here. NotFound when it was not pulled.
  absl::StatusOr<std::string> Find(const ModelSpec& spec) const;

  // Removes what Pull made, also what it left unfinished. Returns how many files of somebody else's stayed in the
  // model's directory. NotFound when there was nothing; FailedPrecondition while it is being pulled.
  absl::StatusOr<int> Remove(const ModelSpec& spec);

  // All that were pulled, by their folders, sorted.
  struct Entry {
    std::string directory;
    Manifest manifest;
  };
  std::vector<Entry> List() const;

  const std::string& folder() const { return folder_; }

 private:
  // The model if it is here and whole.
  std::optional<Pulled> FindWhole(const ModelSpec& spec) const;
  absl::StatusOr<Manifest> Fetch(const ModelSpec& spec, const ModelSource& source, const std::string& pulling,
                                 const Listener& listener);

  const std::string folder_;
  const HubOptions options_;
};

}  // namespace tutti

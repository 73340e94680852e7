#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "models/fsmn_vad.h"

namespace tutti::testing {

// The official FSMN-VAD; a test failure that says how to get it, and null, when it is not there.
inline std::shared_ptr<const FsmnVad> LoadVadModel() {
  const std::string directory = TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad";
  auto package = ModelPackage::Open(directory);
  if (!package.ok()) {
    ADD_FAILURE() << directory << " (`make models` fetches it): " << package.status();
    return nullptr;
  }
  auto model = FsmnVad::Load(*package);
  if (!model.ok()) {
    ADD_FAILURE() << directory << ": " << model.status();
    return nullptr;
  }
  return *model;
}

}  // namespace tutti::testing

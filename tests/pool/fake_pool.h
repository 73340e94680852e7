#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pool/process_pool.h"
#include "tests/engine/fake_parts.h"
#include "tests/engine/real_parts.h"
#include "tests/support/eventually.h"

namespace tutti::testing {

// Options of a pool over a fake model; `on_batch` runs in the workers. What a sanitizer says there fails the test.
inline PoolOptions FakePoolOptions(std::function<void(const ScatteredBatch&)> on_batch = nullptr) {
  PoolOptions options;
  options.recognizer.threads = 1;
  options.load = [on_batch]() -> absl::StatusOr<RecognizerParts> {
    return RecognizerParts{std::make_shared<FakeAsrModel>(on_batch), nullptr, "fake"};
  };
  options.on_log = [](std::string_view line) {
    if (line.find("Sanitizer") != std::string_view::npos) ADD_FAILURE() << line;
  };
  return options;
}

inline std::unique_ptr<ProcessPool> MakePool(const PoolOptions& options) {
  auto pool = ProcessPool::Create(options);
  if (!pool.ok()) ADD_FAILURE() << pool.status();
  return pool.ok() ? *std::move(pool) : nullptr;
}

inline std::shared_ptr<Transcription> Submit(Recognizer& recognizer, AudioInput input,
                                             Recognizer::OnDone on_done = nullptr) {
  return *recognizer.Submit(std::move(input), {}, std::move(on_done));
}

inline std::vector<std::shared_ptr<Transcription>> SubmitTones(Recognizer& recognizer, int count) {
  std::vector<std::shared_ptr<Transcription>> handles;
  for (int i = 0; i < count; ++i) handles.push_back(Submit(recognizer, Tone(i, 200 + 60 * i)));
  return handles;
}

// Audio in many formats, and files that are none.
inline const std::string kCodecs = TUTTI_SOURCE_DIR "/tests/data/audio/";
inline std::vector<std::string> AnyAudioFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kCodecs)) files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

// Longer than any other: the recording that the model's hook does something about.
inline constexpr int64_t kPoisonMs = 5000;

// Recordings are told apart by their length: `ms` of a tone has this many rows.
inline int64_t RowsOf(int64_t ms) { return FakeAsrModel().frontend()->Rows(ms * 16); }

inline bool HasRecordingOf(const ScatteredBatch& batch, int64_t ms) {
  for (int64_t i = 0; i < batch.segments(); ++i) {
    if (batch.rows(i) == RowsOf(ms)) return true;
  }
  return false;
}

// Whatever a sanitizer does with the signal.
[[noreturn]] inline void DieOf(int number) {
  std::signal(number, SIG_DFL);
  std::raise(number);
  std::abort();
}

}  // namespace tutti::testing

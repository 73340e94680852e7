#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/batch_job.h"
#include "cli/batch_run.h"
#include "tests/support/folder.h"

namespace tutti {

// "Transcribes" files into what is in them; those that hold "bad" fail. Each is done before Start returns.
class ContentsJob final : public RecordingJob {
 public:
  explicit ContentsJob(size_t formats) : formats_(formats) {}

  void Start(size_t /*index*/, const Input& input, Done done) override {
    started_.push_back(input.below);
    const std::string text = testing::BytesOf(input.path);
    if (on_start) on_start(input.path);
    if (text == "bad") return done({.status = InvalidArgument("{}: no audio stream", input.path), .texts = {}});
    Outcome outcome{.status = absl::OkStatus(), .texts = {}, .audio_ms = 1000};
    for (size_t i = 0; i < formats_; ++i) outcome.texts.push_back(fmt::format("{} says {}\n", i, text));
    done(std::move(outcome));
  }
  void CancelAll() override {}
  int64_t audio_ms_in_progress() const override { return 0; }

  const std::vector<std::string>& started() const { return started_; }
  std::function<void(const std::string& path)> on_start;

 private:
  const size_t formats_;
  std::vector<std::string> started_;
};

// A job over a folder "in" with outputs in "out", and what one run of it came to.
struct JobRun {
  absl::Status status;  // of what comes before RunBatch
  BatchResult result = {};
  std::vector<std::string> started = {};
  BatchJournal::Counts counts = {};
  std::string printed = {};  // on standard output
};

struct JobSetup {
  std::vector<std::string> inputs = {};
  std::string journal = {};
  std::string output = {};  // empty: standard output
  std::vector<std::string> formats = {"txt", "srt"};
  BatchSettings settings = {{"--model", "m"}};
  bool restart = false;
  int retries = 2;
  size_t max_started = 1;  // each result has a transaction of its own
  SyncPoints* sync_points = nullptr;
  std::function<void(const std::string&)> on_start = {};
};

inline JobRun RunJob(const JobSetup& setup) {
  JobRun run;
  const auto inputs = ExpandInputs(setup.inputs);
  if (!inputs.ok()) return {.status = inputs.status()};
  OutputOptions output{.extensions = setup.formats, .directory = setup.output};
  auto job = BatchJob::Open({.journal = setup.journal,
                             .restart = setup.restart,
                             .retries = setup.retries,
                             .formats = setup.formats,
                             .output = setup.output,
                             .settings = setup.settings,
                             .sync_points = setup.sync_points},
                            *inputs, output);
  if (!job.ok()) return {.status = job.status()};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), std::fclose);
  const auto writer = ResultWriter::Create(*inputs, output, out.get());
  if (!writer.ok()) return {.status = writer.status()};
  run.status = (*job)->Begin({{"compute type in use", "f32"}});
  if (!run.status.ok()) return run;
  ContentsJob contents(setup.formats.size());
  contents.on_start = setup.on_start;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> null(std::fopen("/dev/null", "w"), std::fclose);
  ProgressDisplay display(ProgressMode::kNone, null.get());
  const Interrupt interrupt;
  run.result = RunBatch(*inputs, contents, **writer, display, interrupt,
                        {.max_started = setup.max_started,
                         .failure_text = [](std::string_view, const absl::Status&) { return "failed\n"; },
                         .job = job->get()});
  run.started = contents.started();
  run.counts = (*job)->counts().value_or(BatchJournal::Counts{});
  run.printed.resize(static_cast<size_t>(std::ftell(out.get())));
  std::rewind(out.get());
  run.printed.resize(std::fread(run.printed.data(), 1, run.printed.size(), out.get()));
  return run;
}

}  // namespace tutti

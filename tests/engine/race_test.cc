// The race of the article that this project answers: threads that share one FunASR model, stopped between "the network
// is done" and "its frames are consumed", read each other's frame counts and options. Here the same interleavings are
// forced on one shared Recognizer, and on a small copy of FunASR's design, which must fail for the test to mean a
// thing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/real_parts.h"
#include "tests/engine/rendezvous.h"
#include "tests/support/wav.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

using testing::Dump;
using testing::RealRecognizer;
using testing::Rendezvous;

// FunASR's design in small: how many rows a call has is kept on the shared model. An atomic stands in for Python's
// interpreter lock.
class ModelWithState final : public AsrModel {
 public:
  explicit ModelWithState(SyncPoints& sync_points) : sync_points_(sync_points) {}

  const Frontend* frontend() const override { return frontend_.get(); }
  std::string_view family() const override { return "model with state"; }
  ComputeType compute_type() const override { return ComputeType::kF32; }

  void Recognise(const ScatteredBatch& features, Workspace&, std::span<Hypothesis> hypotheses) const override {
    rows_ = features.rows();
    sync_points_.At("network_done");
    hypotheses.front().ids = {static_cast<int32_t>(rows_)};
  }

  SegmentText Text(const Hypothesis& hypothesis) const override { return {std::to_string(hypothesis.ids.at(0)), {}}; }

 private:
  const std::shared_ptr<const Frontend> frontend_ = *Frontend::Create(FrontendOptions{}, Cmvn{});
  SyncPoints& sync_points_;
  mutable std::atomic<int64_t> rows_ = 0;
};

TEST(RaceTest, ADesignWithStateOnTheSharedModelFailsInTheSameScene) {
  constexpr int kThreads = 4;
  Rendezvous rendezvous({"network_done"}, kThreads);
  RecognizerOptions options;
  options.threads = kThreads;
  options.batch_seconds = 0.06;  // every segment alone
  const auto recognizer = *CreateRecognizer(options, {std::make_shared<ModelWithState>(rendezvous), nullptr, ""});
  std::vector<std::shared_ptr<Transcription>> pending;
  for (int i = 1; i <= kThreads; ++i) {
    pending.push_back(*recognizer->Submit(
        AudioInput::Samples(std::vector<float>(static_cast<size_t>(i) * 16'000), 16'000, 1, "silence")));
  }
  std::set<std::string> texts;
  for (const auto& request : pending) texts.insert(request->Wait()->text);
  EXPECT_EQ(texts.size(), 1u) << "each of four lengths should have come out as the last writer's";
}

struct Job {
  AudioInput input;
  TranscribeOptions options;
};

// Mixed lengths and, per request, mixed VAD options, channels and lengths of segments.
std::vector<Job> MixedJobs() {
  const auto speech = testing::ReadWav(testing::kAudioDirectory + "long.wav");
  const auto part = [&speech](double from, double to) {
    return std::vector<float>(speech.begin() + static_cast<int64_t>(from * 16'000),
                              speech.begin() + static_cast<int64_t>(to * 16'000));
  };
  const auto stereo = [&](double from, double to, double shift) {
    const auto left = part(from, to), right = part(from + shift, to + shift);
    std::vector<float> both;
    for (size_t i = 0; i < left.size(); ++i) both.insert(both.end(), {left[i], right[i]});
    return both;
  };
  std::vector<Job> jobs;
  const auto add = [&jobs](AudioInput input, const std::function<void(TranscribeOptions&)>& choose) {
    jobs.push_back({std::move(input), {}});
    choose(jobs.back().options);
  };
  const auto silence = [](int ms, int longest = 60'000) {
    return [ms, longest](TranscribeOptions& o) {
      o.vad_options.emplace().max_end_silence_time = ms;
      o.vad_options->max_single_segment_time = longest;
    };
  };
  const auto mono = [&](double from, double to, std::string name) {
    return AudioInput::Samples(part(from, to), 16'000, 1, std::move(name));
  };
  add(AudioInput::File(testing::kAudioDirectory + "clip_a.wav"), silence(800));
  add(AudioInput::File(testing::kAudioDirectory + "clip_b.wav"), silence(200));
  add(mono(0, 20, "patient"), silence(1500));
  add(mono(0, 20, "hasty"), silence(200));
  add(mono(5, 18, "short segments"), silence(800, 2000));
  add(mono(30, 42, "dynamic"), [](auto& o) { o.vad_options.emplace().dynamic_silence = true; });
  add(mono(10, 22, "no vad"), [](auto& o) {
    o.use_vad = false;
    o.max_segment_ms = 5000;
  });
  add(AudioInput::Samples(stereo(2, 12, 20), 16'000, 2, "split"), [](auto& o) { o.channels = Channels::kSplit; });
  add(AudioInput::Samples(stereo(2, 12, 20), 16'000, 2, "mixed"), [](auto& o) { o.priority = Priority::kInteractive; });
  add(mono(25, 25.3, "snippet"), silence(800));
  add(mono(25, 25, "nothing"), silence(800));
  add(mono(40, 50, "with a deadline"),
      [](auto& o) { o.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1); });
  return jobs;
}

std::vector<std::string> OneAfterTheOther(const std::vector<Job>& jobs) {
  RecognizerOptions options;
  options.threads = 1;
  const auto recognizer = RealRecognizer(options);
  std::vector<std::string> results;
  for (const Job& job : jobs) results.push_back(Dump(recognizer->Transcribe(job.input, job.options)));
  return results;
}

TEST(RaceTest, SharedRecognizerGivesTheSequentialResultsWhereverItsThreadsAreStopped) {
  const std::vector<Job> jobs = MixedJobs();
  const std::vector<std::string> expected = OneAfterTheOther(jobs);
  struct Scene {
    std::set<std::string, std::less<>> points;
    int width;
  };
  const std::vector<Scene> scenes = {{{"VadStream:network_done"}, 4},
                                     {{"Worker:network_done"}, 3},
                                     {{"VadStream:network_done", "Feed:segment_cut", "SegmentQueue:pushed",
                                       "Worker:batch_popped", "Worker:network_done"},
                                      2}};
  for (const auto& [points, width] : scenes) {
    Rendezvous rendezvous(points, width);
    RecognizerOptions options;
    options.threads = 3;
    options.decode_threads = 6;
    options.batch_seconds = 8;
    options.queue_seconds = 20;
    options.sync_points = &rendezvous;
    const auto recognizer = RealRecognizer(options);
    std::vector<std::shared_ptr<Transcription>> pending, disturbers;
    for (const Job& job : jobs) {
      // Neighbours that are cancelled, too late or broken must not be noticed.
      disturbers.push_back(*recognizer->Submit(job.input, job.options));
      disturbers.back()->Cancel();
      TranscribeOptions late = job.options;
      late.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
      disturbers.push_back(*recognizer->Submit(job.input, late));
      disturbers.push_back(*recognizer->Submit(AudioInput::File("/nowhere"), job.options));
      pending.push_back(*recognizer->Submit(job.input, job.options));
    }
    for (size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(Dump(pending[i]->Wait()), expected[i]) << jobs[i].input.name();
    for (size_t i = 0; i < disturbers.size(); ++i) {
      const auto& result = disturbers[i]->Wait();
      EXPECT_TRUE(!result.ok() || Dump(result) == expected[i / 3]) << Dump(result);
    }
    for (const std::string& point : points) {
      EXPECT_GT(rendezvous.meetings(point), 0) << point << ": nobody met, nothing was proven";
    }
  }
}

TEST(RaceTest, CallersOnTheirOwnThreadsShareOneRecognizer) {
  const std::vector<Job> jobs = MixedJobs();
  const std::vector<std::string> expected = OneAfterTheOther(jobs);
  Rendezvous rendezvous({"VadStream:network_done", "Worker:network_done"}, 2);
  RecognizerOptions options;
  options.threads = 2;
  options.sync_points = &rendezvous;
  const auto recognizer = RealRecognizer(options);
  std::vector<std::thread> callers;
  for (size_t i = 0; i < jobs.size(); ++i) {
    callers.emplace_back(
        [&, i] { EXPECT_EQ(Dump(recognizer->Transcribe(jobs[i].input, jobs[i].options)), expected[i]); });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(RaceTest, SharedVadGivesTheSequentialSegmentsToRecordingsAndStreams) {
  const auto speech = testing::ReadWav(testing::kAudioDirectory + "long.wav");
  constexpr int kThreads = 6;
  const auto samples = [&speech](int i) {
    return std::vector<float>(speech.begin() + i * 16'000, speech.begin() + (20 + 4 * i) * 16'000);
  };
  const auto options = [](int i) {
    VadOptions options;
    options.max_end_silence_time = 200 + 300 * i;
    options.max_single_segment_time = i % 2 == 0 ? 60'000 : 3'000;
    return options;
  };
  const auto detect = [&](Recognizer& recognizer, int i) {
    TranscribeOptions transcribe;
    transcribe.vad_options = options(i);
    const auto result = recognizer.DetectSpeech(AudioInput::Samples(samples(i), 16'000, 1, "part"), transcribe);
    return result.ok() ? result->channels.at(0) : std::vector<VadSegment>();
  };
  const auto listen = [&](Recognizer& recognizer, int i) {
    const auto stream = *recognizer.OpenStream(options(i));
    const auto audio = samples(i);
    std::vector<VadSegment> segments;
    for (size_t at = 0; at < audio.size(); at += 9600) {
      const size_t count = std::min<size_t>(9600, audio.size() - at);
      for (const VadEvent& event : stream->Accept(std::span(audio).subspan(at, count), at + count == audio.size())) {
        if (event.start_ms >= 0) segments.push_back({event.start_ms, -1});
        if (event.end_ms >= 0) segments.back().end_ms = event.end_ms;
      }
    }
    return segments;
  };

  RecognizerOptions recognizer_options;
  recognizer_options.threads = 1;
  std::vector<std::vector<VadSegment>> expected;
  {
    const auto alone = RealRecognizer(recognizer_options);
    for (int i = 0; i < kThreads; ++i) expected.push_back(detect(*alone, i));
  }
  constexpr int64_t kMeetings = 10;  // fewer than any of the threads has calls
  Rendezvous rendezvous({"VadStream:network_done"}, kThreads, kMeetings);
  recognizer_options.sync_points = &rendezvous;
  const auto shared = RealRecognizer(recognizer_options);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { EXPECT_EQ(detect(*shared, i), expected[static_cast<size_t>(i)]) << i; });
    threads.emplace_back([&, i] { EXPECT_EQ(listen(*shared, i), expected[static_cast<size_t>(i)]) << i; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(rendezvous.meetings("VadStream:network_done"), kMeetings);
  for (const auto& segments : expected) EXPECT_FALSE(segments.empty());
}

}  // namespace
}  // namespace tutti

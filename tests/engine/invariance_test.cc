#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/engine/real_parts.h"
#include "tests/support/sanitizers.h"

namespace tutti {
namespace {

using testing::Dump;
using testing::kThreadSanitizer;
using testing::RealRecognizer;

// What a list of files gives, with and without detection of speech.
std::string TranscribeAll(const RecognizerOptions& options) {
  const auto recognizer = RealRecognizer(options);
  std::string all;
  const auto transcribe = [&](std::initializer_list<const char*> names, const TranscribeOptions& options) {
    std::vector<std::string> files;
    for (const char* name : names) files.push_back(testing::kAudioDirectory + name + ".wav");
    recognizer->TranscribeFiles(files, options, [&all](size_t, const absl::StatusOr<Transcript>& result) {
      all += Dump(result);
      return true;
    });
  };
  transcribe({"clip_b", "long", "clip_a", "missing", "clip_b"}, {});
  TranscribeOptions no_vad;
  no_vad.use_vad = false;
  no_vad.max_segment_ms = 3000;
  transcribe({"clip_a", "clip_b", "clip_a"}, no_vad);
  return all;
}

TEST(InvarianceTest, ThreadsAndBatchSizeDoNotChangeABitOfAResult) {
  RecognizerOptions options;
  options.threads = 1;
  options.batch_seconds = 1;
  const std::string expected = TranscribeAll(options);
  EXPECT_NE(expected.find("long.wav 50000 ms"), std::string::npos) << expected;
  EXPECT_GT(std::ranges::count(expected, '\n'), 20);
  const auto counts = kThreadSanitizer ? std::vector{8} : std::vector{1, 2, 8, 32};
  for (const int threads : counts) {
    const auto lengths = kThreadSanitizer ? std::vector{10.0} : std::vector{1.0, 10.0, 60.0};
    for (const double batch_seconds : lengths) {
      options.threads = threads;
      options.batch_seconds = batch_seconds;
      EXPECT_EQ(TranscribeAll(options), expected) << threads << " threads, " << batch_seconds << " s a batch";
    }
  }
}

TEST(InvarianceTest, ThreadsThatShareABatchDoNotChangeABitOfAResult) {
  RecognizerOptions options;
  options.threads = 1;
  options.batch_seconds = 1;
  const std::string expected = TranscribeAll(options);
  options.latency = true;
  const auto counts = kThreadSanitizer ? std::vector{5} : std::vector{1, 2, 5};
  for (const int threads : counts) {
    const auto lengths = kThreadSanitizer ? std::vector{60.0} : std::vector{1.0, 60.0};
    for (const double batch_seconds : lengths) {
      options.threads = threads;
      options.batch_seconds = batch_seconds;
      EXPECT_EQ(TranscribeAll(options), expected) << threads << " threads, " << batch_seconds << " s a batch";
    }
  }
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * 4096;
}

TEST(InvarianceTest, ThreadsShareOneCopyOfTheWeights) {
  RecognizerOptions options;
  options.model = testing::kModelDirectory;
  options.vad = testing::kVadDirectory;
  const auto growth = [&options](int threads) {
    options.threads = threads;
    const int64_t before = ResidentBytes();
    const auto recognizer = Recognizer::Create(options);
    EXPECT_TRUE(recognizer.ok()) << recognizer.status();
    return ResidentBytes() - before;
  };
  growth(1);  // what is paid once a process
  const int64_t one = growth(1), many = growth(32);
  // 31 more copies of the weights would be 500 MB. A thread takes little by itself; under TSan, a megabyte.
  EXPECT_LT(many - one, int64_t{160} << 20) << "1 thread: " << one << " bytes, 32 threads: " << many;
}

}  // namespace
}  // namespace tutti

#include "engine/segmenter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/engine/real_parts.h"
#include "tests/support/wav.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;

struct Found {
  VadSegment segment;
  std::vector<float> samples;
  bool operator==(const Found&) const = default;
};

struct Run {
  std::vector<Found> found;
  int64_t most_buffered = 0;
};

Run Segments(const std::shared_ptr<const FsmnVad>& vad, const SegmenterOptions& options,
             const std::vector<float>& samples, const std::function<size_t()>& next_piece) {
  Run run;
  Workspace workspace;
  Segmenter segmenter = *Segmenter::Create(vad, options);
  const auto sink = [&run](VadSegment segment, std::span<const float> audio) {
    run.found.push_back({segment, {audio.begin(), audio.end()}});
  };
  std::span<const float> left = samples;
  while (!left.empty()) {
    const size_t piece = std::min(left.size(), next_piece());
    segmenter.Accept(left.first(piece), false, workspace, sink);
    run.most_buffered = std::max(run.most_buffered, segmenter.buffered());
    left = left.subspan(piece);
  }
  segmenter.Accept({}, true, workspace, sink);
  return run;
}

std::function<size_t()> Always(size_t samples) {
  return [samples] { return samples; };
}

std::vector<float> Speech() { return testing::ReadWav(testing::kAudioDirectory + "long.wav"); }

// The segments follow each other without gap and hold the samples that their times say.
void ExpectSamplesOfTheirTimes(const std::vector<Found>& found, const std::vector<float>& samples) {
  for (const Found& f : found) {
    const auto begin = static_cast<size_t>(f.segment.start_ms * 16);
    const auto end = std::min(samples.size(), static_cast<size_t>(f.segment.end_ms * 16));
    ASSERT_LE(begin, end);
    ASSERT_EQ(f.samples.size(), end - begin);
    EXPECT_TRUE(std::equal(f.samples.begin(), f.samples.end(), samples.begin() + static_cast<int64_t>(begin)));
  }
}

TEST(SegmenterTest, FindsTheSegmentsOfTheVadWithTheirSamples) {
  const auto vad = testing::RealVad();
  const auto samples = Speech();
  Workspace workspace;
  const auto expected = DetectSpeech(vad, samples, {}, workspace);
  const auto found = Segments(vad, {}, samples, Always(16'000)).found;
  ASSERT_GT(expected->size(), 3u);
  ASSERT_EQ(found.size(), expected->size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].segment, (*expected)[i]);
  ExpectSamplesOfTheirTimes(found, samples);
}

TEST(SegmenterTest, PiecesOfAnyLengthGiveTheSameSegments) {
  const auto vad = testing::RealVad();
  const auto samples = Speech();
  SegmenterOptions options;
  options.vad.max_end_silence_time = 2000;
  options.max_segment_ms = 4000;
  for (const bool dynamic : {false, true}) {
    options.vad.dynamic_silence = dynamic;
    options.vad.chunk_size = 5000;
    const auto whole = Segments(vad, options, samples, Always(samples.size())).found;
    ExpectSamplesOfTheirTimes(whole, samples);
    EXPECT_EQ(Segments(vad, options, samples, Always(1600)).found, whole);
    std::mt19937 random(7);
    EXPECT_EQ(Segments(vad, options, samples, [&random] { return random() % 40'000 + 1; }).found, whole);
  }
}

TEST(SegmenterTest, ASegmentLongerThanAllowedIsCutIntoPiecesWithoutGap) {
  const auto samples = Speech();
  SegmenterOptions options;
  options.max_segment_ms = 10'000;
  const auto found = Segments(nullptr, options, samples, Always(16'000)).found;
  ASSERT_GE(found.size(), 5u);
  int64_t at = 0;
  for (const Found& f : found) {
    EXPECT_EQ(f.segment.start_ms, at);
    EXPECT_LE(f.segment.end_ms - at, 10'000);
    at = f.segment.end_ms;
  }
  EXPECT_EQ(at, static_cast<int64_t>(samples.size()) / 16);
  ExpectSamplesOfTheirTimes(found, samples);
}

TEST(SegmenterTest, ASegmentAsLongAsAllowedIsNotCut) {
  SegmenterOptions options;
  options.max_segment_ms = 2000;
  const auto times = [&options](size_t samples) {
    std::vector<VadSegment> times;
    for (const Found& f : Segments(nullptr, options, std::vector<float>(samples, 0.1F), Always(1000)).found) {
      times.push_back(f.segment);
    }
    return times;
  };
  EXPECT_THAT(times(32'000), ElementsAre(VadSegment{0, 2000}));
  EXPECT_EQ(times(32'016).size(), 2u);
}

TEST(SegmenterTest, MemoryDoesNotGrowWithTheRecording) {
  const auto vad = testing::RealVad();
  const auto speech = Speech();
  std::vector<float> samples;
  for (int i = 0; i < 4; ++i) samples.insert(samples.end(), speech.begin(), speech.end());
  samples.resize(samples.size() + 100 * 16'000);  // and silence

  SegmenterOptions options;
  options.vad.max_single_segment_time = 15'000;
  const int64_t with_vad = Segments(vad, options, samples, Always(16'000)).most_buffered;
  EXPECT_LE(with_vad, (15'000 + 2'000 + 1'000) * 16);

  // One endless segment.
  options.vad.max_single_segment_time = 10'000'000;
  options.vad.max_end_silence_time = 5'000;
  options.max_segment_ms = 8'000;
  EXPECT_LE(Segments(vad, options, samples, Always(16'000)).most_buffered, (8'000 + 6'000 + 1'000) * 16);
  EXPECT_LE(Segments(nullptr, options, samples, Always(16'000)).most_buffered, (8'000 + 1'000) * 16);
}

TEST(SegmenterTest, OptionsOutOfRangeAreRefused) {
  SegmenterOptions options;
  options.vad.window_size_ms = -1;
  EXPECT_EQ(Segmenter::Create(testing::RealVad(), options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti

#include "server/live_audio.h"

#include <gtest/gtest.h>

#include <random>

namespace tutti {
namespace {

// Speech where samples are not zero: a start after 100 ms of it, an end after 200 ms of silence, each told that much
// too late, as a VAD does.
class LoudnessVad final : public VadSession {
 public:
  std::vector<VadEvent> Accept(std::span<const float> samples, bool is_final) override {
    std::vector<VadEvent> events;
    for (const float sample : samples) {
      ++at_;
      run_ = (sample != 0) == loud_ ? run_ + 1 : 1;
      loud_ = sample != 0;
      if (loud_ && !speaking_ && run_ == 1600) {
        speaking_ = true;
        events.push_back({.start_ms = at_ / 16 - 100, .end_ms = -1});
      } else if (!loud_ && speaking_ && run_ == 3200) {
        speaking_ = false;
        events.push_back({.start_ms = -1, .end_ms = at_ / 16 - 200});
      }
    }
    if (is_final && speaking_) events.push_back({.start_ms = -1, .end_ms = at_ / 16});
    return events;
  }

 private:
  int64_t at_ = 0, run_ = 0;
  bool loud_ = false, speaking_ = false;
};

std::string Pcm(const std::vector<std::pair<int16_t, int>>& parts_of_ms, int rate = 16000) {
  std::string bytes;
  for (const auto& [value, ms] : parts_of_ms) {
    for (int i = 0; i < ms * rate / 1000; ++i) {
      bytes += static_cast<char>(value & 0xFF);
      bytes += static_cast<char>(value >> 8);
    }
  }
  return bytes;
}

TEST(LiveAudioTest, SentencesComeWithTheirSamplesHoweverTheStreamIsCut) {
  const std::string pcm = Pcm({{0, 500}, {1000, 700}, {0, 400}, {-2000, 1300}, {0, 300}, {300, 150}});
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    auto live = LiveAudio::Create(std::make_unique<LoudnessVad>(), 16000);
    ASSERT_TRUE(live.ok());
    std::vector<LiveAudio::Sentence> sentences;
    for (size_t at = 0; at < pcm.size();) {
      const size_t count = std::min<size_t>(1 + random() % 20'000, pcm.size() - at);
      for (auto& sentence : live->Accept(std::string_view(pcm).substr(at, count), false)) {
        sentences.push_back(std::move(sentence));
      }
      at += count;
    }
    for (auto& sentence : live->Accept("", true)) sentences.push_back(std::move(sentence));
    ASSERT_EQ(sentences.size(), 3u);
    EXPECT_EQ(sentences[0].start_ms, 500);
    EXPECT_EQ(sentences[0].end_ms, 1200);
    EXPECT_EQ(sentences[0].samples, std::vector<float>(700 * 16, 1000 / 32768.0F));
    EXPECT_EQ(sentences[1].samples, std::vector<float>(1300 * 16, -2000 / 32768.0F));
    EXPECT_EQ(sentences[2].start_ms, 3200);
    EXPECT_EQ(sentences[2].samples.size(), 150u * 16);
  }
}

TEST(LiveAudioTest, TheOpenSentenceGrowsAndIsGoneWhenItEnds) {
  auto live = *LiveAudio::Create(std::make_unique<LoudnessVad>(), 16000);
  EXPECT_FALSE(live.open().has_value());
  EXPECT_TRUE(live.Accept(Pcm({{1, 300}}), false).empty());
  ASSERT_TRUE(live.open().has_value());
  EXPECT_EQ(live.open()->samples.size(), 300u * 16);
  EXPECT_TRUE(live.Accept(Pcm({{1, 300}}), false).empty());
  EXPECT_EQ(live.open_ms(), 600);
  EXPECT_EQ(live.Accept(Pcm({{0, 500}}), false).size(), 1u);
  EXPECT_FALSE(live.open().has_value());
  EXPECT_EQ(live.open_ms(), 0);
}

TEST(LiveAudioTest, WithoutAVadTheStreamIsCutEveryMinute) {
  auto live = *LiveAudio::Create(nullptr, 16000);
  size_t seconds = 0;
  for (int i = 0; i < 130; ++i) {
    for (const auto& sentence : live.Accept(Pcm({{1, 1000}}), false)) {
      EXPECT_EQ(sentence.samples.size(), 60u * 16'000);
      seconds += 60;
    }
  }
  EXPECT_EQ(seconds, 120u);
  const auto last = live.Accept("", true);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].samples.size(), 10u * 16'000);
  EXPECT_EQ(last[0].start_ms, 120'000);
}

TEST(LiveAudioTest, TelephoneAudioIsResampled) {
  auto live = *LiveAudio::Create(nullptr, 8000);
  live.Accept(Pcm({{100, 1000}}, 8000), false);
  const auto sentences = live.Accept("", true);
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_EQ(sentences[0].samples.size(), 16'000u);
  EXPECT_FALSE(LiveAudio::Create(nullptr, 1).ok());
}

TEST(LiveAudioTest, SilenceIsForgottenAndTimesStayRight) {
  auto live = *LiveAudio::Create(std::make_unique<LoudnessVad>(), 16000);
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(live.Accept(Pcm({{0, 1000}}), false).empty());
  EXPECT_LE(live.held_ms(), 25'000);
  const auto sentences = live.Accept(Pcm({{5, 1000}, {0, 300}}), false);
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_EQ(sentences[0].start_ms, 600'000);
  EXPECT_EQ(sentences[0].samples, std::vector<float>(16'000, 5 / 32768.0F));
}

}  // namespace
}  // namespace tutti

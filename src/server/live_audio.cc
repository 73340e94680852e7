#include "server/live_audio.h"

#include <algorithm>
#include <utility>

namespace tutti {
namespace {

constexpr int64_t kLongestMs = 60'000;     // of a sentence without a VAD
constexpr int64_t kHesitationMs = 10'000;  // a VAD finds a sentence's start no later than this

}  // namespace

absl::StatusOr<LiveAudio> LiveAudio::Create(std::unique_ptr<VadSession> vad, int sample_rate) {
  TUTTI_ASSIGN_OR_RETURN(auto filter, ResampleFilter::Create(sample_rate));
  return LiveAudio(std::move(vad), Resampler(std::move(filter)));
}

std::vector<LiveAudio::Sentence> LiveAudio::Accept(std::string_view pcm, bool is_final) {
  std::vector<float> samples;
  samples.reserve(pcm.size() / 2 + 1);
  for (const char byte : pcm) {
    if (!half_sample_) {
      half_sample_ = byte;
      continue;
    }
    const auto low = static_cast<uint8_t>(*half_sample_), high = static_cast<uint8_t>(byte);
    samples.push_back(static_cast<float>(static_cast<int16_t>(low | high << 8)) / 32768.0F);
    half_sample_.reset();
  }
  const size_t before = samples_.size();
  resampler_.Accept(samples, is_final, samples_);
  const std::span<const float> arrived = std::span(samples_).subspan(before);

  std::vector<Sentence> sentences;
  if (vad_ != nullptr) {
    for (const VadEvent& event : vad_->Accept(arrived, is_final)) {
      if (event.start_ms >= 0) open_ms_ = event.start_ms;
      if (event.end_ms < 0 || open_ms_ < 0) continue;
      sentences.push_back(Cut(open_ms_, event.end_ms));
      open_ms_ = -1;
    }
  } else {
    if (open_ms_ < 0) open_ms_ = 0;
    while (open_ms() > kLongestMs || (is_final && open_ms() > 0)) {
      const int64_t end = std::min(open_ms_ + kLongestMs, received_ms());
      sentences.push_back(Cut(open_ms_, end));
      open_ms_ = end;
    }
  }
  Forget();
  return sentences;
}

std::optional<LiveAudio::Sentence> LiveAudio::open() const {
  if (open_ms_ < 0) return std::nullopt;
  return Cut(open_ms_, received_ms());
}

LiveAudio::Sentence LiveAudio::Cut(int64_t start_ms, int64_t end_ms) const {
  const auto size = static_cast<int64_t>(samples_.size());
  const int64_t begin = std::clamp<int64_t>(start_ms * kPerMs - first_, 0, size);
  const int64_t end = std::clamp<int64_t>(end_ms * kPerMs - first_, begin, size);
  return {start_ms, end_ms, {samples_.begin() + begin, samples_.begin() + end}};
}

void LiveAudio::Forget() {
  const int64_t keep_ms = open_ms_ >= 0 ? open_ms_ : received_ms() - kHesitationMs;
  const int64_t count = std::clamp<int64_t>(keep_ms * kPerMs - first_, 0, static_cast<int64_t>(samples_.size()));
  // Seldom, since what stays is moved.
  if (count < kHesitationMs * kPerMs && count < static_cast<int64_t>(samples_.size()) / 2) return;
  samples_.erase(samples_.begin(), samples_.begin() + count);
  first_ += count;
}

}  // namespace tutti

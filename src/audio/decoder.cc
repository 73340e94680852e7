#include "audio/decoder.h"

extern "C" {
#include <libavutil/avutil.h>
}

#include <algorithm>
#include <cmath>
#include <utility>

#include "audio/resampler.h"
#include "audio/sample_source.h"

namespace tutti {
namespace {

constexpr int64_t kRate = 16000;
constexpr size_t kSamplesPerRead = 16000;
// Some float files hold int16's range; anything beyond is no audio and would overflow in the front end.
constexpr float kLoudest = 32768.0F;
// Joined recordings change a few times; a hostile one would have us make filters for ever.
constexpr int kMaxRateChanges = 100;

float Sane(float x) {
  if (std::abs(x) <= kLoudest) return x;
  return std::isfinite(x) ? std::copysign(kLoudest, x) : 0.0F;
}

// Samples in memory, interleaved.
class InterleavedSource final : public SampleSource {
 public:
  InterleavedSource(std::span<const float> samples, int sample_rate, int channels)
      : sample_rate_(sample_rate), channels_(static_cast<size_t>(channels)), left_(samples) {
    expected_ = static_cast<int64_t>(samples.size() / channels_) * kRate / sample_rate_;
  }

  absl::StatusOr<bool> Next(AudioBlock& block) override {
    const size_t frames = std::min(left_.size() / channels_, static_cast<size_t>(sample_rate_));
    if (frames == 0) return false;
    block.sample_rate = sample_rate_;
    block.channels.resize(channels_);
    for (size_t c = 0; c < channels_; ++c) {
      block.channels[c].resize(frames);
      for (size_t i = 0; i < frames; ++i) block.channels[c][i] = left_[i * channels_ + c];
    }
    left_ = left_.subspan(frames * channels_);
    return true;
  }
  int64_t expected_samples() const override { return expected_; }
  bool truncated() const override { return false; }

 private:
  const int sample_rate_;
  const size_t channels_;
  int64_t expected_ = 0;
  std::span<const float> left_;
};

class Decoder final : public AudioDecoder {
 public:
  Decoder(std::string name, const DecodeOptions& options, std::unique_ptr<SampleSource> source)
      : name_(std::move(name)), options_(options), source_(std::move(source)) {}

  // Decodes the first block: containers err about rates and channels, samples do not.
  absl::Status Open() {
    TUTTI_ASSIGN_OR_RETURN(const bool any, source_->Next(block_));
    at_end_ = !any;
    if (any && options_.channels == ChannelMode::kSplit) channels_ = block_.channels.size();
    return any ? FollowRate() : absl::OkStatus();
  }

  int channels() const override { return static_cast<int>(channels_); }
  int64_t expected_samples() const override { return source_->expected_samples(); }
  bool truncated() const override { return source_->truncated(); }

  absl::StatusOr<bool> Read(std::vector<std::vector<float>>& out) override {
    TUTTI_RETURN_IF_ERROR(failure_);
    if (out.size() < channels_) out.resize(channels_);
    const size_t begin = out[0].size();
    failure_ = ReadSecond(begin, out);
    TUTTI_RETURN_IF_ERROR(failure_);
    return out[0].size() > begin;
  }

 private:
  absl::Status ReadSecond(size_t begin, std::vector<std::vector<float>>& out) {
    while (!at_end_ && out[0].size() < begin + kSamplesPerRead) {
      TUTTI_RETURN_IF_ERROR(Deliver(out));
      delivered_any_ = true;
      TUTTI_ASSIGN_OR_RETURN(const bool more, source_->Next(block_));
      at_end_ = !more;
      if (at_end_) {
        Finish(out);
      } else if (block_.sample_rate != sample_rate_) {
        Finish(out);
        TUTTI_RETURN_IF_ERROR(FollowRate());
      }
    }
    if (at_end_ && !delivered_any_ && source_->truncated()) {
      return DataLoss("{}: not one sample could be decoded", name_);
    }
    delivered_ += static_cast<int64_t>(out[0].size() - begin);
    if (delivered_ / (kRate / 1000) > options_.max_duration_ms) {
      return absl::OutOfRangeError(fmt::format("{}: longer than the {} ms allowed", name_, options_.max_duration_ms));
    }
    return absl::OkStatus();
  }

  // New resamplers for block_'s rate.
  absl::Status FollowRate() {
    if (rate_changes_++ > kMaxRateChanges) {
      return InvalidArgument("{}: changes its sample rate more than {} times", name_, kMaxRateChanges);
    }
    auto filter = ResampleFilter::Create(block_.sample_rate);
    if (!filter.ok()) return WithContext(filter.status(), name_);
    sample_rate_ = block_.sample_rate;
    resamplers_.clear();
    for (size_t c = 0; c < channels_; ++c) resamplers_.emplace_back(*filter);
    return absl::OkStatus();
  }

  absl::Status Deliver(std::vector<std::vector<float>>& out) {
    std::vector<std::vector<float>>& planes = block_.channels;
    for (auto& plane : planes) std::transform(plane.begin(), plane.end(), plane.begin(), Sane);
    if (options_.channels == ChannelMode::kMix) {
      MixIntoFirst(planes);
    } else if (planes.size() != channels_) {
      return InvalidArgument("{}: changes from {} to {} channels midway; they cannot be kept apart", name_, channels_,
                             planes.size());
    }
    for (size_t c = 0; c < channels_; ++c) resamplers_[c].Accept(planes[c], false, out[c]);
    return absl::OkStatus();
  }

  static void MixIntoFirst(std::vector<std::vector<float>>& planes) {
    if (planes.size() == 1) return;
    std::vector<float>& mix = planes[0];
    for (size_t c = 1; c < planes.size(); ++c) {
      std::transform(mix.begin(), mix.end(), planes[c].begin(), mix.begin(), std::plus<>());
    }
    const auto count = static_cast<float>(planes.size());
    for (float& x : mix) x /= count;
  }

  void Finish(std::vector<std::vector<float>>& out) {
    for (size_t c = 0; c < channels_; ++c) resamplers_[c].Accept({}, true, out[c]);
  }

  const std::string name_;
  const DecodeOptions options_;
  const std::unique_ptr<SampleSource> source_;
  size_t channels_ = 1;
  AudioBlock block_;  // decoded, not yet delivered
  bool at_end_ = false;
  bool delivered_any_ = false;
  int sample_rate_ = 0;  // of resamplers_
  int rate_changes_ = 0;
  std::vector<Resampler> resamplers_;
  int64_t delivered_ = 0;  // samples at 16 kHz
  absl::Status failure_;
};

absl::StatusOr<std::unique_ptr<AudioDecoder>> Open(std::string name, const DecodeOptions& options,
                                                   std::unique_ptr<SampleSource> source) {
  auto decoder = std::make_unique<Decoder>(std::move(name), options, std::move(source));
  TUTTI_RETURN_IF_ERROR(decoder->Open());
  return decoder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioDecoder::OpenFile(const std::string& path,
                                                                     const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto source, OpenLibavFile(path, options));
  return Open(path, options, std::move(source));
}

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioDecoder::OpenUpload(const std::string& path, const std::string& name,
                                                                       const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto source, OpenLibavUpload(path, name, options));
  return Open(name, options, std::move(source));
}

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioDecoder::OpenDescriptor(int fd, const std::string& name,
                                                                           bool is_upload,
                                                                           const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto source, OpenLibavDescriptor(fd, name, is_upload, options));
  return Open(name, options, std::move(source));
}

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioDecoder::OpenMemory(std::span<const std::byte> bytes,
                                                                       std::string name, const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto source, OpenLibavMemory(bytes, name, options));
  return Open(std::move(name), options, std::move(source));
}

absl::StatusOr<std::unique_ptr<AudioDecoder>> AudioDecoder::OpenSamples(std::span<const float> samples, int sample_rate,
                                                                        int channels, const DecodeOptions& options) {
  if (channels < 1 || channels > options.max_channels) {
    return InvalidArgument("samples: have {} channels, expected 1 … {}", channels, options.max_channels);
  }
  if (samples.size() % static_cast<size_t>(channels) != 0) {
    return InvalidArgument("samples: {} values are no multiple of {} channels", samples.size(), channels);
  }
  if (auto filter = ResampleFilter::Create(sample_rate); !filter.ok()) {
    return WithContext(filter.status(), "samples");
  }
  return Open("samples", options, std::make_unique<InterleavedSource>(samples, sample_rate, channels));
}

std::string AudioLibraryVersion() { return fmt::format("libav {}", av_version_info()); }

}  // namespace tutti

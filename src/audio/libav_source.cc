extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mathematics.h>
}

#include <array>
#include <cstdint>
#include <utility>

#include "audio/container.h"
#include "audio/libav_io.h"
#include "audio/sample_source.h"

namespace tutti {
namespace {

constexpr AVRational kTargetTimeBase = {1, 16000};
// 32 KB in which PCM may turn out to be something else.
constexpr int kPcmProbePackets = 8;
// Packets in a row that give no sample before we stop asking: hostile tables can list any number of empty packets.
constexpr int kMaxFruitlessPackets = 1'000'000, kMaxBadPackets = 20'000;
// Less than the header's duration by more than this (samples at 16 kHz) is a recording that breaks off; codecs' delays
// and paddings are shorter.
constexpr int64_t kDurationSlack = 4000;

struct CloseFormat {
  void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreeDictionary {
  void operator()(AVDictionary* dictionary) const { av_dict_free(&dictionary); }
};

std::string AvReason(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text = {};
  av_strerror(error, text.data(), text.size());
  return text.data();
}

std::string_view DemuxerOf(RawFormat::Encoding encoding) {
  switch (encoding) {
    case RawFormat::Encoding::kS16le:
      return "s16le";
    case RawFormat::Encoding::kS32le:
      return "s32le";
    case RawFormat::Encoding::kF32le:
      return "f32le";
    case RawFormat::Encoding::kU8:
      return "u8";
    case RawFormat::Encoding::kMulaw:
      return "mulaw";
    case RawFormat::Encoding::kAlaw:
      return "alaw";
  }
  return "s16le";
}

// Video decoders would only be opened to probe: libav may use decoders of audio alone.
std::string AudioDecoderNames() {
  std::string names;
  void* position = nullptr;
  while (const AVCodec* codec = av_codec_iterate(&position)) {
    if (codec->type != AVMEDIA_TYPE_AUDIO || !av_codec_is_decoder(codec)) continue;
    if (!names.empty()) names += ',';
    names += codec->name;
  }
  return names;
}

template <typename T, typename ToFloat>
void ToPlanes(const AVFrame& frame, bool planar, AudioBlock& block, ToFloat to_float) {
  const size_t channels = block.channels.size();
  for (size_t c = 0; c < channels; ++c) {
    const auto* in = reinterpret_cast<const T*>(frame.extended_data[planar ? c : 0]) + (planar ? 0 : c);
    const size_t step = planar ? 1 : channels;
    std::vector<float>& out = block.channels[c];
    for (size_t i = 0; i < out.size(); ++i) out[i] = to_float(in[i * step]);
  }
}

// False for a sample format that libav may have and we do not know.
bool Convert(const AVFrame& frame, AudioBlock& block) {
  const auto format = static_cast<AVSampleFormat>(frame.format);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  block.sample_rate = frame.sample_rate;
  block.channels.resize(static_cast<size_t>(frame.ch_layout.nb_channels));
  for (auto& channel : block.channels) channel.resize(static_cast<size_t>(frame.nb_samples));
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
      ToPlanes<uint8_t>(frame, planar, block, [](uint8_t x) { return static_cast<float>(x - 128) / 128.0F; });
      return true;
    case AV_SAMPLE_FMT_S16:
      ToPlanes<int16_t>(frame, planar, block, [](int16_t x) { return static_cast<float>(x) / 32768.0F; });
      return true;
    case AV_SAMPLE_FMT_S32:
      ToPlanes<int32_t>(frame, planar, block, [](int32_t x) { return static_cast<float>(x) / 2147483648.0F; });
      return true;
    case AV_SAMPLE_FMT_S64:
      ToPlanes<int64_t>(frame, planar, block, [](int64_t x) { return static_cast<float>(x) / 9223372036854775808.0F; });
      return true;
    case AV_SAMPLE_FMT_FLT:
      ToPlanes<float>(frame, planar, block, [](float x) { return x; });
      return true;
    case AV_SAMPLE_FMT_DBL:
      ToPlanes<double>(frame, planar, block, [](double x) { return static_cast<float>(x); });
      return true;
    default:
      return false;
  }
}

// Samples at 16 kHz, -1 when unknown.
int64_t Duration(const AVStream& stream) {
  if (stream.duration == AV_NOPTS_VALUE || stream.duration <= 0 || stream.time_base.num <= 0) return -1;
  const int64_t samples = av_rescale_q(stream.duration, stream.time_base, kTargetTimeBase);
  return samples > 0 ? samples : -1;
}

class LibavSource final : public SampleSource {
 public:
  LibavSource(std::unique_ptr<LibavInput> input, std::string name, const DecodeOptions& options)
      : name_(std::move(name)), max_channels_(options.max_channels), input_(std::move(input)) {}
  ~LibavSource() override {
    const QuietLibav quiet;
    codec_.reset();
    format_.reset();
  }

  // With `demuxers` empty, libav looks at the content and at the name's extension.
  absl::Status Open(std::string_view demuxers, const RawFormat* raw);

  absl::StatusOr<bool> Next(AudioBlock& block) override;
  int64_t expected_samples() const override { return expected_; }
  bool truncated() const override { return truncated_; }

 private:
  absl::Status OpenContainer(std::string_view demuxers, const RawFormat* raw);
  absl::Status OpenDecoder();
  absl::Status CheckChannels(int channels) const;
  absl::Status Feed();
  absl::Status Drain();
  absl::Status Error(int error, std::string_view what) const;

  const std::string name_;
  const int max_channels_;
  const std::unique_ptr<LibavInput> input_;  // outlives format_
  std::unique_ptr<AVFormatContext, CloseFormat> format_;
  std::unique_ptr<AVCodecContext, FreeCodec> codec_;
  const std::unique_ptr<AVPacket, FreePacket> packet_{av_packet_alloc()};
  const std::unique_ptr<AVFrame, FreeFrame> frame_{av_frame_alloc()};
  bool refers_elsewhere_ = false;
  int stream_ = -1;
  int64_t expected_ = -1;  // samples at 16 kHz
  int64_t promised_ = -1;  // the same, if the stream's own header says so
  double decoded_ = 0;     // samples at 16 kHz
  int fruitless_ = 0;      // packets since the last sample
  int bad_ = 0;            // those of our stream that could not be decoded
  bool draining_ = false;
  bool truncated_ = false;
};

absl::Status LibavSource::Error(int error, std::string_view what) const {
  if (error == AVERROR(ENOMEM)) return ResourceExhausted("{}: {}: {}", name_, what, AvReason(error));
  if (refers_elsewhere_) return InvalidArgument("{}: refers to other files, which are never opened", name_);
  return InvalidArgument("{}: {}: {}", name_, what, AvReason(error));
}

absl::Status LibavSource::OpenContainer(std::string_view demuxers, const RawFormat* raw) {
  const AVInputFormat* demuxer = nullptr;
  if (!demuxers.empty() && demuxers.find(',') == std::string_view::npos) {
    demuxer = av_find_input_format(std::string(demuxers).c_str());
    if (demuxer == nullptr) return Unimplemented("{}: this libav has no demuxer \"{}\"", name_, demuxers);
  } else {
    const int score = av_probe_input_buffer2(input_->context(), &demuxer, name_.c_str(), nullptr, 0, 0);
    if (score < 0) return Error(score, "not a container that libav knows");
    // Below this libav itself warns that it guesses; it takes noise for music.
    if (score < AVPROBE_SCORE_RETRY) return Error(AVERROR_INVALIDDATA, "not a container that libav knows");
  }

  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) return ResourceExhausted("{}: no memory for a demuxer", name_);
  context->pb = input_->context();
  context->opaque = this;
  // libav looks for DTS and the like inside of PCM, again and again over ever more of it: 5 ms of CPU for each WAV
  // file.
  if (demuxers == "wav") context->max_probe_packets = kPcmProbePackets;
  context->io_open = [](AVFormatContext* self, AVIOContext**, const char*, int, AVDictionary**) {
    static_cast<LibavSource*>(self->opaque)->refers_elsewhere_ = true;
    return AVERROR(EACCES);
  };
  AVDictionary* dictionary = nullptr;
  // Demuxers that open by themselves what they refer to inherit the list: there is no protocol of this name.
  av_dict_set(&dictionary, "protocol_whitelist", "none", 0);
  av_dict_set(&dictionary, "codec_whitelist", AudioDecoderNames().c_str(), 0);
  if (!demuxers.empty()) av_dict_set(&dictionary, "format_whitelist", std::string(demuxers).c_str(), 0);
  if (raw != nullptr) {
    av_dict_set_int(&dictionary, "sample_rate", raw->sample_rate, 0);
    av_dict_set(&dictionary, "ch_layout", fmt::format("{} channels", raw->channels).c_str(), 0);
  }
  const int error = avformat_open_input(&context, name_.c_str(), demuxer, &dictionary);
  const std::unique_ptr<AVDictionary, FreeDictionary> unused(dictionary);
  if (error < 0) return Error(error, fmt::format("libav cannot open it as {}", demuxer->name));  // frees the context
  format_.reset(context);
  return absl::OkStatus();
}

absl::Status LibavSource::OpenDecoder() {
  const AVCodec* decoder = nullptr;
  stream_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, &decoder, 0);
  if (stream_ == AVERROR_DECODER_NOT_FOUND) return Unimplemented("{}: libav has no decoder for its audio", name_);
  if (stream_ < 0) {
    if (refers_elsewhere_) return Error(stream_, "no audio stream");
    return InvalidArgument("{}: no audio stream (libav reads it as {})", name_, format_->iformat->name);
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    if (static_cast<int>(i) != stream_) format_->streams[i]->discard = AVDISCARD_ALL;
  }
  const AVStream& stream = *format_->streams[stream_];
  TUTTI_RETURN_IF_ERROR(CheckChannels(stream.codecpar->ch_layout.nb_channels));
  codec_.reset(avcodec_alloc_context3(decoder));
  if (codec_ == nullptr) return ResourceExhausted("{}: no memory for a decoder", name_);
  if (const int error = avcodec_parameters_to_context(codec_.get(), stream.codecpar); error < 0) {
    return Error(error, fmt::format("libav cannot set up its {} decoder", decoder->name));
  }
  codec_->pkt_timebase = stream.time_base;  // places the encoder's delay, which is cut off
  codec_->thread_count = 1;
  if (const int error = avcodec_open2(codec_.get(), decoder, nullptr); error < 0) {
    return Error(error, fmt::format("libav cannot open its {} decoder", decoder->name));
  }
  return absl::OkStatus();
}

absl::Status LibavSource::CheckChannels(int channels) const {
  if (channels <= max_channels_) return absl::OkStatus();
  return InvalidArgument("{}: has {} channels, {} are allowed", name_, channels, max_channels_);
}

absl::Status LibavSource::Open(std::string_view demuxers, const RawFormat* raw) {
  const QuietLibav quiet;
  truncated_ = demuxers == "wav" && WavBreaksOff(input_->head(), avio_size(input_->context()));
  if (packet_ == nullptr || frame_ == nullptr) return ResourceExhausted("{}: no memory for a packet", name_);
  TUTTI_RETURN_IF_ERROR(OpenContainer(demuxers, raw));
  std::vector<int64_t> headers;  // before find_stream_info fills gaps with estimates
  for (unsigned i = 0; i < format_->nb_streams; ++i) headers.push_back(Duration(*format_->streams[i]));
  if (const int error = avformat_find_stream_info(format_.get(), nullptr); error < 0) {
    return Error(error, "libav cannot find out what it holds");
  }
  TUTTI_RETURN_IF_ERROR(OpenDecoder());
  if (static_cast<size_t>(stream_) < headers.size()) promised_ = headers[static_cast<size_t>(stream_)];
  expected_ = Duration(*format_->streams[stream_]);
  if (expected_ < 0 && format_->duration > 0)
    expected_ = av_rescale(format_->duration, kTargetTimeBase.den, AV_TIME_BASE);
  return absl::OkStatus();
}

absl::Status LibavSource::Drain() {
  draining_ = true;
  avcodec_send_packet(codec_.get(), nullptr);
  return absl::OkStatus();
}

// Hands the decoder its next packet, or the end.
absl::Status LibavSource::Feed() {
  while (true) {
    if (++fruitless_ > kMaxFruitlessPackets || bad_ > kMaxBadPackets) {
      truncated_ = true;
      return Drain();
    }
    const int read = av_read_frame(format_.get(), packet_.get());
    if (read == AVERROR(ENOMEM)) return Error(read, "reading");
    if (read == AVERROR(EAGAIN)) continue;
    if (read < 0) {
      if (read != AVERROR_EOF || input_->context()->error < 0) truncated_ = true;
      return Drain();
    }
    const bool ours = packet_->stream_index == stream_;
    // Where nobody knows the length, the last packet counts as corrupt for being shorter than what was asked for.
    const bool just_the_end = promised_ < 0 && avio_feof(input_->context()) != 0;
    if (ours && (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0 && !just_the_end) truncated_ = true;
    const int sent = ours ? avcodec_send_packet(codec_.get(), packet_.get()) : 0;
    av_packet_unref(packet_.get());
    if (!ours) continue;
    if (sent == 0) return absl::OkStatus();
    if (sent == AVERROR(ENOMEM)) return Error(sent, "decoding");
    truncated_ = true;
    ++bad_;
  }
}

absl::StatusOr<bool> LibavSource::Next(AudioBlock& block) {
  const QuietLibav quiet;
  while (true) {
    const int received = avcodec_receive_frame(codec_.get(), frame_.get());
    if (received == 0) {
      if (frame_->nb_samples <= 0 || frame_->sample_rate <= 0 || frame_->ch_layout.nb_channels <= 0) {
        av_frame_unref(frame_.get());
        if (++bad_ > kMaxBadPackets) return false;
        continue;
      }
      TUTTI_RETURN_IF_ERROR(CheckChannels(frame_->ch_layout.nb_channels));
      if (!Convert(*frame_, block)) {
        return Unimplemented("{}: unknown sample format {} of libav", name_, frame_->format);
      }
      decoded_ += static_cast<double>(frame_->nb_samples) * kTargetTimeBase.den / frame_->sample_rate;
      fruitless_ = bad_ = 0;
      av_frame_unref(frame_.get());
      return true;
    }
    if (received == AVERROR(ENOMEM)) return Error(received, "decoding");
    if (received != AVERROR_EOF && received != AVERROR(EAGAIN)) {
      truncated_ = true;
      ++bad_;
    }
    if (received == AVERROR_EOF || draining_) {
      if (promised_ > 0 && decoded_ < static_cast<double>(promised_ - kDurationSlack)) truncated_ = true;
      return false;
    }
    TUTTI_RETURN_IF_ERROR(Feed());
  }
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibav(std::unique_ptr<LibavInput> input, const std::string& name,
                                                        std::string_view demuxers, const RawFormat* raw,
                                                        const DecodeOptions& options) {
  auto source = std::make_unique<LibavSource>(std::move(input), name, options);
  TUTTI_RETURN_IF_ERROR(source->Open(raw != nullptr ? DemuxerOf(raw->encoding) : demuxers, raw));
  return source;
}

bool HasRawEnding(std::string_view name) { return name.ends_with(".pcm") || name.ends_with(".raw"); }

// G.722 has no header; libav would believe in anything that its content looks like first.
constexpr std::string_view kG722Ending = ".g722";

absl::StatusOr<std::unique_ptr<SampleSource>> OpenOwn(std::unique_ptr<LibavInput> input, const std::string& path,
                                                      const DecodeOptions& options) {
  std::string_view demuxers = RecogniseContainer(input->head());
  bool raw = options.raw;
  if (demuxers.empty()) {
    // An empty file is audio without samples, as empty memory is.
    raw = raw || HasRawEnding(path) || input->head().empty();
    if (path.ends_with(kG722Ending)) demuxers = "g722";
  }
  return OpenLibav(std::move(input), path, demuxers, raw ? &options.raw_format : nullptr, options);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenUploaded(std::unique_ptr<LibavInput> input, const std::string& name,
                                                           const DecodeOptions& options) {
  std::string_view demuxers = RecogniseContainer(input->head());
  const bool headerless = HasRawEnding(name) || input->head().empty();
  if (demuxers.empty() && name.ends_with(kG722Ending)) demuxers = "g722";
  if (demuxers.empty() && !headerless && !options.raw) {
    return InvalidArgument("{}: is not audio in a known format (headerless audio needs raw_format, or a name in .pcm)",
                           name);
  }
  const bool raw = options.raw || (demuxers.empty() && headerless);
  return OpenLibav(std::move(input), name, demuxers, raw ? &options.raw_format : nullptr, options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavFile(const std::string& path, const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto input, LibavInput::FromFile(path));
  return OpenOwn(std::move(input), path, options);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavUpload(const std::string& path, const std::string& name,
                                                              const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto input, LibavInput::FromFile(path));
  return OpenUploaded(std::move(input), name, options);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavDescriptor(int fd, const std::string& name, bool is_upload,
                                                                  const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto input, LibavInput::FromDescriptor(fd, name));
  return is_upload ? OpenUploaded(std::move(input), name, options) : OpenOwn(std::move(input), name, options);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavMemory(std::span<const std::byte> bytes, const std::string& name,
                                                              const DecodeOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(auto input, LibavInput::FromMemory(bytes));
  std::string_view demuxers = RecogniseContainer(input->head());
  if (demuxers.empty() && name.ends_with(kG722Ending)) demuxers = "g722";
  const bool raw = options.raw || demuxers.empty();
  return OpenLibav(std::move(input), name, demuxers, raw ? &options.raw_format : nullptr, options);
}

}  // namespace tutti

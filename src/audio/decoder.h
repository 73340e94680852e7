#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace tutti {

enum class ChannelMode { kMix, kSplit };  // average all channels, or keep each

// Headerless audio: what the bytes are.
struct RawFormat {
  enum class Encoding { kS16le, kS32le, kF32le, kU8, kMulaw, kAlaw };
  Encoding encoding = Encoding::kS16le;
  int sample_rate = 16000;  // Hz
  int channels = 1;

  // "s16le:16000:1", "mulaw:8000"; rate and channels may be left out. InvalidArgument lists what is allowed.
  static absl::StatusOr<RawFormat> Parse(std::string_view text);
};

struct DecodeOptions {
  ChannelMode channels = ChannelMode::kMix;
  bool raw = false;      // take the bytes as `raw_format` whatever they look like
  RawFormat raw_format;  // also used for memory without a recognised container header (spec §1)
  int64_t max_duration_ms = int64_t{24} * 3600 * 1000;  // longer audio is an error, found while reading
  int max_channels = 32;
};

// A file opened for reading. NotFound, PermissionDenied or InvalidArgument with the path and the system's reason.
// `flags` go to open() besides.
absl::StatusOr<UniqueFd> OpenRecording(const std::string& path, int flags = 0);

// Any container and codec that libav knows, as 16 kHz float samples in [-1, 1], in pieces: memory does not grow with
// the length of the file.
//
// Untrusted input: memory is opened with a demuxer allow-list and no protocol; every limit above holds.
// Not thread-safe; one recording each.
class AudioDecoder {
 public:
  // NotFound / InvalidArgument with the file name and libav's reason. A file without an audio stream is
  // InvalidArgument.
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenFile(const std::string& path, const DecodeOptions& options);
  // A file from a stranger, who calls it `name`: its content must be of a container on the allow-list, or the name's
  // ending or options.raw must say that it is headerless. Messages never tell the path.
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenUpload(const std::string& path, const std::string& name,
                                                                  const DecodeOptions& options);
  // The same two with a file that is open already, read from where it stands; `fd` must outlive the decoder.
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenDescriptor(int fd, const std::string& name, bool is_upload,
                                                                      const DecodeOptions& options);
  // `bytes` must outlive the decoder. `name` is for messages; where no container is recognised, one in .g722 makes them
  // that.
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenMemory(std::span<const std::byte> bytes, std::string name,
                                                                  const DecodeOptions& options);
  // Samples that are already decoded: interleaved float, `channels` wide, at `sample_rate` Hz; mixed or split and
  // resampled like a file. `samples` must outlive the decoder.
  static absl::StatusOr<std::unique_ptr<AudioDecoder>> OpenSamples(std::span<const float> samples, int sample_rate,
                                                                   int channels, const DecodeOptions& options);
  virtual ~AudioDecoder() = default;

  // Channels that Read delivers: 1 when mixed, else the source's.
  virtual int channels() const = 0;
  // Samples at 16 kHz if the container tells, else -1. An estimate, for progress.
  virtual int64_t expected_samples() const = 0;

  // Appends the next samples, the same number to each of channels() vectors; about a second. False at the end, with
  // nothing appended. After an error the decoder is done. Audio that breaks off is an error (DataLoss) only if not one
  // sample could be decoded; otherwise what was decoded is delivered and truncated() is true.
  virtual absl::StatusOr<bool> Read(std::vector<std::vector<float>>& channels) = 0;
  virtual bool truncated() const = 0;
};

// "libav 5.1.9-0+deb12u1": what decodes here, for --version.
std::string AudioLibraryVersion();

}  // namespace tutti

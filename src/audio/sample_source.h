#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audio/decoder.h"
#include "base/status.h"

namespace tutti {

// Consecutive samples as the recording has them: its own rate, its own channels.
struct AudioBlock {
  int sample_rate = 0;                       // Hz
  std::vector<std::vector<float>> channels;  // all of the same length
};

// Where an AudioDecoder's samples come from. Not thread-safe; one recording each.
class SampleSource {
 public:
  virtual ~SampleSource() = default;

  // Replaces `block` by the next samples, at least one and not much more than a second. False at the end.
  virtual absl::StatusOr<bool> Next(AudioBlock& block) = 0;
  // Samples at 16 kHz if known beforehand, else -1.
  virtual int64_t expected_samples() const = 0;
  // Something was damaged or missing so far.
  virtual bool truncated() const = 0;
};

// Demuxed and decoded by libav.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavFile(const std::string& path, const DecodeOptions& options);
absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavUpload(const std::string& path, const std::string& name,
                                                              const DecodeOptions& options);
// Either, of a file that is open already; `fd` must outlive the source.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavDescriptor(int fd, const std::string& name, bool is_upload,
                                                                  const DecodeOptions& options);
absl::StatusOr<std::unique_ptr<SampleSource>> OpenLibavMemory(std::span<const std::byte> bytes, const std::string& name,
                                                              const DecodeOptions& options);

}  // namespace tutti

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tutti {

// Bytes from the start of a recording that RecogniseContainer wants to see, if there are as many.
inline constexpr size_t kContainerHeadBytes = 8192;

// libav's names (separated by commas) of the demuxers for what `head` begins with; empty when it is no container. Only
// signatures that PCM samples do not show by chance count: those of spec §1, and AMR, AIFF, CAF, ASF, AU and two
// consecutive ADTS frames.
std::string_view RecogniseContainer(std::span<const std::byte> head);

// A RIFF WAVE file of `file_bytes` bytes that announces more samples than it has; libav does not tell. The sizes that
// writers into a pipe leave behind (0, 0x7FFFFFFF and the like) announce nothing, nor do bytes of unknown number (< 0).
bool WavBreaksOff(std::span<const std::byte> head, int64_t file_bytes);

}  // namespace tutti

#pragma once

#include <string>
#include <string_view>

#include "tutti/recognizer.h"

namespace tutti {

// The speech segments of one recording as `tutti vad` prints them: "jsonl" and "json"
// {"file", "duration_ms", "segments": [[start_ms, end_ms], …]}, with several channels "channels" with one such list
// each; "tsv" start, end and channel.
std::string RenderSpeech(std::string_view file, const Recognizer::SpeechResult& speech, std::string_view format);

}  // namespace tutti

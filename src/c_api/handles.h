#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tutti.h"
#include "tutti/recognizer.h"

// What the handles of include/tutti.h are. Their thread contracts are those of what they hold.

struct tutti_recognizer {
  std::unique_ptr<tutti::Recognizer> value;
  std::vector<std::string> languages;
};

struct tutti_audio {
  tutti::AudioInput value;
};

struct tutti_transcription {
  std::shared_ptr<tutti::Transcription> value;
};

// Owns the transcript, or what it is part of; the one that on_done gets owns nothing.
struct tutti_transcript {
  std::shared_ptr<const tutti::Transcript> value;
};

struct tutti_vad_stream {
  std::unique_ptr<tutti::VadSession> session;
  std::vector<tutti_vad_event> events;  // of the last call
};

#include "service/funasr_http.h"

#include <nlohmann/json.hpp>

#include "base/seconds.h"
#include "service/api_error.h"
#include "service/json_text.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::string RenderRecognition(const Transcript& transcript) {
  Json sentences = Json::array();
  for (const Segment& segment : transcript.segments) {
    sentences.push_back({{"text", segment.text}, {"start", segment.start_ms}, {"end", segment.end_ms}});
  }
  Json json = {{"text", transcript.text}, {"sentences", sentences}, {"code", 0}};
  if (!transcript.language.empty()) json["language"] = transcript.language;
  return JsonText(json);
}

std::string RenderRecognitionError(const absl::Status& status) {
  return JsonText({{"msg", Message(status)}, {"code", HttpStatusOf(status) < 500 ? 1 : -1}});
}

std::string RenderAsr(const Transcript& transcript, double processing_seconds, const std::string& language) {
  const double duration = SecondsOf(transcript.duration_ms);
  Json segments = Json::array();
  for (const Segment& segment : transcript.segments) {
    segments.push_back({{"id", segments.size()},
                        {"start", SecondsOf(segment.start_ms)},
                        {"end", SecondsOf(segment.end_ms)},
                        {"text", segment.text}});
  }
  Json json = {{"text", transcript.text},
               {"segments", segments},
               {"duration", duration},
               {"processing_time", processing_seconds},
               {"rtf", duration > 0 ? processing_seconds / duration : 0.0}};
  if (!language.empty()) json["language"] = language;
  return JsonText(json);
}

}  // namespace tutti

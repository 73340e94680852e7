#include "cli/speech_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

Json Pairs(const std::vector<VadSegment>& segments) {
  Json pairs = Json::array();
  for (const VadSegment& segment : segments) pairs.push_back(Json::array({segment.start_ms, segment.end_ms}));
  return pairs;
}

}  // namespace

std::string RenderSpeech(std::string_view file, const Recognizer::SpeechResult& speech, std::string_view format) {
  if (format == "tsv") {
    std::string out = "start\tend\tchannel\n";
    for (size_t channel = 0; channel < speech.channels.size(); ++channel) {
      for (const VadSegment& segment : speech.channels[channel]) {
        fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\n", segment.start_ms, segment.end_ms, channel);
      }
    }
    return out;
  }
  Json json = {{"file", file}, {"duration_ms", speech.duration_ms}};
  if (speech.channels.size() == 1) {
    json["segments"] = Pairs(speech.channels.front());
  } else {
    json["channels"] = Json::array();
    for (const auto& segments : speech.channels) json["channels"].push_back(Pairs(segments));
  }
  return json.dump(format == "json" ? 2 : -1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tutti

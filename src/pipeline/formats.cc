#include "pipeline/formats.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "pipeline/cues.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<std::string_view, Format> kFormats[] = {
    {"txt", Format::kTxt}, {"json", Format::kJson}, {"jsonl", Format::kJsonl},
    {"srt", Format::kSrt}, {"vtt", Format::kVtt},   {"tsv", Format::kTsv},
};

// Four digits; what is not a number has no place in JSON.
Json Rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::round(value * 1e4) / 1e4 + 0.0;  // + 0.0 turns -0 into 0
}

Json TimeOrNull(const std::optional<int64_t>& ms) { return ms ? Json(*ms) : Json(nullptr); }

Json TokenJson(const Token& token) {
  return {{"text", token.text},
          {"start_ms", TimeOrNull(token.start_ms)},
          {"end_ms", TimeOrNull(token.end_ms)},
          {"score", Rounded(token.score)}};
}

void AddWhereSet(const char* name, const std::optional<float>& value, Json& json) {
  if (value) json[name] = Rounded(*value);
}

// Of a segment or a transcript.
template <typename T>
void AddLanguage(const T& spoken, Json& json) {
  if (!spoken.language.empty()) json["language"] = spoken.language;
  AddWhereSet("language_probability", spoken.language_probability, json);
}

Json SegmentJson(const Segment& segment) {
  Json tokens = Json::array();
  for (const Token& token : segment.tokens) tokens.push_back(TokenJson(token));
  Json json = {{"start_ms", segment.start_ms},
               {"end_ms", segment.end_ms},
               {"channel", segment.channel},
               {"text", segment.text},
               {"tokens", std::move(tokens)}};
  AddWhereSet("avg_logprob", segment.avg_logprob, json);
  AddWhereSet("no_speech_prob", segment.no_speech_prob, json);
  AddWhereSet("compression_ratio", segment.compression_ratio, json);
  AddWhereSet("temperature", segment.temperature, json);
  AddLanguage(segment, json);
  return json;
}

Json TranscriptJson(const Transcript& transcript, bool with_timings) {
  Json segments = Json::array();
  for (const Segment& segment : transcript.segments) segments.push_back(SegmentJson(segment));
  Json json = {{"file", transcript.file},         {"duration_ms", transcript.duration_ms},
               {"text", transcript.text},         {"segments", std::move(segments)},
               {"channels", transcript.channels}, {"truncated", transcript.truncated},
               {"model", transcript.model},       {"compute_type", transcript.compute_type}};
  AddLanguage(transcript, json);
  if (with_timings) {
    const Timings& t = transcript.timings;
    json["timings"] = {{"decode_s", Rounded(t.decode)},
                       {"vad_s", Rounded(t.vad)},
                       {"features_s", Rounded(t.features)},
                       {"recognise_s", Rounded(t.recognise)},
                       {"wall_s", Rounded(t.wall)}};
  }
  return json;
}

// Names and texts may hold any bytes; what is not UTF-8 becomes U+FFFD.
std::string Dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

void Replace(std::string_view from, std::string_view to, std::string& text) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string OnOneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return text;
}

std::string ClockTime(int64_t ms, char point) {
  ms = std::max<int64_t>(ms, 0);
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, point, ms % 1000);
}

std::string SrtText(const Transcript& transcript) {
  std::string out;
  int number = 0;
  for (const Segment& segment : transcript.segments) {
    for (Cue& cue : MakeCues(segment)) {
      std::string text = OnOneLine(std::move(cue.text));
      Replace("-->", "->", text);
      if (transcript.channels > 1) text = fmt::format("[{}] {}", segment.channel + 1, text);
      fmt::format_to(std::back_inserter(out), "{}\n{} --> {}\n{}\n\n", ++number, ClockTime(cue.start_ms, ','),
                     ClockTime(cue.end_ms, ','), text);
    }
  }
  return out;
}

std::string VttText(const Transcript& transcript) {
  std::string out = "WEBVTT\n\n";
  for (const Segment& segment : transcript.segments) {
    for (Cue& cue : MakeCues(segment)) {
      std::string text = OnOneLine(std::move(cue.text));
      Replace("&", "&amp;", text);
      Replace("<", "&lt;", text);
      Replace(">", "&gt;", text);
      if (transcript.channels > 1) text = fmt::format("<v Channel {}>{}", segment.channel + 1, text);
      fmt::format_to(std::back_inserter(out), "{} --> {}\n{}\n\n", ClockTime(cue.start_ms, '.'),
                     ClockTime(cue.end_ms, '.'), text);
    }
  }
  return out;
}

// As Whisper writes it.
std::string TsvText(const Transcript& transcript) {
  std::string out = "start\tend\ttext\n";
  for (const Segment& segment : transcript.segments) {
    if (segment.text.empty()) continue;
    fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\n", segment.start_ms, segment.end_ms, OnOneLine(segment.text));
  }
  return out;
}

}  // namespace

absl::StatusOr<Format> ParseFormat(std::string_view name) {
  std::string allowed;
  for (const auto& [known, format] : kFormats) {
    if (name == known) return format;
    allowed += allowed.empty() ? "" : ", ";
    allowed += known;
  }
  return InvalidArgument("format '{}' is not known; there are {}", name, allowed);
}

void AskForTimes(Format format, bool takes_search_options, SearchOptions& search) {
  search.word_timestamps |= takes_search_options && (format == Format::kSrt || format == Format::kVtt);
}

std::string Render(const Transcript& transcript, Format format, bool with_timings) {
  switch (format) {
    case Format::kTxt:
      return transcript.text.empty() ? "" : OnOneLine(transcript.text) + "\n";
    case Format::kJson:
      return Dump(TranscriptJson(transcript, with_timings), 2) + "\n";
    case Format::kJsonl:
      return Dump(TranscriptJson(transcript, with_timings), -1) + "\n";
    case Format::kSrt:
      return SrtText(transcript);
    case Format::kVtt:
      return VttText(transcript);
    case Format::kTsv:
      return TsvText(transcript);
  }
  return "";
}

std::string RenderSegment(const Segment& segment) { return Dump(SegmentJson(segment), -1); }

std::string RenderError(std::string_view file, const absl::Status& status) {
  return Dump({{"file", file},
               {"error", {{"code", absl::StatusCodeToString(status.code())}, {"message", Message(status)}}}},
              -1) +
         "\n";
}

}  // namespace tutti

#include "service/funasr_socket.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "service/api_error.h"
#include "service/json_text.h"
#include "tutti/search_options.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxName = 256;
constexpr size_t kMaxSearchText = 16 << 10;  // more than a model takes as prompt

absl::StatusOr<SocketMode> ParseMode(const std::string& mode) {
  if (mode == "offline") return SocketMode::kOffline;
  if (mode == "online") return SocketMode::kOnline;
  if (mode == "2pass") return SocketMode::kTwoPass;
  return FieldError("mode", "expected offline, online or 2pass");
}

absl::Status ReadText(const Json& json, const char* name, std::optional<std::string>& text, size_t most = kMaxName) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_string()) return FieldError(name, "expected a string");
  text = found->get<std::string>();
  if (text->size() > most) return FieldError(name, fmt::format("has more than {} bytes", most));
  return absl::OkStatus();
}

absl::Status ReadBool(const Json& json, const char* name, std::optional<bool>& value) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_boolean()) return FieldError(name, "expected true or false");
  value = found->get<bool>();
  return absl::OkStatus();
}

// FunASR's hotwords: {"word": weight, …} as a string, or the words themselves.
std::string WordsOf(const std::string& hotwords) {
  const Json weights = Json::parse(hotwords, nullptr, false);
  if (!weights.is_object()) return hotwords;
  std::string words;
  for (const auto& [word, weight] : weights.items()) words += (words.empty() ? "" : " ") + word;
  return words;
}

absl::Status ReadSearch(const Json& json, std::map<std::string, std::string>& search) {
  std::optional<std::string> language;
  TUTTI_RETURN_IF_ERROR(ReadText(json, "svs_lang", language));
  if (language) search["language"] = *language;
  for (const std::string& name : SearchOptionNames()) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) continue;
    if (found->is_string()) {
      std::optional<std::string> text;
      TUTTI_RETURN_IF_ERROR(ReadText(json, name.c_str(), text, kMaxSearchText));
      search[name] = name == "hotwords" ? WordsOf(*text) : *text;
    } else if (found->is_number() || found->is_boolean()) {
      search[name] = found->dump();
    } else {
      return FieldError(name, "expected a string, a number or a boolean");
    }
  }
  return absl::OkStatus();
}

// [[start, end], …] of the tokens that have times.
Json TimesOf(const Segment& segment) {
  Json times = Json::array();
  for (const Token& token : segment.tokens) {
    if (token.start_ms && token.end_ms) times.push_back({*token.start_ms, *token.end_ms});
  }
  return times;
}

Json StampOf(const Segment& segment) {
  std::string text;
  for (const Token& token : segment.tokens) text += (text.empty() ? "" : " ") + token.text;
  return {{"text_seg", text},
          {"punc", ""},
          {"start", segment.start_ms},
          {"end", segment.end_ms},
          {"ts_list", TimesOf(segment)}};
}

// Cuts a text into words, each with the space before it, and characters of scripts without spaces.
std::vector<std::string> Pieces(const std::string& text) {
  std::vector<std::string> pieces;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0) == 0x80;  // of a UTF-8 sequence
    const bool after_ascii = !pieces.empty() && static_cast<unsigned char>(pieces.back().back()) < 0x80;
    const bool in_word = byte < 0x80 && c != ' ' && after_ascii;
    if (!pieces.empty() && (continues || in_word)) {
      pieces.back() += c;
    } else {
      pieces.emplace_back(1, c);
    }
  }
  return pieces;
}

std::string Join(const std::vector<std::string>& pieces, size_t from, size_t to) {
  std::string text;
  for (size_t i = from; i < to; ++i) text += pieces[i];
  return text;
}

std::string_view NameOf(SocketMode mode, bool is_sentence) {
  switch (mode) {
    case SocketMode::kOffline:
      return "offline";
    case SocketMode::kOnline:
      return "online";
    case SocketMode::kTwoPass:
      break;
  }
  return is_sentence ? "2pass-offline" : "2pass-online";
}

}  // namespace

absl::StatusOr<SocketCommand> ParseSocketCommand(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return InvalidArgument("the text frame is no JSON object");
  SocketCommand command;
  std::optional<std::string> mode;
  TUTTI_RETURN_IF_ERROR(ReadText(json, "mode", mode));
  if (mode) {
    TUTTI_ASSIGN_OR_RETURN(command.mode, ParseMode(*mode));
  }
  TUTTI_RETURN_IF_ERROR(ReadText(json, "wav_name", command.wav_name));
  TUTTI_RETURN_IF_ERROR(ReadText(json, "wav_format", command.wav_format));
  TUTTI_RETURN_IF_ERROR(ReadText(json, "model", command.model));
  if (const auto rate = json.find("audio_fs"); rate != json.end() && !rate->is_null()) {
    if (!rate->is_number_integer() || rate->get<int64_t>() < 1000 || rate->get<int64_t>() > 768'000) {
      return FieldError("audio_fs", "expected Hz, from 1000 to 768000");
    }
    command.audio_fs = rate->get<int>();
  }
  TUTTI_RETURN_IF_ERROR(ReadBool(json, "is_speaking", command.is_speaking));
  std::optional<bool> finished;
  TUTTI_RETURN_IF_ERROR(ReadBool(json, "is_finished", finished));
  if (finished.value_or(false)) command.is_speaking = false;
  std::optional<bool> end;
  TUTTI_RETURN_IF_ERROR(ReadBool(json, "is_end", end));
  command.is_end = end.value_or(false);
  command.is_live = json.contains("chunk_size");
  TUTTI_RETURN_IF_ERROR(ReadSearch(json, command.search));
  return command;
}

std::string RenderSocketResult(std::string_view wav_name, const Transcript& transcript) {
  Json times = Json::array(), stamps = Json::array();
  for (const Segment& segment : transcript.segments) {
    for (Json& time : TimesOf(segment)) times.push_back(std::move(time));
    stamps.push_back(StampOf(segment));
  }
  Json json = {{"mode", "offline"},
               {"wav_name", wav_name},
               {"text", transcript.text},
               {"is_final", true},
               {"stamp_sents", stamps}};
  // Clients test for its presence before they read it, and read it as a string.
  if (!times.empty()) json["timestamp"] = times.dump();
  if (!transcript.language.empty()) json["language"] = transcript.language;
  return JsonText(json);
}

std::string RenderSocketPartial(SocketMode mode, std::string_view wav_name, std::string_view text) {
  return JsonText({{"mode", NameOf(mode, false)}, {"wav_name", wav_name}, {"text", text}, {"is_final", false}});
}

std::string RenderSocketSentence(SocketMode mode, std::string_view wav_name, const Segment& segment,
                                 std::string_view text, bool is_final) {
  const Json times = TimesOf(segment);
  Json json = {{"mode", NameOf(mode, true)},
               {"wav_name", wav_name},
               {"text", text},
               {"is_final", is_final},
               {"start_time", segment.start_ms},
               {"end_time", segment.end_ms},
               {"stamp_sents", Json::array({StampOf(segment)})}};
  if (!times.empty()) json["timestamp"] = times.dump();
  if (!segment.language.empty()) json["language"] = segment.language;
  return JsonText(json);
}

std::string RenderSocketError(SocketMode mode, std::string_view wav_name, const absl::Status& status) {
  Json json = {{"mode", NameOf(mode, true)}, {"wav_name", wav_name}, {"text", ""}, {"is_final", true}};
  json.update(Json::parse(ErrorJson(status)));
  return JsonText(json);
}

std::string RenderSocketEnd(SocketMode mode, std::string_view wav_name, const absl::Status& failed) {
  constexpr std::string_view kModes[] = {"offline", "online", "2pass"};
  Json json = {
      {"mode", kModes[static_cast<int>(mode)]}, {"wav_name", wav_name}, {"is_final", failed.ok()}, {"is_end", true}};
  if (!failed.ok()) json.update(Json::parse(ErrorJson(failed)));
  return JsonText(json);
}

std::string StableText::Update(const std::string& hypothesis) {
  std::vector<std::string> pieces = Pieces(hypothesis);
  const auto agreed = static_cast<size_t>(std::ranges::mismatch(last_, pieces).in1 - last_.begin());
  std::string certain;
  // Where told words have changed, nothing can be said before the end.
  if (agreed > told_) {
    certain = Join(pieces, told_, agreed);
    told_ = agreed;
  }
  if (agreed >= told_) last_ = std::move(pieces);
  return certain;
}

std::string StableText::Finish(const std::string& final_text) const {
  const std::vector<std::string> pieces = Pieces(final_text);
  return Join(pieces, std::min(told_, pieces.size()), pieces.size());
}

}  // namespace tutti

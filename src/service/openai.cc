#include "service/openai.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/language_names.h"
#include "base/seconds.h"
#include "pipeline/cues.h"
#include "pipeline/formats.h"
#include "service/api_error.h"
#include "service/json_text.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

Json Usage(const Transcript& transcript) {
  return {{"type", "duration"}, {"seconds", std::ceil(SecondsOf(transcript.duration_ms))}};
}

// What is not a number has no place in JSON.
Json Finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double MeanScore(const Segment& segment) {
  double sum = 0;
  for (const Token& token : segment.tokens) sum += token.score;
  return segment.tokens.empty() ? 0 : sum / static_cast<double>(segment.tokens.size());
}

// "english": of the text. Empty when nobody knows.
std::string LanguageOf(const Transcript& transcript, const OpenAiRequest& request) {
  if (request.task == Task::kTranslate) return "english";
  const std::string code = transcript.language.empty() ? LanguageCode(request.language) : transcript.language;
  const std::string_view name = LanguageName(code);
  return name.empty() ? code : std::string(name);
}

Json SegmentJson(const Segment& segment, const Cue& cue, size_t id) {
  constexpr int64_t kMsPerFrame = 10;  // Whisper's, in which OpenAI gives offsets
  Json json = {{"id", id},
               {"seek", segment.start_ms / kMsPerFrame},
               {"start", SecondsOf(cue.start_ms)},
               {"end", SecondsOf(cue.end_ms)},
               {"text", cue.text},
               {"tokens", segment.token_ids},
               {"temperature", Finite(segment.temperature.value_or(0))},
               {"avg_logprob", Finite(segment.avg_logprob ? *segment.avg_logprob : MeanScore(segment))}};
  if (segment.compression_ratio) json["compression_ratio"] = Finite(*segment.compression_ratio);
  if (segment.no_speech_prob) json["no_speech_prob"] = Finite(*segment.no_speech_prob);
  return json;
}

// What is one segment to the model may be half a minute: it is divided as subtitles are. The model's figures are those
// of the whole, as in OpenAI's segments of one window; the tokens stand with the first.
void AddSegments(const Segment& segment, bool has_channels, Json& segments) {
  std::vector<Cue> cues = MakeCues(segment);
  if (cues.empty()) cues.push_back({segment.start_ms, segment.end_ms, segment.text});
  for (const Cue& cue : cues) {
    Json one = SegmentJson(segment, cue, segments.size());
    if (&cue != &cues.front()) one["tokens"] = Json::array();
    if (has_channels) one["channel"] = segment.channel;
    segments.push_back(std::move(one));
  }
}

Json VerboseJson(const Transcript& transcript, const OpenAiRequest& request) {
  Json json = {{"task", request.task == Task::kTranslate ? "translate" : "transcribe"},
               {"language", LanguageOf(transcript, request)},
               {"duration", SecondsOf(transcript.duration_ms)},
               {"text", transcript.text}};
  if (request.segments) {
    json["segments"] = Json::array();
    for (const Segment& segment : transcript.segments) AddSegments(segment, transcript.channels > 1, json["segments"]);
  }
  if (request.words) {
    json["words"] = Json::array();
    for (const Segment& segment : transcript.segments) {
      for (const Token& token : segment.tokens) {
        if (!token.start_ms || !token.end_ms) continue;
        json["words"].push_back(
            {{"word", token.text}, {"start", SecondsOf(*token.start_ms)}, {"end", SecondsOf(*token.end_ms)}});
      }
    }
  }
  json["usage"] = Usage(transcript);
  return json;
}

// What the answer is written in, where that is a format of ours; JSON for OpenAI's own.
Format TextFormat(OpenAiRequest::Format format) {
  switch (format) {
    case OpenAiRequest::Format::kText:
      return Format::kTxt;
    case OpenAiRequest::Format::kSrt:
      return Format::kSrt;
    case OpenAiRequest::Format::kVtt:
      return Format::kVtt;
    case OpenAiRequest::Format::kJson:
    case OpenAiRequest::Format::kVerboseJson:
      break;
  }
  return Format::kJson;
}

}  // namespace

absl::StatusOr<OpenAiRequest> ReadOpenAiFields(const Fields& fields, Task task) {
  OpenAiRequest request;
  request.task = task;
  request.model = fields.Text("model");
  request.language = fields.Text("language");
  request.prompt = fields.Text("prompt");
  const std::string format = fields.Text("response_format", "json");
  if (format == "diarized_json") {
    return FieldError("response_format", "diarized_json: no model is loaded that tells speakers apart");
  }
  TUTTI_ASSIGN_OR_RETURN(const std::string known,
                         fields.Choice("response_format", {"json", "text", "srt", "verbose_json", "vtt"}));
  using Format = OpenAiRequest::Format;
  request.format = known == "text"           ? Format::kText
                   : known == "srt"          ? Format::kSrt
                   : known == "verbose_json" ? Format::kVerboseJson
                   : known == "vtt"          ? Format::kVtt
                                             : Format::kJson;
  TUTTI_ASSIGN_OR_RETURN(request.temperature, fields.Number("temperature", 0, 0, 1));
  TUTTI_ASSIGN_OR_RETURN(request.stream, fields.Bool("stream", false));
  std::vector<std::string> granularities = fields.All("timestamp_granularities[]");
  for (std::string& name : fields.All("timestamp_granularities")) granularities.push_back(std::move(name));
  if (!granularities.empty()) {
    request.words = request.segments = false;
    for (const std::string& name : granularities) {
      if (name != "word" && name != "segment") {
        return FieldError("timestamp_granularities[]", fmt::format("'{}', expected word or segment", name));
      }
      (name == "word" ? request.words : request.segments) = true;
    }
    if (request.format != Format::kVerboseJson) {
      return FieldError("timestamp_granularities[]", "needs response_format=verbose_json");
    }
  }
  return request;
}

absl::StatusOr<SearchOptions> SearchOptionsOf(const OpenAiRequest& request, std::string_view model_name,
                                              const ModelAbilities& model) {
  SearchOptions options;
  options.task = request.task;
  if (request.task == Task::kTranslate && !model.translates) {
    return FieldError("model", fmt::format("'{}' only transcribes; /v1/models lists tasks", model_name));
  }
  if (!model.takes_search_options) return options;
  options.language = request.language;
  options.initial_prompt = request.prompt;
  // Segments, too, are cut between words: times that the decoder makes of joined speech cost text.
  options.word_timestamps = request.format == OpenAiRequest::Format::kVerboseJson;
  AskForTimes(TextFormat(request.format), model.takes_search_options, options);
  // 0 asks for the model's own choice, which begins there.
  if (request.temperature > 0) options.temperature = {static_cast<float>(request.temperature)};
  TUTTI_RETURN_IF_ERROR(CheckSearchOptions(options, model));
  return options;
}

Rendered RenderOpenAi(const Transcript& transcript, const OpenAiRequest& request) {
  using Format = OpenAiRequest::Format;
  switch (request.format) {
    case Format::kText:
      return {"text/plain; charset=utf-8", transcript.text + "\n"};
    case Format::kSrt:
      return {"application/x-subrip; charset=utf-8", Render(transcript, tutti::Format::kSrt)};
    case Format::kVtt:
      return {"text/vtt; charset=utf-8", Render(transcript, tutti::Format::kVtt)};
    case Format::kVerboseJson:
      return {"application/json", JsonText(VerboseJson(transcript, request))};
    case Format::kJson:
      break;
  }
  return {"application/json", JsonText({{"text", transcript.text}, {"usage", Usage(transcript)}})};
}

std::string OpenAiDelta(std::string_view delta) {
  return fmt::format("data: {}\n\n", JsonText({{"type", "transcript.text.delta"}, {"delta", delta}}));
}

std::string OpenAiDone(const Transcript& transcript) {
  return fmt::format(
      "data: {}\n\n",
      JsonText({{"type", "transcript.text.done"}, {"text", transcript.text}, {"usage", Usage(transcript)}}));
}

}  // namespace tutti

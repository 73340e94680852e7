// Text frames of FunASR's protocol: any bytes are a command or an error that says why, and whatever a client calls its
// recording and a model hears in it, an answer is a JSON object. Told text is a beginning of what the model heard.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "service/funasr_socket.h"

namespace {

nlohmann::json Check(const std::string& frame) {
  nlohmann::json json = nlohmann::json::parse(frame, nullptr, false);
  if (!json.is_object() || !json.contains("mode") || !json.contains("is_final")) std::abort();
  return json;
}

void CheckCommand(const tutti::SocketCommand& command) {
  if (command.audio_fs && (*command.audio_fs < 1000 || *command.audio_fs > 768'000)) std::abort();
  for (const auto& text : {command.wav_name, command.wav_format, command.model}) {
    if (text && text->size() > 256) std::abort();
  }
}

void CheckAnswers(tutti::SocketMode mode, const std::string& name, std::string_view heard) {
  tutti::Transcript transcript;
  transcript.text = heard;
  for (size_t at = 0; at < heard.size(); at += 16) {
    tutti::Segment segment{static_cast<int64_t>(at), static_cast<int64_t>(at) + 1, 0, std::string(heard), {}};
    segment.tokens = {{std::string(heard.substr(at, 16)), static_cast<int64_t>(at), static_cast<int64_t>(at) + 1, 0}};
    Check(tutti::RenderSocketSentence(mode, name, segment, heard, at == 0));
    transcript.segments.push_back(std::move(segment));
    if (transcript.segments.size() == 8) break;
  }
  Check(tutti::RenderSocketResult(name, transcript));
  Check(tutti::RenderSocketPartial(mode, name, heard));
  const absl::Status failed = tutti::InvalidArgument("{}", heard);
  if (!Check(tutti::RenderSocketError(mode, name, failed)).contains("error")) std::abort();
  if (Check(tutti::RenderSocketEnd(mode, name, failed))["is_final"] != false) std::abort();
  if (Check(tutti::RenderSocketEnd(mode, name, absl::OkStatus()))["is_end"] != true) std::abort();
}

// Hypotheses are the lines of the text, the last is what was said.
void CheckStableText(std::string_view lines) {
  tutti::StableText stable;
  std::string told, last;
  bool same_beginning = true;
  while (!lines.empty()) {
    last = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), last.size() + 1));
    told += stable.Update(last);
    same_beginning = same_beginning && last.starts_with(told);
  }
  const std::string rest = stable.Finish(last);
  if (told.empty() && rest != last) std::abort();
  if (same_beginning && told + rest != last) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto command = tutti::ParseSocketCommand(text);
  if (!command.ok() && !absl::IsInvalidArgument(command.status())) std::abort();
  if (command.ok()) CheckCommand(*command);
  const auto mode = command.ok() ? command->mode.value_or(tutti::SocketMode::kOnline) : tutti::SocketMode::kTwoPass;
  CheckAnswers(mode, command.ok() ? command->wav_name.value_or("") : std::string(text.substr(0, 256)), text);
  CheckStableText(text);
  return 0;
}

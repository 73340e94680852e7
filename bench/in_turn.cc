// Recordings one after the other, each alone in a recogniser whose threads share it, as JSON: the seconds that each
// took, from its path to its text, and the texts.
//
//   in_turn MODEL VAD f32|bf16|int8 LANGUAGE BEAM ROUNDS FILE…
//
// All files run ROUNDS times; a file's seconds are the median. Loading and one file before the first round are left
// out.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/seconds.h"
#include "base/status.h"
#include "tutti/recognizer.h"

namespace tutti {
namespace {

absl::Status Run(std::span<char*> arguments) {
  constexpr size_t kFirstFile = 7;
  if (arguments.size() <= kFirstFile) return InvalidArgument("arguments: MODEL VAD TYPE LANGUAGE BEAM ROUNDS FILE…");
  RecognizerOptions options = {.model = arguments[1], .vad = arguments[2], .latency = true};
  TUTTI_ASSIGN_OR_RETURN(options.compute_type, ParseComputeType(arguments[3]));
  TUTTI_ASSIGN_OR_RETURN(const auto recognizer, Recognizer::Create(options));
  TranscribeOptions request;
  request.search.language = arguments[4];
  request.search.beam_size = std::atoi(arguments[5]);
  const int rounds = std::atoi(arguments[6]);
  const auto files = arguments.subspan(kFirstFile);
  TUTTI_RETURN_IF_ERROR(recognizer->Transcribe(AudioInput::File(files.front()), request).status());
  std::vector<std::vector<double>> seconds(files.size());
  std::vector<std::string> texts(files.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < files.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      TUTTI_ASSIGN_OR_RETURN(const Transcript transcript, recognizer->Transcribe(AudioInput::File(files[i]), request));
      seconds[i].push_back(SecondsSince(start));
      texts[i] = transcript.text;
    }
  }
  nlohmann::json result = {{"seconds", nlohmann::json::array()}, {"texts", texts}};
  for (std::vector<double>& of_file : seconds) {
    const auto middle = of_file.begin() + static_cast<std::ptrdiff_t>(of_file.size() / 2);
    std::ranges::nth_element(of_file, middle);
    result["seconds"].push_back(of_file.empty() ? 0.0 : *middle);
  }
  fmt::print("{}\n", result.dump());
  return absl::OkStatus();
}

}  // namespace
}  // namespace tutti

int main(int argc, char** argv) {
  const absl::Status status = tutti::Run(std::span(argv, static_cast<size_t>(argc)));
  if (!status.ok()) fmt::print(stderr, "in_turn: {}\n", tutti::Message(status));
  return status.ok() ? 0 : 1;
}

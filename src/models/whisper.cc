#include "models/whisper.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "base/language_names.h"
#include "base/text.h"
#include "models/whisper_decoding.h"

namespace tutti {
namespace {

// Text that stands before a segment's own begins with a space, as every word does.
absl::StatusOr<std::vector<int32_t>> EncodeWords(const ByteBpe& bpe, std::string_view name, std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::vector<int32_t>();
  const size_t end = text.find_last_not_of(" \t\r\n") + 1;
  auto tokens = bpe.Encode(fmt::format(" {}", text.substr(begin, end - begin)));
  if (!tokens.ok()) return WithContext(tokens.status(), name);
  return tokens;
}

// Whether a letter is a unit by itself: those of scripts that put no space between words.
bool StandsAlone(std::string_view letter) {
  constexpr unsigned char kFirstOfCjk = 0xE3;  // U+3000 …
  return !letter.empty() && static_cast<unsigned char>(letter.front()) >= kFirstOfCjk;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Whisper>> Whisper::Load(const ModelPackage& package, const WeightSource& source,
                                                             ComputeType compute_type) {
  TUTTI_ASSIGN_OR_RETURN(WhisperPackage whisper, WhisperPackage::From(package));
  auto dims = WhisperDimsOf(whisper.sizes);
  if (!dims.ok()) return WithContext(dims.status(), package.directory);
  dims->compute_type = ResolveComputeType(compute_type, Guard(dims->width));
  TUTTI_ASSIGN_OR_RETURN(auto features, LogMel::Create(whisper.sizes.mels));
  auto encoder = WhisperEncoder::Load(source, *dims);
  if (!encoder.ok()) return WithContext(encoder.status(), package.directory);
  auto decoder = WhisperDecoder::Load(source, *dims);
  if (!decoder.ok()) return WithContext(decoder.status(), package.directory);
  WhisperVocabulary vocabulary = WhisperVocabulary::Of(whisper);
  return std::shared_ptr<const Whisper>(new Whisper(std::move(whisper), std::move(vocabulary), std::move(features),
                                                    *std::move(encoder), *std::move(decoder)));
}

Whisper::Whisper(WhisperPackage package, WhisperVocabulary vocabulary, std::shared_ptr<const LogMel> features,
                 WhisperEncoder encoder, WhisperDecoder decoder)
    : package_(std::move(package)),
      vocabulary_(std::move(vocabulary)),
      features_(std::move(features)),
      encoder_(std::move(encoder)),
      decoder_(std::move(decoder)) {}

absl::StatusOr<std::vector<int32_t>> Whisper::TextBefore(const SearchOptions& options,
                                                         std::span<const int32_t> previous) const {
  // Half of the decoder's positions, as the reference has it: of hotwords the first count, of text the last.
  const auto most = static_cast<size_t>(package_.sizes.decoder_positions / 2 - 1);
  TUTTI_ASSIGN_OR_RETURN(auto text, EncodeWords(package_.bpe, "initial_prompt", options.initial_prompt));
  text.insert(text.end(), previous.begin(), previous.end());
  TUTTI_ASSIGN_OR_RETURN(auto before, EncodeWords(package_.bpe, "hotwords", options.hotwords));
  if (!options.prefix.empty()) before.clear();
  before.resize(std::min(most, before.size()));
  before.insert(before.end(), text.end() - static_cast<std::ptrdiff_t>(std::min(most, text.size())), text.end());
  if (!before.empty()) before.insert(before.begin(), package_.tokens.start_of_previous);
  return before;
}

absl::StatusOr<std::vector<int32_t>> Whisper::Suppressed(std::string_view ids) const {
  constexpr int32_t kSymbols = -1;
  std::vector<int32_t> suppressed;
  if (ids.empty()) return suppressed;
  while (true) {
    int32_t id = 0;
    const std::string_view one = ids.substr(0, ids.find(','));
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), id);
    if (error != std::errc() || end != one.data() + one.size() || id < kSymbols || id >= vocabulary_.vocabulary) {
      return InvalidArgument("suppress_tokens: \"{}\", expected -1 for symbols or tokens from 0 to {}", one,
                             vocabulary_.vocabulary - 1);
    }
    suppressed.push_back(id);
    if (one.size() == ids.size()) break;
    ids.remove_prefix(one.size() + 1);
  }
  if (std::erase(suppressed, kSymbols) > 0) {
    suppressed.insert(suppressed.end(), vocabulary_.suppress.begin(), vocabulary_.suppress.end());
  }
  suppressed.push_back(vocabulary_.start);
  for (int32_t id = vocabulary_.translate; id <= vocabulary_.no_speech; ++id) suppressed.push_back(id);
  return suppressed;
}

absl::StatusOr<WhisperDecodeOptions> Whisper::Translate(const SearchOptions& options, std::span<const int32_t> previous,
                                                        std::string_view spoken) const {
  constexpr size_t kMostTemperatures = 16;
  if (options.temperature.empty() || options.temperature.size() > kMostTemperatures) {
    return InvalidArgument("temperature: {} of them, expected 1 to {}", options.temperature.size(), kMostTemperatures);
  }
  for (const float temperature : options.temperature) {
    if (!(temperature >= 0)) return InvalidArgument("temperature: {}, expected 0 or more", temperature);
  }
  TUTTI_RETURN_IF_ERROR(WhisperWindows::Check(options.window_seconds));
  WhisperDecodeOptions decode;
  const WhisperTokens& tokens = package_.tokens;
  TUTTI_ASSIGN_OR_RETURN(decode.prompt, TextBefore(options, previous));
  decode.prompt.push_back(tokens.start);
  std::string code = LanguageCode(options.language);
  if (code.empty() || code == "auto") code = spoken;
  const bool any_language = code.empty();
  if (package_.is_multilingual) {
    decode.detect_language = any_language;
    const WhisperLanguage* language = any_language ? &package_.languages.front() : package_.FindLanguage(code);
    if (language == nullptr) {
      return InvalidArgument("language: \"{}\", expected one of {}", options.language, fmt::join(languages(), ", "));
    }
    decode.prompt.push_back(language->token);
    decode.prompt.push_back(options.task == Task::kTranslate ? tokens.translate : tokens.transcribe);
  } else if (options.task == Task::kTranslate) {
    return InvalidArgument("task: translate, but the model knows English only; expected transcribe");
  } else if (!any_language && code != "en") {
    return InvalidArgument("language: \"{}\", but the model knows English only; expected en", options.language);
  }
  if (options.without_timestamps) decode.prompt.push_back(tokens.no_times);
  TUTTI_ASSIGN_OR_RETURN(decode.prefix, EncodeWords(package_.bpe, "prefix", options.prefix));
  if (!options.without_timestamps && !decode.prefix.empty()) {
    decode.prefix.insert(decode.prefix.begin(), tokens.first_time);
  }
  decode.beam_size = options.beam_size;
  decode.patience = options.patience;
  decode.length_penalty = options.length_penalty;
  decode.max_length = package_.sizes.decoder_positions;
  if (options.max_new_tokens > 0) {
    decode.max_length =
        std::min(decode.max_length, static_cast<int64_t>(decode.prompt.size()) + options.max_new_tokens);
  }
  TUTTI_ASSIGN_OR_RETURN(decode.rules.suppress, Suppressed(options.suppress_tokens));
  decode.rules.suppress_blank = options.suppress_blank;
  decode.rules.repetition_penalty = options.repetition_penalty;
  decode.rules.no_repeat_ngram_size = options.no_repeat_ngram_size;
  return decode;
}

std::string Whisper::LanguageOf(int32_t language, const SearchOptions& options) const {
  const auto found = std::ranges::find(package_.languages, language, &WhisperLanguage::token);
  if (found != package_.languages.end()) return found->code;
  return package_.is_multilingual ? LanguageCode(options.language) : "en";
}

std::string Whisper::PlainText(std::span<const int32_t> tokens) const {
  return std::string(WithoutSpacesAround(package_.bpe.Text(tokens)));
}

absl::Status Whisper::Check(const SearchOptions& options) const {
  std::vector<int32_t> longest;
  if (options.condition_on_previous_text) longest.resize(static_cast<size_t>(package_.sizes.decoder_positions));
  TUTTI_ASSIGN_OR_RETURN(WhisperDecodeOptions decode, Translate(options, longest));
  KvPool pool = decoder_.MakePool(0);
  TUTTI_RETURN_IF_ERROR(WhisperSearch::Create(vocabulary_, decoder_.dims(), decode, pool).status());
  decode.beam_size = 1;  // as it is when text is drawn
  decode.temperature = 1;
  decode.best_of = options.best_of;
  return WhisperSearch::Create(vocabulary_, decoder_.dims(), std::move(decode), pool).status();
}

std::vector<std::string> Whisper::languages() const {
  if (!package_.is_multilingual) return {"en"};
  std::vector<std::string> codes;
  for (const WhisperLanguage& language : package_.languages) codes.push_back(language.code);
  return codes;
}

std::unique_ptr<Decoding> Whisper::NewDecoding() const { return std::make_unique<WhisperDecoding>(*this); }

void Whisper::Recognise(const ScatteredBatch& features, Workspace& workspace, std::span<Hypothesis> hypotheses) const {
  const SearchOptions options;
  const std::unique_ptr<Decoding> decoding = NewDecoding();
  std::vector<Decoding::Utterance> utterances;
  for (int64_t i = 0; i < features.segments(); ++i) {
    hypotheses[static_cast<size_t>(i)] = {};
    if (features.rows(i) > 0) utterances.push_back({i, features.segment(i), features.rows(i), &options});
  }
  decoding->Admit(utterances, workspace);
  std::vector<Decoding::Finished> finished;
  while (!decoding->empty()) decoding->Step(workspace, finished);
  for (auto& [id, hypothesis] : finished) {
    if (hypothesis.ok()) hypotheses[static_cast<size_t>(id)] = *std::move(hypothesis);
  }
}

SegmentText Whisper::Text(const Hypothesis& hypothesis) const {
  SegmentText result;
  const std::string spaced = package_.bpe.Text(hypothesis.ids);
  result.text = WithoutSpacesAround(spaced);
  // Words, each with the punctuation that is written to it.
  size_t token = 0;
  double score = 0;
  size_t tokens_of_unit = 0;
  const auto end_unit = [&] {
    if (tokens_of_unit > 0) result.units.back().score = static_cast<float>(score / static_cast<double>(tokens_of_unit));
    score = 0;
    tokens_of_unit = 0;
  };
  for (const ByteBpe::Group& group : package_.bpe.Letters(hypothesis.ids)) {
    const bool after_space = group.text.starts_with(' ');
    const std::string_view letters = std::string_view(group.text).substr(after_space ? 1 : 0);
    if (result.units.empty() || after_space || StandsAlone(letters)) {
      end_unit();
      result.units.push_back({});
    }
    result.units.back().text += letters;
    for (size_t i = 0; i < group.tokens; ++i) score += static_cast<double>(hypothesis.scores[token++]);
    tokens_of_unit += group.tokens;
  }
  end_unit();
  std::erase_if(result.units, [](const TextUnit& unit) { return unit.text.empty(); });
  return result;
}

std::vector<SegmentText> Whisper::Texts(const Hypothesis& hypothesis) const {
  if (hypothesis.parts.empty()) return {Text(hypothesis)};
  std::vector<SegmentText> texts;
  const std::span ids(hypothesis.ids);
  size_t first_id = 0, first_word = 0;
  for (const Hypothesis::Part& part : hypothesis.parts) {
    SegmentText& text = texts.emplace_back();
    if (hypothesis.words.empty()) {
      const auto own = ids.subspan(first_id, part.ids);
      const std::span scores = std::span(hypothesis.scores).subspan(first_id, part.ids);
      text = Text({{own.begin(), own.end()}, {scores.begin(), scores.end()}, {}});
    } else {
      text.text = PlainText(ids.subspan(first_id, part.ids));
      const std::span words = std::span(hypothesis.words).subspan(first_word, part.words);
      text.units.assign(words.begin(), words.end());
    }
    text.start_ms = part.start_ms;
    text.end_ms = part.end_ms;
    first_id += part.ids;
    first_word += part.words;
  }
  return texts;
}

}  // namespace tutti

#include "checkpoint/whisper_tokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "checkpoint/bpe_files.h"
#include "checkpoint/model_files.h"
#include "checkpoint/text_lines.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEndOfText = "<|endoftext|>";
constexpr int64_t kEnglishTokens = 51'864;
// In the order of their tokens. Models before large-v3 have all but the last.
constexpr std::string_view kLanguageCodes =
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue";

// Tokens that the weights have, and how many of them are times: one for each row of the encoder, and the window's end.
struct Expected {
  int64_t vocabulary = 0, times = 0;
};

absl::StatusOr<Expected> ExpectedBy(const Checkpoint& weights) {
  int64_t rows[2] = {};
  for (int64_t* count = rows;
       const char* name : {"decoder/embeddings/weight", "encoder/position_encodings/encodings"}) {
    constexpr int64_t kMost = 1 << 20;
    TUTTI_ASSIGN_OR_RETURN(const TensorView view, weights.Find(name));
    if (view.shape.size() != 2 || view.shape[0] < 1 || view.shape[0] > kMost) {
      return InvalidArgument("{}: tensor {} has shape [{}], expected 1 to {} rows", weights.path(), name,
                             fmt::join(view.shape, ", "), kMost);
    }
    *count++ = view.shape[0];
  }
  return Expected{.vocabulary = rows[0], .times = rows[1] + 1};
}

absl::StatusOr<WhisperTokenizer> Complete(BpeVocabulary vocabulary, const Expected& expected, std::string path,
                                          std::string source) {
  TUTTI_ASSIGN_OR_RETURN(auto tokens, CompleteVocabulary(vocabulary.tokens, expected.vocabulary, path));
  return WhisperTokenizer{
      .tokens = std::move(tokens), .bpe = std::move(vocabulary.tables), .source = std::move(source)};
}

absl::StatusOr<WhisperTokenizer> FromTokenizerJson(const fs::path& path, const Expected& expected) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path.string(), kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseTokenizerVocabulary(text, path.string()));
  return Complete(std::move(vocabulary), expected, path.string(), "tokenizer.json");
}

absl::StatusOr<WhisperTokenizer> FromVocabJson(const fs::path& directory, const Expected& expected) {
  TUTTI_ASSIGN_OR_RETURN(const std::string vocab, ReadFile((directory / "vocab.json").string(), kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(const std::string merges, ReadFile((directory / "merges.txt").string(), kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(const std::string added, ReadIfThere(directory / "added_tokens.json", kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseVocabularyFiles({vocab, merges, added}, directory.string()));
  return Complete(std::move(vocabulary), expected, (directory / "vocab.json").string(),
                  added.empty() ? "vocab.json, merges.txt" : "vocab.json, merges.txt, added_tokens.json");
}

// The words of the file, then what OpenAI's package puts behind them.
absl::StatusOr<WhisperTokenizer> FromTiktoken(const fs::path& path, const Expected& expected) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(path.string(), kMaxTextFile));
  TUTTI_ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseTiktoken(text, path.string()));
  std::vector<std::string> special = {std::string(kEndOfText), "<|startoftranscript|>"};
  const std::vector<std::string> tasks = {"<|translate|>",   "<|transcribe|>", "<|startoflm|>",
                                          "<|startofprev|>", "<|nospeech|>",   "<|notimestamps|>"};
  const auto words = static_cast<int64_t>(vocabulary.tokens.size());
  const auto others = static_cast<int64_t>(special.size() + tasks.size());
  const auto codes = Fields(kLanguageCodes);
  const int64_t languages = expected.vocabulary - words - others - expected.times;
  if (languages < 1 || languages > static_cast<int64_t>(codes.size())) {
    return InvalidArgument(
        "{}: {} words, {} other tokens and {} times leave {} languages of {} tokens, expected 1 to {}; is it the "
        "vocabulary of another model?",
        path.string(), words, others, expected.times, languages, expected.vocabulary, codes.size());
  }
  for (const std::string_view code : std::span(codes).first(static_cast<size_t>(languages))) {
    special.push_back(fmt::format("<|{}|>", code));
  }
  special.insert(special.end(), tasks.begin(), tasks.end());
  int64_t id = words;
  for (const std::string& token : special) vocabulary.tokens[id++] = token;
  vocabulary.tables.added = std::move(special);
  return Complete(std::move(vocabulary), expected, path.string(), path.filename().string());
}

absl::StatusOr<std::vector<std::string>> ReadVocabularyList(const fs::path& directory) {
  // vocabulary.json is what newer converters write.
  const fs::path json = directory / "vocabulary.json", text = directory / "vocabulary.txt";
  if (HasFile(json)) {
    TUTTI_ASSIGN_OR_RETURN(const std::string file, ReadFile(json.string(), kMaxTextFile));
    return ParseTokensJson(file, json.string());
  }
  if (!HasFile(text)) return NotFound("{}: has neither vocabulary.json nor vocabulary.txt", directory.string());
  TUTTI_ASSIGN_OR_RETURN(const std::string file, ReadFile(text.string(), kMaxTextFile));
  return ParseTokensText(file);
}

absl::Status NoTokenizer(const fs::path& directory, std::string_view tiktoken) {
  return NotFound(
      "{}: no tokenizer: expected tokenizer.json, vocab.json with merges.txt, {}, or vocabulary.txt. The weights do "
      "not "
      "hold one; put there the tokenizer.json of a Whisper with as many tokens (`tutti models pull "
      "hf:openai/whisper-base` brings one of 51,865, hf:openai/whisper-large-v3 one of 51,866, "
      "hf:openai/whisper-base.en "
      "one of 51,864), or {} from OpenAI's package (whisper/assets in PyPI's openai-whisper)",
      directory.string(), tiktoken, tiktoken);
}

}  // namespace

absl::StatusOr<WhisperTokenizer> ReadWhisperTokenizer(const std::string& directory, const Checkpoint& weights) {
  const fs::path path(directory);
  TUTTI_ASSIGN_OR_RETURN(const Expected expected, ExpectedBy(weights));
  const char* tiktoken = expected.vocabulary == kEnglishTokens ? "gpt2.tiktoken" : "multilingual.tiktoken";
  if (HasFile(path / "tokenizer.json")) return FromTokenizerJson(path / "tokenizer.json", expected);
  if (HasFile(path / "vocab.json") && HasFile(path / "merges.txt")) return FromVocabJson(path, expected);
  if (HasFile(path / tiktoken)) return FromTiktoken(path / tiktoken, expected);
  if (HasFile(path / "vocabulary.json") || HasFile(path / "vocabulary.txt")) return ReadListedTokenizer(directory);
  return NoTokenizer(path, tiktoken);
}

absl::StatusOr<WhisperTokenizer> ReadListedTokenizer(const std::string& directory) {
  const fs::path path(directory), merges = path / "tokenizer.json";
  WhisperTokenizer tokenizer;
  TUTTI_ASSIGN_OR_RETURN(tokenizer.tokens, ReadVocabularyList(path));
  tokenizer.source = HasFile(path / "vocabulary.json") ? "vocabulary.json" : "vocabulary.txt";
  if (HasFile(merges)) {
    tokenizer.source += ", tokenizer.json";
    TUTTI_ASSIGN_OR_RETURN(const std::string text, ReadFile(merges.string(), kMaxTextFile));
    TUTTI_ASSIGN_OR_RETURN(tokenizer.bpe, ParseTokenizerJson(text, tokenizer.tokens, merges.string()));
    return tokenizer;
  }
  const auto end = std::ranges::find(tokenizer.tokens, kEndOfText);
  const auto first_time = std::ranges::find(tokenizer.tokens, TimeToken(0));
  if (end == tokenizer.tokens.end() || first_time < end) {
    return InvalidArgument("{}: {}: expected words, {}, other tokens and times", directory, tokenizer.source,
                           kEndOfText);
  }
  const auto words = static_cast<size_t>(end - tokenizer.tokens.begin());
  tokenizer.bpe.merges = MergesOfWords(std::span(tokenizer.tokens).first(words));
  tokenizer.bpe.added.assign(end, first_time);
  return tokenizer;
}

void TakeTokenizer(WhisperTokenizer tokenizer, ModelPackage& package) {
  package.tokens = std::move(tokenizer.tokens);
  package.bpe = std::move(tokenizer.bpe);
  package.tokenizer_source = std::move(tokenizer.source);
}

}  // namespace tutti

#include "checkpoint/whisper_package.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "checkpoint/printable.h"

namespace tutti {
namespace {

// large-v3 has 32 layers of 20 heads, 1,280 wide, and 51,866 tokens. Within these no product of two overflows.
constexpr int64_t kMaxWhisperSize = 1 << 20;
constexpr int64_t kMaxWhisperLayers = 256;
constexpr int64_t kEnglishVocabulary = 51'864;

// The shape of a tensor of as many dimensions; each size is from 1 to kMaxWhisperSize.
absl::StatusOr<std::vector<int64_t>> ShapeOf(const Checkpoint& weights, const std::string& name, size_t dimensions) {
  TUTTI_ASSIGN_OR_RETURN(const TensorView view, weights.Find(name));
  const bool sound = std::ranges::all_of(view.shape, [](int64_t n) { return 1 <= n && n <= kMaxWhisperSize; });
  if (view.shape.size() == dimensions && sound) return view.shape;
  return InvalidArgument("{}: tensor {} has shape [{}], expected {} sizes from 1 to {}", weights.path(), name,
                         fmt::join(view.shape, ", "), dimensions, kMaxWhisperSize);
}

absl::StatusOr<int64_t> LayersOf(const Checkpoint& weights, std::string_view part) {
  int64_t layers = 0;
  while (weights.Has(fmt::format("{}/layer_{}/self_attention/linear_0/weight", part, layers))) ++layers;
  if (1 <= layers && layers <= kMaxWhisperLayers) return layers;
  return InvalidArgument("{}: {} layers of {}, expected 1 to {}", weights.path(), layers, part, kMaxWhisperLayers);
}

// One of the two halves: "encoder" or "decoder".
struct Half {
  int64_t layers = 0, heads = 0, units = 0, positions = 0;
};

absl::StatusOr<Half> ReadHalf(const ModelPackage& package, const std::string& part, int64_t width) {
  const Checkpoint& weights = *package.weights;
  Half half;
  TUTTI_ASSIGN_OR_RETURN(half.layers, LayersOf(weights, part));
  TUTTI_ASSIGN_OR_RETURN(const auto units, ShapeOf(weights, part + "/layer_0/ffn/linear_0/weight", 2));
  TUTTI_ASSIGN_OR_RETURN(const auto positions, ShapeOf(weights, part + "/position_encodings/encodings", 2));
  half.units = units[0];
  half.positions = positions[0];
  if (units[1] != width || positions[1] != width) {
    return InvalidArgument("{}: {}: rows of {} and positions of {}, expected the width {}", weights.path(), part,
                           units[1], positions[1], width);
  }
  const std::string key = part + "_heads";
  TUTTI_ASSIGN_OR_RETURN(half.heads, package.config.GetIntBetween(key, 0, 1, width));
  if (width % half.heads == 0) return half;
  return InvalidArgument("{}: {}: found {}, expected a divisor of the width {}", package.config.source_name(), key,
                         half.heads, width);
}

absl::StatusOr<WhisperSizes> ReadSizes(const ModelPackage& package) {
  const Checkpoint& weights = *package.weights;
  TUTTI_ASSIGN_OR_RETURN(const auto first, ShapeOf(weights, "encoder/conv1/weight", 3));
  TUTTI_ASSIGN_OR_RETURN(const auto embeddings, ShapeOf(weights, "decoder/embeddings/weight", 2));
  WhisperSizes sizes{.mels = first[1], .width = first[0], .vocabulary = embeddings[0]};
  if (embeddings[1] != sizes.width) {
    return InvalidArgument("{}: the decoder is {} wide, expected {} as the encoder", weights.path(), embeddings[1],
                           sizes.width);
  }
  if (embeddings[0] != static_cast<int64_t>(package.tokens.size())) {
    return InvalidArgument("{}: embeddings of {} tokens, but the vocabulary has {}", weights.path(), embeddings[0],
                           package.tokens.size());
  }
  TUTTI_ASSIGN_OR_RETURN(const Half encoder, ReadHalf(package, "encoder", sizes.width));
  TUTTI_ASSIGN_OR_RETURN(const Half decoder, ReadHalf(package, "decoder", sizes.width));
  sizes.encoder_layers = encoder.layers;
  sizes.encoder_heads = encoder.heads;
  sizes.encoder_units = encoder.units;
  sizes.encoder_positions = encoder.positions;
  sizes.decoder_layers = decoder.layers;
  sizes.decoder_heads = decoder.heads;
  sizes.decoder_units = decoder.units;
  sizes.decoder_positions = decoder.positions;
  return sizes;
}

// The token of one of these texts.
absl::StatusOr<int32_t> TokenOf(const ModelPackage& package, std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    const auto found = std::ranges::find(package.tokens, text);
    if (found != package.tokens.end()) return static_cast<int32_t>(found - package.tokens.begin());
  }
  return InvalidArgument("{}: the vocabulary has no {}", package.directory, fmt::join(texts, " and no "));
}

absl::StatusOr<WhisperTokens> ReadWhisperTokens(const ModelPackage& package) {
  WhisperTokens tokens;
  TUTTI_ASSIGN_OR_RETURN(tokens.end, TokenOf(package, {"<|endoftext|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.start, TokenOf(package, {"<|startoftranscript|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.translate, TokenOf(package, {"<|translate|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.transcribe, TokenOf(package, {"<|transcribe|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.start_of_previous, TokenOf(package, {"<|startofprev|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.no_speech, TokenOf(package, {"<|nospeech|>", "<|nocaptions|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.no_times, TokenOf(package, {"<|notimestamps|>"}));
  TUTTI_ASSIGN_OR_RETURN(tokens.first_time, TokenOf(package, {"<|0.00|>"}));
  if (std::min({tokens.start, tokens.translate, tokens.transcribe, tokens.start_of_previous, tokens.no_speech,
                tokens.no_times}) < tokens.end ||
      tokens.first_time != tokens.no_times + 1) {
    return InvalidArgument(
        "{}: vocabulary: expected words, <|endoftext|>, the other special tokens, and times behind "
        "<|notimestamps|>",
        package.directory);
  }
  return tokens;
}

// The tokens between start and translate: <|en|>, <|zh|>, …
absl::StatusOr<std::vector<WhisperLanguage>> ReadLanguages(const ModelPackage& package, const WhisperTokens& tokens) {
  std::vector<WhisperLanguage> languages;
  for (int32_t token = tokens.start + 1; token < tokens.translate; ++token) {
    const std::string_view text = package.tokens[static_cast<size_t>(token)];
    if (!text.starts_with("<|") || !text.ends_with("|>") || text.size() < 5) {
      return InvalidArgument("{}: vocabulary: token {} is {}, expected a language as <|en|>", package.directory, token,
                             Printable(text));
    }
    languages.push_back({std::string(text.substr(2, text.size() - 4)), token});
  }
  if (!languages.empty()) return languages;
  return InvalidArgument("{}: vocabulary: no language between <|startoftranscript|> and <|translate|>",
                         package.directory);
}

absl::StatusOr<std::vector<int32_t>> ReadSuppressed(const ModelPackage& package, std::string_view key) {
  std::vector<int32_t> tokens;
  TUTTI_ASSIGN_OR_RETURN(const auto ids, package.config.GetInts(key, {}));
  for (const int64_t id : ids) {
    if (id < 0 || id >= static_cast<int64_t>(package.tokens.size())) {
      return InvalidArgument("{}: {}: found {}, expected tokens below {}", package.config.source_name(), key, id,
                             package.tokens.size());
    }
    tokens.push_back(static_cast<int32_t>(id));
  }
  std::ranges::sort(tokens);
  const auto repeated = std::ranges::unique(tokens);
  tokens.erase(repeated.begin(), repeated.end());
  return tokens;
}

absl::StatusOr<std::vector<WhisperHead>> ReadAlignmentHeads(const ModelPackage& package, const WhisperSizes& sizes) {
  constexpr std::string_view kKey = "alignment_heads";
  TUTTI_ASSIGN_OR_RETURN(const auto numbers, package.config.GetInts(kKey, {}));
  std::vector<WhisperHead> heads;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    const WhisperHead head{numbers[i], numbers[i + 1]};
    if (head.layer < 0 || head.layer >= sizes.decoder_layers || head.head < 0 || head.head >= sizes.decoder_heads) {
      return InvalidArgument("{}: {}: found layer {}, head {}; the decoder has {} layers of {} heads",
                             package.config.source_name(), kKey, head.layer, head.head, sizes.decoder_layers,
                             sizes.decoder_heads);
    }
    heads.push_back(head);
  }
  if (numbers.size() % 2 != 0) {
    return InvalidArgument("{}: {}: {} numbers, expected pairs", package.config.source_name(), kKey, numbers.size());
  }
  if (!heads.empty()) return heads;
  // As CTranslate2's converter has it where nothing is known: all heads of the upper half.
  for (int64_t layer = sizes.decoder_layers / 2; layer < sizes.decoder_layers; ++layer) {
    for (int64_t head = 0; head < sizes.decoder_heads; ++head) heads.push_back({layer, head});
  }
  return heads;
}

}  // namespace

absl::StatusOr<WhisperPackage> WhisperPackage::From(const ModelPackage& package) {
  TUTTI_ASSIGN_OR_RETURN(const WhisperSizes sizes, ReadSizes(package));
  TUTTI_ASSIGN_OR_RETURN(const WhisperTokens tokens, ReadWhisperTokens(package));
  TUTTI_ASSIGN_OR_RETURN(auto languages, ReadLanguages(package, tokens));
  TUTTI_ASSIGN_OR_RETURN(auto heads, ReadAlignmentHeads(package, sizes));
  TUTTI_ASSIGN_OR_RETURN(auto suppressed, ReadSuppressed(package, "suppress_ids"));
  TUTTI_ASSIGN_OR_RETURN(auto suppressed_first, ReadSuppressed(package, "suppress_ids_begin"));
  auto bpe = ByteBpe::Make(package.tokens, tokens.end, package.bpe);
  if (!bpe.ok()) return WithContext(bpe.status(), package.directory);
  const bool is_multilingual = sizes.vocabulary != kEnglishVocabulary;
  if (!is_multilingual) languages.clear();
  return WhisperPackage{.sizes = sizes,
                        .tokens = tokens,
                        .is_multilingual = is_multilingual,
                        .languages = std::move(languages),
                        .alignment_heads = std::move(heads),
                        .suppressed = std::move(suppressed),
                        .suppressed_first = std::move(suppressed_first),
                        .bpe = *std::move(bpe)};
}

const WhisperLanguage* WhisperPackage::FindLanguage(std::string_view code) const {
  const auto found = std::ranges::find(languages, code, &WhisperLanguage::code);
  return found == languages.end() ? nullptr : &*found;
}

}  // namespace tutti

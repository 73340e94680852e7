#include "models/whisper_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/token_loop.h"
#include "nn/token_ops.h"

namespace tutti {
namespace {

// A hypothesis that nothing but a given prefix led to must not end at once.
constexpr float kHopeless = -1e10F;

// The next of a stream of numbers in [0, 1) (splitmix64).
double NextDraw(uint64_t& state) {
  uint64_t bits = state += 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  bits ^= bits >> 31;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

absl::Status CheckIds(std::span<const int32_t> ids, int32_t vocabulary, std::string_view what) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary) {
      return InvalidArgument("{}: token {}, expected 0 to {}", what, id, vocabulary - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const WhisperDecodeOptions& options, const WhisperVocabulary& tokens) {
  TUTTI_RETURN_IF_ERROR(CheckIds(options.prompt, tokens.vocabulary, "prompt"));
  TUTTI_RETURN_IF_ERROR(CheckIds(options.prefix, tokens.vocabulary, "prefix"));
  TUTTI_RETURN_IF_ERROR(CheckIds(options.rules.suppress, tokens.vocabulary, "suppressed tokens"));
  const auto starts = std::ranges::count(options.prompt, tokens.start);
  if (starts != 1) return InvalidArgument("prompt: {} start tokens, expected one", starts);
  if (options.detect_language) {
    if (tokens.languages.empty()) return InvalidArgument("language detection: the model knows English only");
    if (options.prompt.back() == tokens.start) return InvalidArgument("language detection: no token behind the start");
  }
  constexpr int64_t kMostBeams = 64;
  if (options.beam_size < 1 || options.beam_size > kMostBeams || options.best_of < 1 || options.best_of > kMostBeams) {
    return InvalidArgument("beam size {}, best of {}, expected 1 to {} each", options.beam_size, options.best_of,
                           kMostBeams);
  }
  if (2 * options.beam_size > tokens.vocabulary) {
    return InvalidArgument("beam size {} with a vocabulary of {}", options.beam_size, tokens.vocabulary);
  }
  if (!(options.patience > 0) || !(options.temperature >= 0) || !(options.rules.repetition_penalty > 0)) {
    return InvalidArgument("patience {}, temperature {}, repetition penalty {}, expected more than 0, 0 and 0",
                           options.patience, options.temperature, options.rules.repetition_penalty);
  }
  if (options.temperature > 0 ? options.beam_size > 1 : options.best_of > 1) {
    return InvalidArgument("beam size {} and best of {} at temperature {}: beams need 0, best of more than 0",
                           options.beam_size, options.best_of, options.temperature);
  }
  return absl::OkStatus();
}

WhisperRuleOptions RulesFor(const WhisperDecodeOptions& options, const WhisperVocabulary& tokens) {
  WhisperRuleOptions rules = options.rules;
  rules.timestamps = options.prompt.back() != tokens.no_timestamps;
  return rules;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WhisperSearch>> WhisperSearch::Create(const WhisperVocabulary& tokens,
                                                                     const WhisperDims& dims,
                                                                     WhisperDecodeOptions options, KvPool& pool) {
  TUTTI_RETURN_IF_ERROR(Check(options, tokens));
  const auto prompt = static_cast<int64_t>(options.prompt.size()), prefix = static_cast<int64_t>(options.prefix.size());
  const int64_t most = std::min(options.max_length, dims.text_positions);
  int64_t steps = std::min(most / 2, most - (prompt - 1));
  if (steps <= prefix) {
    return InvalidArgument("prompt of {} tokens and prefix of {} leave no room among {}", prompt, prefix, most);
  }
  if (options.most_tokens > 0) steps = std::min(steps, prefix + options.most_tokens);
  std::unique_ptr<WhisperSearch> search(new WhisperSearch(tokens, std::move(options), pool));
  search->max_steps_ = steps;
  const WhisperDecodeOptions& own = search->options_;
  search->pages_ = KvPool::PagesFor(std::max(own.beam_size, own.best_of), prompt + steps);
  return search;
}

WhisperSearch::WhisperSearch(const WhisperVocabulary& tokens, WhisperDecodeOptions options, KvPool& pool)
    : tokens_(tokens),
      options_(std::move(options)),
      rules_(tokens, RulesFor(options_, tokens)),
      pool_(pool),
      sot_(static_cast<size_t>(std::ranges::find(options_.prompt, tokens.start) - options_.prompt.begin())),
      phase_(options_.detect_language ? Phase::kDetect : Phase::kPrompt),
      prompt_(options_.prompt) {
  prompt_.insert(prompt_.end(), options_.prefix.begin(), options_.prefix.end());
  beams_.push_back({KvSequence(pool_), options_.prefix});
}

void WhisperSearch::AddInputs(const CrossMemory& memory, std::vector<WhisperInput>& inputs) {
  switch (phase_) {
    case Phase::kDetect:
      inputs.push_back({&beams_[0].cache, &memory, std::span(&tokens_.start, 1)});
      break;
    case Phase::kPrompt:
      inputs.push_back({&beams_[0].cache, &memory, prompt_});
      break;
    default:
      for (size_t i = 0; i < beams_.size(); ++i) {
        inputs.push_back({&beams_[i].cache, &memory, std::span(heard_).subspan(i, 1)});
      }
  }
}

void WhisperSearch::AddWanted(int64_t first_row, std::vector<int64_t>& rows) const {
  if (phase_ == Phase::kPrompt) {
    if (first_row_is_start()) rows.push_back(first_row + static_cast<int64_t>(sot_));
    rows.push_back(first_row + static_cast<int64_t>(prompt_.size()) - 1);
    return;
  }
  for (int64_t i = 0; i < wanted(); ++i) rows.push_back(first_row + i);
}

int64_t WhisperSearch::wanted() const {
  if (phase_ == Phase::kPrompt) return first_row_is_start() ? 2 : 1;
  return static_cast<int64_t>(beams_.size());
}

void WhisperSearch::Choose(std::span<float> logits, Workspace& workspace) {
  if (phase_ == Phase::kDetect) return ChooseLanguage(logits);
  const auto vocabulary = static_cast<size_t>(tokens_.vocabulary);
  if (phase_ == Phase::kPrompt) {
    const auto start = logits.first(vocabulary);
    const float lse = LogSumExp(start.data(), tokens_.vocabulary);
    result_.no_speech_prob = std::exp(start[static_cast<size_t>(tokens_.no_speech)] - lse);
    logits = logits.last(vocabulary);
  }
  for (size_t i = 0; i < beams_.size(); ++i) {
    rules_.Apply(beams_[i].history, static_cast<int64_t>(options_.prefix.size()),
                 logits.subspan(i * vocabulary, vocabulary));
  }
  candidates_.clear();
  if (options_.temperature > 0) return ChooseByDraw(logits, workspace);
  if (options_.beam_size > 1) return ChooseForBeam(logits);
  ChooseBest(logits);
}

void WhisperSearch::ChooseLanguage(std::span<const float> logits) {
  const auto logit = [&](int32_t language) { return logits[static_cast<size_t>(language)]; };
  result_.language = *std::ranges::max_element(tokens_.languages, {}, logit);
  double sum = 0;
  for (const int32_t language : tokens_.languages) {
    sum += std::exp(static_cast<double>(logit(language)) - logit(result_.language));
  }
  result_.language_prob = static_cast<float>(1 / sum);
}

void WhisperSearch::ChooseBest(std::span<float> logits) {
  const ArgMaxResult best = ArgMax(logits.data(), tokens_.vocabulary);
  const float lse = LogSumExp(logits.data(), tokens_.vocabulary);
  candidates_.push_back({0, static_cast<int32_t>(best.index), beams_[0].score + (best.value - lse)});
}

void WhisperSearch::ChooseForBeam(std::span<float> logits) {
  const int64_t wanted = 2 * options_.beam_size;
  std::vector<ArgMaxResult> best(static_cast<size_t>(wanted));
  for (size_t i = 0; i < beams_.size(); ++i) {
    const float* row = logits.data() + static_cast<int64_t>(i) * tokens_.vocabulary;
    const float lse = LogSumExp(row, tokens_.vocabulary);
    TopK(row, tokens_.vocabulary, wanted, best.data());
    for (const ArgMaxResult& token : best) {
      candidates_.push_back({i, static_cast<int32_t>(token.index), (token.value - lse) + beams_[i].score});
    }
  }
  std::ranges::stable_sort(candidates_, std::greater(), &Candidate::score);
  candidates_.resize(static_cast<size_t>(wanted));
  if (phase_ != Phase::kPrompt || options_.prefix.empty()) return;
  for (auto candidate = candidates_.begin() + 1; candidate != candidates_.end(); ++candidate) {
    if (candidate->token == tokens_.end) *candidate = {candidate->parent, 0, kHopeless};
  }
}

void WhisperSearch::ChooseByDraw(std::span<float> logits, Workspace& workspace) {
  Workspace::Scope scope(workspace);
  const int64_t vocabulary = tokens_.vocabulary;
  float* probs = scope.Floats(vocabulary);
  // The first draws are all from one distribution.
  const bool first = phase_ == Phase::kPrompt;
  const size_t draws = first ? static_cast<size_t>(options_.best_of) : beams_.size();
  for (size_t i = 0; i < draws; ++i) {
    const size_t parent = first ? 0 : i;
    const float* row = logits.data() + static_cast<int64_t>(parent) * vocabulary;
    if (!first || i == 0) {
      for (int64_t id = 0; id < vocabulary; ++id) probs[id] = row[id] / options_.temperature;
      Softmax(probs, 1, vocabulary);
    }
    uint64_t state = first ? options_.seed + i * 0xd1342543de82ef95 : beams_[i].draws;
    const double draw = NextDraw(state);
    if (!first) beams_[i].draws = state;
    double sum = 0;
    int64_t token = -1;
    for (int64_t id = 0; id < vocabulary && sum <= draw; ++id) {
      if (probs[id] > 0) token = id;
      sum += static_cast<double>(probs[id]);
    }
    const float lse = LogSumExp(row, vocabulary);
    candidates_.push_back({parent, static_cast<int32_t>(token), beams_[parent].score + (row[token] - lse)});
  }
}

void WhisperSearch::Advance() {
  if (phase_ == Phase::kDetect) {
    prompt_[sot_ + 1] = result_.language;
    beams_[0].cache.Clear();
    phase_ = Phase::kPrompt;
    return;
  }
  const bool is_last_step = static_cast<int64_t>(beams_[0].history.size()) + 1 == max_steps_;
  if (options_.beam_size > 1) {
    AdvanceBeams(is_last_step);
  } else {
    AdvanceSingles(is_last_step);
  }
  if (phase_ == Phase::kFinished) return;
  phase_ = Phase::kSearch;
  heard_.clear();
  for (const Beam& beam : beams_) heard_.push_back(beam.history.back());
}

bool WhisperSearch::EndsWith(const Candidate& candidate, bool is_last_step) {
  if (candidate.token == tokens_.end) {
    finished_.push_back({beams_[candidate.parent].history, candidate.score});
    return true;
  }
  std::vector<int32_t> tokens = beams_[candidate.parent].history;
  tokens.push_back(candidate.token);
  const bool is_loop = RunsInLoop(tokens, tokens_.end);
  if (!is_loop && !is_last_step) return false;
  finished_.push_back({std::move(tokens), candidate.score, 0, is_loop ? WhisperEnd::kLoop : WhisperEnd::kLength});
  return true;
}

WhisperSearch::Beam WhisperSearch::Follow(const Candidate& candidate) const {
  const Beam& parent = beams_[candidate.parent];
  Beam beam = {parent.cache.Fork(), parent.history, candidate.score, parent.draws};
  beam.history.push_back(candidate.token);
  return beam;
}

void WhisperSearch::AdvanceBeams(bool is_last_step) {
  const auto size = static_cast<size_t>(options_.beam_size);
  std::vector<Beam> next;
  size_t spare = size;  // candidates from here on take the places of those that end
  for (size_t i = 0; i < size; ++i) {
    size_t active = i;
    if (EndsWith(candidates_[i], is_last_step)) {
      best_beam_finished_ = best_beam_finished_ || i == 0;
      for (size_t j = spare; j < candidates_.size(); ++j) {
        if (candidates_[j].token == tokens_.end) continue;
        active = j;
        spare = j + 1;
        break;
      }
    }
    next.push_back(Follow(candidates_[active]));
  }
  const auto enough = static_cast<size_t>(std::lround(static_cast<float>(size) * options_.patience));
  const bool done = options_.length_penalty == 0 ? best_beam_finished_ && !finished_.empty()
                                                 : finished_.size() >= std::max<size_t>(enough, 1);
  beams_ = std::move(next);
  if (is_last_step || done) Finish();
}

void WhisperSearch::AdvanceSingles(bool is_last_step) {
  std::vector<Beam> next;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& candidate = candidates_[i];
    if (EndsWith(candidate, is_last_step)) continue;
    Beam beam = Follow(candidate);
    if (phase_ == Phase::kPrompt) {
      beam.draws = options_.seed + i * 0xd1342543de82ef95;
      NextDraw(beam.draws);
    }
    next.push_back(std::move(beam));
  }
  beams_ = std::move(next);
  if (beams_.empty()) Finish();
}

void WhisperSearch::Finish() {
  for (WhisperSequence& sequence : finished_) {
    const auto length = static_cast<float>(sequence.tokens.size());
    sequence.score = sequence.log_prob / std::pow(length, options_.length_penalty);
  }
  std::ranges::stable_sort(finished_, std::greater(), [](const WhisperSequence& one) {
    return std::pair(one.end != WhisperEnd::kLoop, one.score);
  });
  const auto most = static_cast<size_t>(std::max(options_.beam_size, options_.best_of));
  if (finished_.size() > most) finished_.resize(most);
  result_.sequences = std::move(finished_);
  beams_.clear();
  phase_ = Phase::kFinished;
}

}  // namespace tutti

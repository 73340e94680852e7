#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "models/whisper_decoder.h"
#include "models/whisper_rules.h"
#include "nn/cross_attention.h"
#include "nn/kv_pool.h"
#include "nn/workspace.h"

namespace tutti {

struct WhisperDecodeOptions {
  // [start of previous, text …,] start, language, task[, no timestamps]; an English-only model has start alone. Without
  // no-timestamps at its end the decoder makes times.
  std::vector<int32_t> prompt = {};
  // The token behind start in the prompt gives way to the language that the decoder takes it for.
  bool detect_language = false;
  std::vector<int32_t> prefix = {};  // how the text begins
  int64_t beam_size = 1;             // 1: greedy
  float patience = 1;
  float length_penalty = 1;
  int64_t max_length = 448;  // tokens with the prompt; half as many are found at most
  int64_t most_tokens = 0;   // behind the prefix; 0: no such bound
  // Above 0: tokens are drawn, from probabilities of this temperature, in `best_of` hypotheses; beam_size is 1 then.
  float temperature = 0;
  int64_t best_of = 1;
  uint64_t seed = 0;              // of the draws
  WhisperRuleOptions rules = {};  // timestamps: as the prompt says
};

// By what a sequence ended: the end token, its length, or that it ran in a loop (token_loop.h).
enum class WhisperEnd { kToken, kLength, kLoop };

struct WhisperSequence {
  std::vector<int32_t> tokens = {};  // without the end; the prefix is among them
  float log_prob = 0;                // of all tokens and the end, without the prefix
  float score = 0;                   // log_prob / tokens ^ length_penalty, by which the best is found
  WhisperEnd end = WhisperEnd::kToken;

  // Over the tokens and the end, as faster-whisper has it.
  float mean_log_prob() const { return log_prob / static_cast<float>(tokens.size() + 1); }
};

struct WhisperResult {
  std::vector<WhisperSequence> sequences = {};  // best first, those that ran in loops last; one at least
  float no_speech_prob = 0;
  // With detect_language only.
  int32_t language = -1;
  float language_prob = 0;
};

// The search for one utterance's tokens, as CTranslate2 does it, a step at a time. Between two steps it says which
// tokens the decoder shall hear and which of their logits it wants; whose rows they share a batch with is no matter to
// it.
//
// All state is private to the utterance. Owned by one worker.
class WhisperSearch {
 public:
  // InvalidArgument for options that the model cannot serve. `tokens` and `pool` outlive it.
  static absl::StatusOr<std::unique_ptr<WhisperSearch>> Create(const WhisperVocabulary& tokens, const WhisperDims& dims,
                                                               WhisperDecodeOptions options, KvPool& pool);

  // Pages that it can come to use.
  int64_t pages() const { return pages_; }

  // What the decoder hears next; valid until Advance.
  void AddInputs(const CrossMemory& memory, std::vector<WhisperInput>& inputs);
  // The rows of its inputs, counted from its first, whose logits it wants; in ascending order.
  void AddWanted(int64_t first_row, std::vector<int64_t>& rows) const;
  int64_t wanted() const;

  // Reads and changes those logits, [wanted(), vocabulary]. Touches nothing that it shares with others.
  void Choose(std::span<float> logits, Workspace& workspace);
  // Goes on with what Choose found.
  void Advance();

  bool finished() const { return phase_ == Phase::kFinished; }
  WhisperResult TakeResult() { return std::move(result_); }

 private:
  enum class Phase { kDetect, kPrompt, kSearch, kFinished };
  struct Candidate {
    size_t parent;
    int32_t token;
    float score;
  };
  struct Beam {
    KvSequence cache;
    std::vector<int32_t> history;  // found so far, after the prefix
    float score = 0;
    uint64_t draws = 0;  // state of its generator
  };

  WhisperSearch(const WhisperVocabulary& tokens, WhisperDecodeOptions options, KvPool& pool);

  bool first_row_is_start() const { return phase_ == Phase::kPrompt && sot_ + 1 < prompt_.size(); }
  void ChooseLanguage(std::span<const float> logits);
  void ChooseBest(std::span<float> logits);
  void ChooseForBeam(std::span<float> logits);
  void ChooseByDraw(std::span<float> logits, Workspace& workspace);
  // Whether a candidate ends its hypothesis in this step; if so it is among the finished.
  bool EndsWith(const Candidate& candidate, bool is_last_step);
  void AdvanceBeams(bool is_last_step);
  void AdvanceSingles(bool is_last_step);
  Beam Follow(const Candidate& candidate) const;
  void Finish();

  const WhisperVocabulary& tokens_;
  const WhisperDecodeOptions options_;
  const WhisperRules rules_;
  KvPool& pool_;
  size_t sot_ = 0;  // place of start in the prompt
  int64_t max_steps_ = 0;
  int64_t pages_ = 0;

  Phase phase_ = Phase::kPrompt;
  std::vector<int32_t> prompt_;  // with the prefix
  std::vector<Beam> beams_;
  std::vector<int32_t> heard_;         // the last tokens of all beams
  std::vector<Candidate> candidates_;  // of this step, best first; when drawn: one for each hypothesis
  std::vector<WhisperSequence> finished_;
  bool best_beam_finished_ = false;
  WhisperResult result_;
};

}  // namespace tutti

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "models/whisper_search.h"
#include "tutti/search_options.h"

namespace tutti {

// The searches for one window's text: one at the first temperature, and while what is found is unlikely one at each of
// the next, as faster-whisper's generate_with_fallback has it (whisper spec §5). Unlikely is what repeats itself, what
// the decoder is not sure of, and what did not end: it ran in a loop, or said more than anybody can in that time. What
// it takes for silence is not looked for again.
//
// Silence is, as in the reference, what is likely silent and unlikely as text; and beyond the reference
// - what is likely silent and has a loop that CutLoops would cut: it counts to one in music;
// - what is almost certainly silent and not quite certain as text: it hears "you" in digital silence;
// - what may be silent and is unlikely at every temperature: it hears "Thank you for watching" in music.
// Over 530 windows of speech and an hour of noises, tones and music these take all of the latter for silence but
// one window, and none of the former that had the right words.
//
// A beam keeps what is likely at first, and may so pass over words that one step after the other would hear. Where it
// says little for so much speech, a greedy search follows, and the likelier of the two texts is taken. The reference
// has no such thing.
//
// The draws of a temperature have a seed of that temperature: what a window's text is depends on the window and the
// options alone. All state is the window's own.
class WhisperFallback {
 public:
  // Of a window with so much speech. The options have a temperature; `start` is the token of that name in decode's
  // prompt.
  WhisperFallback(const SearchOptions& options, WhisperDecodeOptions decode, int32_t start, double seconds);

  // Tokens that a text of so much speech has at most. The densest languages that the vocabulary was tried with, Burmese
  // and Georgian, come to 35 a second, English to 6.
  static int64_t MostTokens(double seconds);
  // Fewer are little for so much speech; 0 where it is too short to tell. English comes to 2 a second where words are
  // read out with pauses.
  static int64_t LeastTokens(double seconds);

  // What to search with next.
  const WhisperDecodeOptions& decode() const { return decode_; }

  // Takes what the search found, whose best text is `text`. True: there is another search to do.
  bool Take(WhisperResult result, std::string_view text);

  // What came of it all.
  struct Found {
    WhisperSequence sequence = {};
    bool is_silence = false;
    bool runs_away = false;       // it repeats itself or has no end, and no search found anything better
    float compression_ratio = 0;  // of all its text
  };
  Found TakeBest() { return *std::move(best_); }
  float temperature() const { return decode_.temperature; }  // of the last search
  float no_speech_prob() const { return no_speech_prob_; }
  // As WhisperResult has them.
  int32_t language() const { return language_; }
  float language_prob() const { return language_prob_; }

 private:
  void SetTemperature(float temperature);
  // `at_last`: at no temperature it was better.
  bool IsSilence(const WhisperSequence& sequence, bool at_last) const;
  bool HasNoEnd(const WhisperSequence& sequence) const;
  // Whether to search greedily as well.
  bool SaysLittle(const WhisperSequence& sequence) const;

  const SearchOptions& options_;
  const int32_t start_;
  WhisperDecodeOptions decode_;
  const int64_t least_tokens_;
  bool is_second_ = false;  // the search under way is the greedy one behind a beam's
  size_t next_ = 1;         // of the temperatures
  std::optional<Found> best_;
  float no_speech_prob_ = 0;
  int32_t language_ = -1;
  float language_prob_ = 0;
};

}  // namespace tutti

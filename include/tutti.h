/* tutti from C, and from every language that can call C: many recordings at once, one copy of the weights.

   Handles are opaque; each comes from one function and goes to the function named with it, which takes NULL, too. Every
   string is UTF-8. A function that can fail returns a tutti_code; where it has an argument `char** error`, that may be
   NULL, and else receives on failure a message that says what to do, to be freed with tutti_free_string. Nothing here
   throws, ends the process or writes to its output.

   Threads: a tutti_recognizer may be used by any number of threads at the same time, a tutti_transcription too. Every
   other handle is used by one thread at a time. Nothing here may be used in a child after fork.

   Structs of options begin with their size, which the _init function sets: a program built with an older header goes on
   working with a newer library of the same TUTTI_ABI_VERSION. */
#ifndef TUTTI_H_
#define TUTTI_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TUTTI_ABI_VERSION 1

/* That of the library, to compare with TUTTI_ABI_VERSION. */
int tutti_abi_version(void);
/* "0.1.0"; for ever valid. */
const char* tutti_version(void);

/* The numbers are those of absl::StatusCode and gRPC. */
typedef enum tutti_code {
  TUTTI_OK = 0,
  TUTTI_CANCELLED = 1,
  TUTTI_UNKNOWN = 2,
  TUTTI_INVALID_ARGUMENT = 3,
  TUTTI_DEADLINE_EXCEEDED = 4,
  TUTTI_NOT_FOUND = 5,
  TUTTI_ALREADY_EXISTS = 6,
  TUTTI_PERMISSION_DENIED = 7,
  TUTTI_RESOURCE_EXHAUSTED = 8,
  TUTTI_FAILED_PRECONDITION = 9,
  TUTTI_ABORTED = 10,
  TUTTI_OUT_OF_RANGE = 11,
  TUTTI_UNIMPLEMENTED = 12,
  TUTTI_INTERNAL = 13,
  TUTTI_UNAVAILABLE = 14,
  TUTTI_DATA_LOSS = 15
} tutti_code;

/* "INVALID_ARGUMENT", …; for ever valid. */
const char* tutti_code_name(tutti_code code);
void tutti_free_string(char* text);

typedef struct tutti_recognizer tutti_recognizer;
typedef struct tutti_audio tutti_audio;
typedef struct tutti_transcription tutti_transcription;
typedef struct tutti_transcript tutti_transcript;
typedef struct tutti_vad_stream tutti_vad_stream;

/* Recogniser */

typedef struct tutti_recognizer_options {
  size_t size;
  const char* model;        /* a FunASR model directory or a GGUF file */
  const char* vad;          /* a VAD model, likewise; NULL: every recording is one segment */
  const char* compute_type; /* "auto" (as NULL), "f32", "bf16", "int8"; one that the CPU lacks falls back to f32 */
  int threads;              /* workers that run the network; 0: one a core */
  int decode_threads;       /* 0: as many, at most one a core */
  int pin_threads;          /* each worker on a CPU of its own */
  int latency;              /* all workers share one batch at a time */
  double batch_seconds;     /* of audio in a batch */
  double queue_seconds;     /* of audio that waits for a worker; beyond it decoding pauses */
  int64_t queue_bytes;      /* likewise */
  int64_t max_pending;      /* recordings submitted and not finished */
} tutti_recognizer_options;

void tutti_recognizer_options_init(tutti_recognizer_options* options);

/* Loads the weights and starts the threads. NULL on failure. Free with tutti_recognizer_free, which cancels what is
   pending and waits for its threads; transcriptions stay valid after it. */
tutti_recognizer* tutti_recognizer_create(const tutti_recognizer_options* options, tutti_code* code, char** error);
void tutti_recognizer_free(tutti_recognizer* recognizer);
int tutti_recognizer_threads(const tutti_recognizer* recognizer);
/* What the recognition model runs: "f32", "bf16" or "int8"; for ever valid. */
const char* tutti_recognizer_compute_type(const tutti_recognizer* recognizer);
/* The languages that the option "language" of the search may name: codes, "en", "zh", …, which live as long as the
   recogniser. None where a request does not choose the language. NULL for an index out of range. */
size_t tutti_recognizer_language_count(const tutti_recognizer* recognizer);
const char* tutti_recognizer_language(const tutti_recognizer* recognizer, size_t index);
/* 1: the option "task" may be "translate", into English. */
int tutti_recognizer_translates(const tutti_recognizer* recognizer);

/* Audio. A handle may be transcribed any number of times and freed, with tutti_audio_free, as soon as it was handed
   over. NULL when memory is short, or an argument is NULL or negative. */

tutti_audio* tutti_audio_from_file(const char* path);
/* A whole encoded file in memory, which is copied. `name` is for messages and results. Bytes without a container's
   header are 16 kHz s16le, or G.722 when the name ends in .g722. */
tutti_audio* tutti_audio_from_bytes(const void* bytes, size_t size, const char* name);
/* Samples in [-1, 1], interleaved when channels > 1, which are copied; `count` is that of all channels. */
tutti_audio* tutti_audio_from_samples(const float* samples, size_t count, int sample_rate, int channels,
                                      const char* name);
void tutti_audio_free(tutti_audio* audio);

/* Transcribing */

typedef struct tutti_transcribe_options {
  size_t size;
  int use_vad;             /* 1; no effect without a VAD model */
  int split_channels;      /* transcribe each channel by itself */
  int interactive;         /* before what is not */
  const char* raw_format;  /* "s16le:16000:1": headerless audio; NULL: detect */
  int64_t max_segment_ms;  /* a longer one is cut at its quietest place */
  int64_t max_duration_ms; /* a longer recording is refused */
  int64_t timeout_ms;      /* from now; 0: none */
  /* For models that find their text token by token, as Whisper: names and values in turn, as text, up to a NULL, such
     as {"language", "en", "task", "transcribe", "beam_size", "1", NULL}. Names and values are those of
     `tutti transcribe --help` (group Search), with underscores. NULL: none. */
  const char* const* search;
} tutti_transcribe_options;

void tutti_transcribe_options_init(tutti_transcribe_options* options);

/* Blocks until done. `options` may be NULL. On success *transcript is to be freed with tutti_transcript_free, else it
   is NULL. */
tutti_code tutti_transcribe(tutti_recognizer* recognizer, const tutti_audio* audio,
                            const tutti_transcribe_options* options, tutti_transcript** transcript, char** error);

/* Called once for each accepted recording, from a thread of the recogniser, when its result is there or has failed. It
   may submit more, but must neither wait nor unwind its stack past itself. `transcript` is NULL unless `code` is
   TUTTI_OK; it and `error` ("" then) are the library's and valid during the call. */
typedef void (*tutti_on_done)(void* user, tutti_code code, const char* error, const tutti_transcript* transcript);

/* Accepts a recording and returns at once; RESOURCE_EXHAUSTED beyond max_pending. `on_done` and `transcription` may be
   NULL; else *transcription is to be freed with tutti_transcription_free, which does not cancel. */
tutti_code tutti_submit(tutti_recognizer* recognizer, const tutti_audio* audio, const tutti_transcribe_options* options,
                        tutti_on_done on_done, void* user, tutti_transcription** transcription, char** error);
/* Blocks until the result is there; any number of calls, each gives a transcript of its own. */
tutti_code tutti_transcription_wait(tutti_transcription* transcription, tutti_transcript** transcript, char** error);
int tutti_transcription_done(const tutti_transcription* transcription);
/* What has not started will not; wait gives CANCELLED unless the result was complete already. */
void tutti_transcription_cancel(tutti_transcription* transcription);
void tutti_transcription_free(tutti_transcription* transcription);

/* Results. Strings are the transcript's and live as long as it. Times are ms from the start of the recording, -1 where
   the model has none. An index out of range gives 0 and leaves the struct as it is. */

typedef struct tutti_segment {
  size_t size; /* set by the caller */
  int64_t start_ms, end_ms;
  int channel;
  const char* text;
  size_t token_count;
  /* What a model that finds its text token by token says of it; "" and NaN with others. */
  const char* language; /* of the speech: "en", "zh", … */
  float language_probability;
  float avg_logprob;       /* mean log-probability of the tokens */
  float no_speech_prob;    /* that nobody speaks */
  float compression_ratio; /* high where the text repeats itself */
  float temperature;       /* at which the text was found; 0: without draws */
} tutti_segment;

typedef struct tutti_token {
  size_t size; /* set by the caller */
  int64_t start_ms, end_ms;
  const char* text;
  float score; /* mean log-probability */
} tutti_token;

const char* tutti_transcript_text(const tutti_transcript* transcript);
/* That most of the speech is in: "en", "zh", …; "" where the model does not tell. */
const char* tutti_transcript_language(const tutti_transcript* transcript);
int64_t tutti_transcript_duration_ms(const tutti_transcript* transcript);
/* 1: the audio broke off, and what could be decoded was transcribed. */
int tutti_transcript_truncated(const tutti_transcript* transcript);
size_t tutti_transcript_segment_count(const tutti_transcript* transcript);
int tutti_transcript_segment(const tutti_transcript* transcript, size_t index, tutti_segment* segment);
int tutti_transcript_token(const tutti_transcript* transcript, size_t segment, size_t index, tutti_token* token);
/* As `tutti transcribe --format` writes it: "txt", "json", "jsonl", "srt", "vtt", "tsv". Subtitles are cut between
   words that have times: for them set "word_timestamps" where the model takes options of a search. NULL for another
   name or when memory is short. Free with tutti_free_string. */
char* tutti_transcript_render(const tutti_transcript* transcript, const char* format);
void tutti_transcript_free(tutti_transcript* transcript);

/* Voice activity of a live stream of 16 kHz mono samples in [-1, 1]. */

typedef struct tutti_vad_event {
  int64_t start_ms, end_ms; /* -1: not known yet, or told before */
} tutti_vad_event;

/* NULL on failure, as without a VAD model. Free with tutti_vad_stream_free, before the recogniser. */
tutti_vad_stream* tutti_vad_stream_open(tutti_recognizer* recognizer, tutti_code* code, char** error);
/* What these samples tell, valid until the next call with this stream. With `is_final` the stream ends, and starts anew
   with the next call. */
tutti_code tutti_vad_stream_accept(tutti_vad_stream* stream, const float* samples, size_t count, int is_final,
                                   const tutti_vad_event** events, size_t* event_count);
void tutti_vad_stream_free(tutti_vad_stream* stream);

#ifdef __cplusplus
}
#endif

#endif /* TUTTI_H_ */

/* include/tutti.h as a C program meets it.
   usage: c_api_test MODEL VAD RECORDING TEXT LONG.wav WHISPER
     RECORDING, TEXT   what is said in it
     LONG.wav          16 kHz, mono, 16 bits: speech and pauses
     WHISPER           a multilingual Whisper model that says something about LONG.wav */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tutti.h"

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static const char *model, *vad, *recording, *text, *long_wav, *whisper;

static char* ReadFile(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes;
  CHECK(file != NULL);
  CHECK(fseek(file, 0, SEEK_END) == 0);
  *size = (size_t)ftell(file);
  rewind(file);
  bytes = malloc(*size);
  CHECK(bytes != NULL && fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

static tutti_recognizer* CreateOf(const char* model) {
  tutti_recognizer_options options;
  tutti_code code = TUTTI_UNKNOWN;
  char* error = NULL;
  tutti_recognizer* recognizer;
  tutti_recognizer_options_init(&options);
  options.model = model;
  options.vad = vad;
  options.threads = 2;
  recognizer = tutti_recognizer_create(&options, &code, &error);
  if (recognizer == NULL) fprintf(stderr, "%s: %s\n", tutti_code_name(code), error);
  CHECK(recognizer != NULL && code == TUTTI_OK && error == NULL);
  return recognizer;
}

static tutti_recognizer* Create(void) { return CreateOf(model); }

static void TheLibraryTellsItsVersion(void) {
  CHECK(tutti_abi_version() == TUTTI_ABI_VERSION);
  CHECK(strlen(tutti_version()) >= 5);
  CHECK(strcmp(tutti_code_name(TUTTI_NOT_FOUND), "NOT_FOUND") == 0);
  CHECK(strcmp(tutti_code_name((tutti_code)99), "UNKNOWN") == 0);
}

static void AModelThatIsNotThereIsAnErrorThatNamesIt(void) {
  tutti_recognizer_options options;
  tutti_code code = TUTTI_OK;
  char* error = NULL;
  tutti_recognizer_options_init(&options);
  options.model = "/no/such/model";
  CHECK(tutti_recognizer_create(&options, &code, &error) == NULL);
  CHECK(code == TUTTI_NOT_FOUND);
  CHECK(error != NULL && strstr(error, "/no/such/model") != NULL);
  tutti_free_string(error);

  options.compute_type = "float99";
  CHECK(tutti_recognizer_create(&options, &code, &error) == NULL);
  CHECK(code == TUTTI_INVALID_ARGUMENT && strstr(error, "float99") != NULL);
  tutti_free_string(error);

  options.size = 0;
  CHECK(tutti_recognizer_create(&options, &code, NULL) == NULL);
  CHECK(code == TUTTI_INVALID_ARGUMENT);
}

static void NullIsAnErrorAndNeverACrash(tutti_recognizer* recognizer) {
  tutti_audio* audio = tutti_audio_from_file(recording);
  tutti_transcript* transcript = NULL;
  tutti_transcription* transcription = NULL;
  tutti_code code = TUTTI_OK;
  char* error = NULL;
  CHECK(tutti_recognizer_create(NULL, &code, NULL) == NULL && code == TUTTI_INVALID_ARGUMENT);
  CHECK(tutti_audio_from_file(NULL) == NULL);
  CHECK(tutti_audio_from_bytes(NULL, 1, "x") == NULL);
  CHECK(tutti_audio_from_samples(NULL, 1, 16000, 1, "x") == NULL);
  CHECK(tutti_transcribe(NULL, audio, NULL, &transcript, NULL) == TUTTI_INVALID_ARGUMENT);
  CHECK(tutti_transcribe(recognizer, NULL, NULL, &transcript, &error) == TUTTI_INVALID_ARGUMENT);
  CHECK(transcript == NULL && strstr(error, "audio") != NULL);
  tutti_free_string(error);
  CHECK(tutti_submit(recognizer, NULL, NULL, NULL, NULL, &transcription, NULL) == TUTTI_INVALID_ARGUMENT);
  CHECK(transcription == NULL);
  CHECK(tutti_transcription_wait(NULL, NULL, NULL) == TUTTI_INVALID_ARGUMENT);
  CHECK(tutti_transcription_done(NULL) == 0);
  CHECK(tutti_vad_stream_open(NULL, &code, NULL) == NULL && code == TUTTI_INVALID_ARGUMENT);
  CHECK(tutti_vad_stream_accept(NULL, NULL, 0, 1, NULL, NULL) == TUTTI_INVALID_ARGUMENT);
  CHECK(strcmp(tutti_transcript_text(NULL), "") == 0);
  CHECK(strcmp(tutti_transcript_language(NULL), "") == 0);
  CHECK(tutti_recognizer_language_count(NULL) == 0 && tutti_recognizer_language(NULL, 0) == NULL);
  CHECK(tutti_recognizer_translates(NULL) == 0);
  CHECK(tutti_transcript_render(NULL, "txt") == NULL);
  tutti_transcription_cancel(NULL);
  tutti_recognizer_free(NULL);
  tutti_audio_free(NULL);
  tutti_transcription_free(NULL);
  tutti_transcript_free(NULL);
  tutti_vad_stream_free(NULL);
  tutti_free_string(NULL);
  tutti_audio_free(audio);
}

static void FileAndBytesGiveTheSameText(tutti_recognizer* recognizer) {
  size_t size;
  char* bytes = ReadFile(recording, &size);
  tutti_audio* inputs[2];
  int i;
  inputs[0] = tutti_audio_from_file(recording);
  inputs[1] = tutti_audio_from_bytes(bytes, size, recording);
  free(bytes);
  for (i = 0; i < 2; ++i) {
    tutti_transcript* transcript = NULL;
    char* error = NULL;
    CHECK(tutti_transcribe(recognizer, inputs[i], NULL, &transcript, &error) == TUTTI_OK);
    CHECK(error == NULL);
    CHECK(strcmp(tutti_transcript_text(transcript), text) == 0);
    CHECK(tutti_transcript_duration_ms(transcript) > 300);
    CHECK(tutti_transcript_truncated(transcript) == 0);
    tutti_transcript_free(transcript);
    tutti_audio_free(inputs[i]);
  }
}

static void ABadRecordingIsAnErrorAndSparesTheNext(tutti_recognizer* recognizer) {
  tutti_audio* bad = tutti_audio_from_bytes("RIFF\x10\0\0\0WAVEno audio", 20, "bad.wav");
  tutti_transcript* transcript = NULL;
  char* error = NULL;
  CHECK(tutti_transcribe(recognizer, bad, NULL, &transcript, &error) != TUTTI_OK);
  CHECK(transcript == NULL && strstr(error, "bad.wav") != NULL);
  tutti_free_string(error);
  tutti_audio_free(bad);
  FileAndBytesGiveTheSameText(recognizer);
}

static void SegmentsAndTokensCanBeWalked(tutti_recognizer* recognizer) {
  tutti_audio* audio = tutti_audio_from_file(long_wav);
  tutti_transcript* transcript = NULL;
  tutti_segment segment;
  tutti_token token;
  size_t i, j, tokens = 0;
  int64_t end_ms = 0;
  char* rendered;
  CHECK(tutti_transcribe(recognizer, audio, NULL, &transcript, NULL) == TUTTI_OK);
  CHECK(tutti_transcript_segment_count(transcript) > 1);
  segment.size = sizeof segment;
  token.size = sizeof token;
  for (i = 0; i < tutti_transcript_segment_count(transcript); ++i) {
    CHECK(tutti_transcript_segment(transcript, i, &segment) == 1);
    CHECK(segment.start_ms >= end_ms && segment.end_ms > segment.start_ms && segment.text != NULL);
    end_ms = segment.end_ms;
    for (j = 0; j < segment.token_count; ++j) {
      CHECK(tutti_transcript_token(transcript, i, j, &token) == 1);
      CHECK(strlen(token.text) > 0 && token.score <= 0 && token.end_ms >= token.start_ms);
      ++tokens;
    }
    CHECK(tutti_transcript_token(transcript, i, segment.token_count, &token) == 0);
  }
  CHECK(tokens > 0 && end_ms <= tutti_transcript_duration_ms(transcript));
  CHECK(tutti_transcript_segment(transcript, i, &segment) == 0);

  /* A program of an older header has a shorter struct. */
  segment.channel = 77;
  segment.size = offsetof(tutti_segment, channel);
  CHECK(tutti_transcript_segment(transcript, 0, &segment) == 1 && segment.channel == 77);

  rendered = tutti_transcript_render(transcript, "srt");
  CHECK(rendered != NULL && strstr(rendered, " --> ") != NULL);
  tutti_free_string(rendered);
  CHECK(tutti_transcript_render(transcript, "docx") == NULL);
  tutti_transcript_free(transcript);
  tutti_audio_free(audio);
}

static void OptionsOfAnOlderHeaderKeepTodaysDefaults(tutti_recognizer* recognizer) {
  tutti_audio* audio = tutti_audio_from_file(recording);
  tutti_transcribe_options options;
  tutti_transcript* transcript = NULL;
  memset(&options, 0xff, sizeof options); /* what lies behind `size` must not be read */
  options.size = offsetof(tutti_transcribe_options, split_channels);
  options.use_vad = 1;
  CHECK(tutti_transcribe(recognizer, audio, &options, &transcript, NULL) == TUTTI_OK);
  CHECK(strcmp(tutti_transcript_text(transcript), text) == 0);
  tutti_transcript_free(transcript);
  tutti_audio_free(audio);
}

/* The rendered transcript, without the timings at its end. */
static char* Search(tutti_recognizer* recognizer, const char* const* search) {
  tutti_audio* audio = tutti_audio_from_file(long_wav);
  tutti_transcribe_options options;
  tutti_transcript* transcript = NULL;
  char *error = NULL, *rendered;
  tutti_transcribe_options_init(&options);
  options.search = search;
  if (tutti_transcribe(recognizer, audio, &options, &transcript, &error) != TUTTI_OK) fprintf(stderr, "%s\n", error);
  CHECK(transcript != NULL);
  rendered = tutti_transcript_render(transcript, "jsonl");
  CHECK(rendered != NULL && strstr(rendered, "\"timings\"") != NULL);
  *strstr(rendered, "\"timings\"") = '\0';
  tutti_transcript_free(transcript);
  tutti_audio_free(audio);
  return rendered;
}

static void OptionsOfTheSearchBelongToTheOneCall(tutti_recognizer* recognizer) {
  const char* const greedy[] = {"language", "en", "beam_size", "1", "no_speech_threshold", "1", NULL};
  const char* const other[] = {"language", "German", "task", "translate",      "beam_size", "2", "no_speech_threshold",
                               "1",        "prefix", "Dear", "max_new_tokens", "12",        NULL};
  char *first = Search(recognizer, greedy), *between = Search(recognizer, other), *again = Search(recognizer, greedy);
  CHECK(strcmp(first, again) == 0);
  CHECK(strcmp(first, between) != 0);
  CHECK(strstr(first, "\"language\":\"en\"") != NULL && strstr(between, "\"language\":\"de\"") != NULL);
  tutti_free_string(first);
  tutti_free_string(between);
  tutti_free_string(again);
}

static void SegmentsTellLanguageAndFigures(tutti_recognizer* recognizer) {
  const char* const search[] = {"language", "zh", "no_speech_threshold", "1", NULL};
  tutti_audio* audio = tutti_audio_from_file(long_wav);
  tutti_transcribe_options options;
  tutti_transcript* transcript = NULL;
  tutti_segment segment;
  size_t i, languages = tutti_recognizer_language_count(recognizer), chinese = 0;
  CHECK(languages > 1 && tutti_recognizer_language(recognizer, languages) == NULL);
  for (i = 0; i < languages; ++i) chinese += strcmp(tutti_recognizer_language(recognizer, i), "zh") == 0;
  CHECK(chinese == 1 && tutti_recognizer_translates(recognizer) == 1);
  tutti_transcribe_options_init(&options);
  options.search = search;
  CHECK(tutti_transcribe(recognizer, audio, &options, &transcript, NULL) == TUTTI_OK);
  CHECK(strcmp(tutti_transcript_language(transcript), "zh") == 0);
  segment.size = sizeof segment;
  CHECK(tutti_transcript_segment(transcript, 0, &segment) == 1);
  CHECK(strcmp(segment.language, "zh") == 0 && segment.language_probability == 1);
  CHECK(segment.avg_logprob <= 0 && segment.no_speech_prob >= 0 && segment.no_speech_prob <= 1);
  CHECK(segment.compression_ratio > 0 && segment.temperature >= 0);
  tutti_transcript_free(transcript);
  tutti_audio_free(audio);
}

static void RefuseSearch(tutti_recognizer* recognizer, const char* name, const char* value, const char* said) {
  const char* search[3];
  tutti_audio* audio = tutti_audio_from_file(recording);
  tutti_transcribe_options options;
  char* error = NULL;
  search[0] = name;
  search[1] = value;
  search[2] = NULL;
  tutti_transcribe_options_init(&options);
  options.search = search;
  CHECK(tutti_transcribe(recognizer, audio, &options, NULL, &error) == TUTTI_INVALID_ARGUMENT);
  if (strstr(error, name) == NULL || strstr(error, said) == NULL) fprintf(stderr, "%s\n", error);
  CHECK(strstr(error, name) != NULL && strstr(error, said) != NULL);
  tutti_free_string(error);
  tutti_audio_free(audio);
}

static void WrongOptionsOfTheSearchAreNamed(tutti_recognizer* recognizer, tutti_recognizer* searching) {
  RefuseSearch(searching, "beam_size", "0", "from 1 to 100");
  RefuseSearch(searching, "beam_size", "many", "many");
  RefuseSearch(searching, "language", "xx", "en, zh");
  RefuseSearch(searching, "task", "sing", "translate");
  RefuseSearch(searching, "beam", "1", "no option");
  RefuseSearch(searching, "beam_size", NULL, "no value");
  RefuseSearch(recognizer, "language", "en", "paraformer");
  CHECK(tutti_recognizer_language_count(recognizer) == 0 && tutti_recognizer_translates(recognizer) == 0);
}

enum { kMany = 60 };
typedef struct Told {
  int calls;
  int right;
} Told;

static void OnDone(void* user, tutti_code code, const char* error, const tutti_transcript* transcript) {
  Told* told = user;
  ++told->calls;
  told->right = code == TUTTI_OK && *error == '\0' && strcmp(tutti_transcript_text(transcript), text) == 0;
}

static void ManyAtOnceAreEachToldOnce(tutti_recognizer* recognizer) {
  static Told told[kMany];
  tutti_transcription* all[kMany];
  tutti_audio* audio = tutti_audio_from_file(recording);
  tutti_transcript *first = NULL, *again = NULL;
  int i;
  for (i = 0; i < kMany; ++i) {
    CHECK(tutti_submit(recognizer, audio, NULL, OnDone, &told[i], &all[i], NULL) == TUTTI_OK);
  }
  tutti_audio_free(audio);
  for (i = 0; i < kMany; ++i) {
    CHECK(tutti_transcription_wait(all[i], &first, NULL) == TUTTI_OK);
    CHECK(tutti_transcription_wait(all[i], &again, NULL) == TUTTI_OK);
    CHECK(tutti_transcription_done(all[i]) == 1);
    tutti_transcription_free(all[i]);
    CHECK(told[i].calls == 1 && told[i].right == 1);
    CHECK(strcmp(tutti_transcript_text(first), tutti_transcript_text(again)) == 0);
    tutti_transcript_free(first);
    tutti_transcript_free(again);
  }
}

static void WhatIsPendingWhenTheRecognizerGoesIsCancelled(void) {
  tutti_recognizer* recognizer = Create();
  tutti_audio* audio = tutti_audio_from_file(long_wav);
  tutti_transcription* all[kMany];
  tutti_transcript* transcript = NULL;
  int i, cancelled = 0;
  for (i = 0; i < kMany; ++i) {
    CHECK(tutti_submit(recognizer, audio, NULL, NULL, NULL, &all[i], NULL) == TUTTI_OK);
  }
  tutti_transcription_cancel(all[kMany - 1]);
  tutti_audio_free(audio);
  tutti_recognizer_free(recognizer);
  for (i = 0; i < kMany; ++i) {
    const tutti_code code = tutti_transcription_wait(all[i], &transcript, NULL);
    CHECK(code == TUTTI_OK || code == TUTTI_CANCELLED);
    CHECK((transcript != NULL) == (code == TUTTI_OK));
    cancelled += code == TUTTI_CANCELLED;
    tutti_transcript_free(transcript);
    tutti_transcription_free(all[i]);
  }
  CHECK(cancelled > 0);
}

static void AStreamTellsSpeechWhateverItsPieces(tutti_recognizer* recognizer) {
  enum { kHeader = 44, kMaxEvents = 100 };
  size_t size, count, i, j, told[2] = {0, 0};
  char* bytes = ReadFile(long_wav, &size);
  tutti_vad_event found[2][kMaxEvents];
  float* samples;
  count = (size - kHeader) / 2;
  samples = malloc(count * sizeof(float));
  for (i = 0; i < count; ++i) {
    int16_t sample;
    memcpy(&sample, bytes + kHeader + 2 * i, 2);
    samples[i] = (float)sample / 32768;
  }
  for (j = 0; j < 2; ++j) {
    const size_t piece = j == 0 ? 960 : 16000;
    tutti_vad_stream* stream = tutti_vad_stream_open(recognizer, NULL, NULL);
    CHECK(stream != NULL);
    for (i = 0; i < count; i += piece) {
      const size_t some = count - i < piece ? count - i : piece;
      const tutti_vad_event* events;
      size_t event_count, k;
      CHECK(tutti_vad_stream_accept(stream, samples + i, some, i + some == count, &events, &event_count) == TUTTI_OK);
      for (k = 0; k < event_count; ++k) {
        /* A start and its end may come in one event or in two. */
        if (events[k].start_ms >= 0 && told[j] < kMaxEvents) found[j][told[j]++].start_ms = events[k].start_ms;
        if (events[k].end_ms >= 0 && told[j] > 0) found[j][told[j] - 1].end_ms = events[k].end_ms;
      }
    }
    tutti_vad_stream_free(stream);
  }
  CHECK(told[0] > 1 && told[0] == told[1]);
  for (i = 0; i < told[0]; ++i) {
    CHECK(found[0][i].start_ms == found[1][i].start_ms && found[0][i].end_ms == found[1][i].end_ms);
    CHECK(found[0][i].end_ms > found[0][i].start_ms);
  }
  free(samples);
  free(bytes);
}

int main(int argc, char** argv) {
  tutti_recognizer *recognizer, *searching;
  CHECK(argc == 7);
  model = argv[1];
  vad = argv[2];
  recording = argv[3];
  text = argv[4];
  long_wav = argv[5];
  whisper = argv[6];

  TheLibraryTellsItsVersion();
  AModelThatIsNotThereIsAnErrorThatNamesIt();
  recognizer = Create();
  CHECK(tutti_recognizer_threads(recognizer) == 2);
  CHECK(strlen(tutti_recognizer_compute_type(recognizer)) > 0);
  NullIsAnErrorAndNeverACrash(recognizer);
  FileAndBytesGiveTheSameText(recognizer);
  ABadRecordingIsAnErrorAndSparesTheNext(recognizer);
  SegmentsAndTokensCanBeWalked(recognizer);
  OptionsOfAnOlderHeaderKeepTodaysDefaults(recognizer);
  ManyAtOnceAreEachToldOnce(recognizer);
  AStreamTellsSpeechWhateverItsPieces(recognizer);
  searching = CreateOf(whisper);
  OptionsOfTheSearchBelongToTheOneCall(searching);
  SegmentsTellLanguageAndFigures(searching);
  WrongOptionsOfTheSearchAreNamed(recognizer, searching);
  tutti_recognizer_free(searching);
  tutti_recognizer_free(recognizer);
  WhatIsPendingWhenTheRecognizerGoesIsCancelled();
  puts("all tests of the C interface passed");
  return 0;
}

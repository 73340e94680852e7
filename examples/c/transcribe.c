/* Transcribes recordings, all at once, with one copy of the weights; prints each text in the order given.

   cc transcribe.c $(pkg-config --cflags --libs tutti) -o transcribe
   ./transcribe MODEL VAD RECORDING… */
#include <stdio.h>
#include <stdlib.h>
#include <tutti.h>

static int Fail(const char* what, tutti_code code, char* error) {
  fprintf(stderr, "%s: %s: %s\n", what, tutti_code_name(code), error != NULL ? error : "");
  tutti_free_string(error);
  return 1;
}

int main(int argc, char** argv) {
  tutti_recognizer_options options;
  tutti_recognizer* recognizer;
  tutti_transcription** pending;
  tutti_code code;
  char* error = NULL;
  int i, failed = 0;
  if (argc < 4) return fprintf(stderr, "usage: transcribe MODEL VAD RECORDING...\n"), 2;

  tutti_recognizer_options_init(&options);
  options.model = argv[1];
  options.vad = argv[2];
  recognizer = tutti_recognizer_create(&options, &code, &error);
  if (recognizer == NULL) return Fail(argv[1], code, error);

  pending = calloc((size_t)argc, sizeof(*pending));
  if (pending == NULL) return 1;
  for (i = 3; i < argc; ++i) {
    tutti_audio* audio = tutti_audio_from_file(argv[i]);
    code = tutti_submit(recognizer, audio, NULL, NULL, NULL, &pending[i], &error);
    if (code != TUTTI_OK) failed = Fail(argv[i], code, error);
    tutti_audio_free(audio);
  }
  for (i = 3; i < argc; ++i) {
    tutti_transcript* transcript;
    if (pending[i] == NULL) continue;
    code = tutti_transcription_wait(pending[i], &transcript, &error);
    if (code == TUTTI_OK) {
      printf("%s\n", tutti_transcript_text(transcript));
    } else {
      failed = Fail(argv[i], code, error);
    }
    tutti_transcript_free(transcript);
    tutti_transcription_free(pending[i]);
  }
  free(pending);
  tutti_recognizer_free(recognizer);
  return failed;
}

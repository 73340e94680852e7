#!/usr/bin/env python3
"""The word error rate of faster-whisper's batched pipeline with whisper-base on the samples, as tools/score.py counts:
what tests/demo/whisper_test.py holds tutti to.

usage: PYTHON faster_whisper_errors.py [--compute-type int8] [--beam-size 1] [--batch-size 8]
  PYTHON   of a venv with faster-whisper: python3 -m venv V && V/bin/pip install faster-whisper==1.2.1 ctranslate2==4.8.5
"""
import argparse

from faster_whisper import BatchedInferencePipeline, WhisperModel

import score

MODEL = score.SAMPLES.parent / "models/whisper-base"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--beam-size", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    model = BatchedInferencePipeline(WhisperModel(str(MODEL), device="cpu", compute_type=options.compute_type))
    transcripts = score.read_transcripts()
    results = []
    for file, row in transcripts.items():
        if row["set"] in ("reading", "call"):
            segments, _ = model.transcribe(file, language="en", beam_size=options.beam_size, batch_size=options.batch_size)
            results.append({"file": file, "text": " ".join(segment.text for segment in segments)})
    for kind, found in score.score(results, transcripts).items():
        print(f"{kind:8} {found}")


if __name__ == "__main__":
    main()

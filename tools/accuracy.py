#!/usr/bin/env python3
"""What the compute types cost in accuracy: the error rate of each on the samples, and how far its text is from f32's.

usage: accuracy.py [--tutti PROGRAM] [--model MODEL] [--vad MODEL|none] [--truth FILE.json] [PATH ...]
  PATH   recordings; default: the samples of `make samples`
  truth  {path: text} for recordings that are not samples, paths relative to the file's folder

With a model of random weights there is no error rate, but the agreement still tells.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import score

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = ("f32", "bf16", "int8")
# An int8 or bf16 model may have so many points more word errors than f32.
ALLOWED_POINTS = 0.2


def transcribe(tutti, compute_type, arguments, paths):
    """The results as parsed JSON; their compute_type is the one in use, f32 where the CPU lacks what was asked for."""
    command = [tutti, "transcribe", "--compute-type", compute_type, "--format", "jsonl", "--progress", "none", *arguments,
               *paths]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def agreement(results, reference):
    """Share of the reference's words that come out the same."""
    found = score.Score()
    for one, other in zip(results, reference, strict=True):
        found.add(other.get("text", ""), one.get("text", ""))
    return 100 - found.percent


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tutti", default=ROOT / "build/release/bin/tutti")
    parser.add_argument("--model", default="demo-paraformer")
    parser.add_argument("--vad", default="fsmn-vad")
    parser.add_argument("--truth", type=pathlib.Path)
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    transcripts = score.read_transcripts()
    if options.truth:
        texts = json.loads(options.truth.read_text())
        transcripts = {str((options.truth.parent / path).absolute()): {"set": options.truth.stem, "text": text}
                       for path, text in texts.items()}
    paths = options.paths or list(transcripts)
    reference, failures = None, []
    for compute_type in TYPES:
        results = transcribe(options.tutti, compute_type, ["--model", options.model, "--vad", options.vad], paths)
        in_use = results[0]["compute_type"]
        if in_use != compute_type:
            print(f"{compute_type:5} this CPU runs {in_use} in its place")
            continue
        reference = reference or results
        print(f"{compute_type:5} {agreement(results, reference):6.2f} % of f32's words")
        found = score.score(results, transcripts)
        for kind, each in found.items():
            print(f"      {kind:8} {each}")
        more = score.total(found).percent - score.total(score.score(reference, transcripts)).percent
        if more > ALLOWED_POINTS:
            failures.append(f"{compute_type}: {more:.2f} points more errors than f32, at most {ALLOWED_POINTS} expected")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

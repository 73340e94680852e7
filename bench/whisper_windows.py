#!/usr/bin/env python3
"""What the length of Whisper's windows costs and saves: for each of --window-seconds, word errors and CPU time on the samples.

usage: whisper_windows.py [--tutti PROGRAM] [--model MODEL] [--compute-type TYPE] [--beam-size N] [--every N] [WINDOW ...]
  --every  of the prompts only each Nth; default 4
  WINDOW   of --window-seconds; default: auto 10 15 20 30

Calls are of many windows, read sentences and prompts of one each; half of the prompts are shorter than 1.2 s, so that nearly
all of their windows is zeros. Error rates do not depend on what else the machine does, CPU times do.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
import score  # noqa: E402

SETS = {"calls": ["call"], "reading": ["reading"], "prompts": ["trained", "heldout"]}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tutti", default=ROOT / "build/release/bin/tutti")
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--beam-size", default="1")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("windows", nargs="*", default=["auto", "10", "15", "20", "30"])
    options = parser.parse_args()
    transcripts = score.read_transcripts()
    print("| window | set | word errors | CPU s |\n| --- | --- | --- | --- |")
    for window in options.windows:
        for name, kinds in SETS.items():
            files = [file for file, row in transcripts.items() if row["set"] in kinds]
            if name == "prompts":
                files = files[::options.every]
            if not files:
                continue
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [options.tutti, "transcribe", "--model", options.model, "--language", "en", "--compute-type",
                 options.compute_type, "--beam-size", options.beam_size, "--window-seconds", window, "--format", "jsonl",
                 "--progress", "none", *files], stdout=subprocess.PIPE, text=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found = score.total(score.score(map(json.loads, done.stdout.splitlines()), transcripts))
            print(f"| {window} | {name}, {found.files} | {found.percent:.2f} % ({found.errors} of {found.words}) | "
                  f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.0f} |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What `make demo` runs: transcribes the samples in parallel, prints each text, then speed, memory and error rate."""
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import score

ROOT = pathlib.Path(__file__).resolve().parent.parent
TITLES = {"trained": "prompts the model was trained on", "heldout": "prompts kept out of training",
          "call": "calls (prompts with pauses)"}


def main():
    transcripts = score.read_transcripts()
    command = [ROOT / "build/release/bin/tutti", "transcribe", "--format", "jsonl", "--progress", "none",
               score.SAMPLES / "prompts", score.SAMPLES / "calls"]
    print("$", *(os.path.relpath(part, ROOT) if isinstance(part, pathlib.Path) else part for part in command))
    print()
    started = time.monotonic()
    results = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tutti:
        for line in tutti.stdout:
            results.append(json.loads(line))
            name = os.path.relpath(results[-1]["file"], score.SAMPLES)
            print(f"{name:48} {results[-1].get('text', results[-1].get('error'))}", flush=True)
    wall = time.monotonic() - started
    if tutti.returncode:
        sys.exit(f"tutti ended with exit code {tutti.returncode}")

    audio = sum(result["duration_ms"] for result in results) / 1000
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"""
recordings   {len(results)}
audio        {audio:.1f} s
wall         {wall:.1f} s, models loaded and texts printed
speed        {audio / wall:.0f} x real time, {os.cpu_count()} threads
peak memory  {peak:.0f} MiB

Word error rate. The demo model knows these prompts' voice and little else: a smoke test, not a recogniser.""")
    for kind, found in score.score(results, transcripts).items():
        print(f"{TITLES[kind]:34} {found}")


if __name__ == "__main__":
    main()

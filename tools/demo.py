#!/usr/bin/env python3
"""What `make demo` runs: transcribes the samples in parallel, prints texts with the word error rate beside each, then
speed, memory and the rate of each set. First ordinary speech with the default models, then prompts with the small
model of FunASR's family that the repository carries.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import time

import score

ROOT = pathlib.Path(__file__).resolve().parent.parent
TUTTI = ROOT / "build/release/bin/tutti"
TITLES = {"reading": "reading of a novel", "call": "calls (prompts with pauses)",
          "trained": "prompts the model was trained on", "heldout": "prompts kept out of training"}


def shown(argument):
    return os.path.relpath(argument, ROOT) if isinstance(argument, pathlib.Path) else argument


def show(result, transcripts):
    """One recording: its error rate, its name, its text."""
    found = score.Score()
    found.add(transcripts[result["file"]]["text"], result.get("text", ""))
    print(f"{found.percent:5.1f} %  {os.path.relpath(result['file'], score.SAMPLES)}")
    print(textwrap.fill(result.get("text", str(result.get("error"))), 110, initial_indent=" " * 9,
                        subsequent_indent=" " * 9), flush=True)


def demonstrate(arguments, transcripts, is_shown):
    """Runs the command and prints what it makes of the recordings."""
    command = [TUTTI, "transcribe", *arguments]
    print("\n$", *map(shown, command), "\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        summary = pathlib.Path(folder) / "summary.json"
        started, results = time.monotonic(), []
        with subprocess.Popen([*command, "--format", "jsonl", "--progress", "none", "--summary", summary],
                              stdout=subprocess.PIPE, text=True) as tutti:
            for line in tutti.stdout:
                results.append(json.loads(line))
                if is_shown(results[-1]):
                    show(results[-1], transcripts)
        wall = time.monotonic() - started
        if tutti.returncode:
            sys.exit(f"tutti ended with exit code {tutti.returncode}")
        told = json.loads(summary.read_text())
    audio = told["audio_seconds"]
    print(f"""
model        {pathlib.Path(told["model"]).name} in {told["compute_type"]}, {pathlib.Path(told["vad"]).name}
recordings   {len(results)}
audio        {audio:.1f} s
wall         {wall:.1f} s, models loaded and texts printed
speed        {audio / wall:.0f} x real time, {told["threads"]} threads
peak memory  {told["peak_memory_bytes"] / 2**20:.0f} MiB

Word error rate""")
    for kind, found in score.score(results, transcripts).items():
        print(f"{TITLES[kind]:34} {found}")


def main():
    transcripts = score.read_transcripts()
    demonstrate(["--language", "en", score.SAMPLES / "reading", score.SAMPLES / "calls"], transcripts, lambda result: True)
    print("\nThe demo model, of FunASR's family: it knows these prompts' voice and little else, a smoke test of the path "
          "that\nParaformer models of any size take. Some of its texts:")
    heldout = [file for file, row in transcripts.items() if row["set"] == "heldout"][::8]
    demonstrate(["--model", "demo-paraformer", score.SAMPLES / "prompts"], transcripts,
                lambda result: result["file"] in heldout)
    print("\nYour own recordings, in any of 99 languages:\n\n$", shown(TUTTI), "transcribe FILE")


if __name__ == "__main__":
    main()

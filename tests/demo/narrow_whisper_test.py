"""whisper-tiny.en, of width 384, on ordinary speech: what `--compute-type auto` takes makes no more errors than f32.

usage: narrow_whisper_test.py TUTTI
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import score

CALLS = 8  # the first of them, for f32 takes its time
ALLOWED_POINTS = 0.2
MOST_PERCENT = 9.6  # 9.0 of these, 7.5 of all calls and the reading


def errors(compute_type, files, transcripts):
    """The Score of all, and the type that was used."""
    command = [sys.argv[1], "transcribe", "--model", ROOT / ".cache/models/whisper-tiny.en", "--vad",
               ROOT / ".cache/models/fsmn-vad", "--compute-type", compute_type, "--format", "jsonl", "--progress", "none",
               *files]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    return score.total(score.score(results, transcripts)), results[0]["compute_type"]


def main():
    transcripts = {file: row for file, row in score.read_transcripts().items() if row["set"] in ("call", "reading")}
    calls = [file for file, row in transcripts.items() if row["set"] == "call"][CALLS:]
    transcripts = {file: row for file, row in transcripts.items() if file not in calls}
    found = {}
    for compute_type in ("f32", "auto"):
        found[compute_type], in_use = errors(compute_type, list(transcripts), transcripts)
        print(f"{compute_type:4} ({in_use}) {found[compute_type]}")
    failures = []
    if found["auto"].percent > found["f32"].percent + ALLOWED_POINTS:
        failures.append(f"{found['auto'].percent - found['f32'].percent:.2f} points more word errors than f32, at most "
                        f"{ALLOWED_POINTS} expected")
    if found["auto"].percent > MOST_PERCENT:
        failures.append(f"{found['auto'].percent:.2f} % word errors, at most {MOST_PERCENT} expected")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

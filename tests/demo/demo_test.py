"""The demo model on the sample recordings: its error rate, and the same bytes from any number of threads.

usage: demo_test.py TUTTI THREADS[,THREADS...] [EVERY]     EVERY: only each so manieth recording (sanitizer builds)
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import score

# FunASR itself (1.4.3, f32) has 12.5 % on the trained prompts and 33.5 % on those held out. Rounding may turn a few
# words; anything beyond is a fault in the engine. One word is 0.05 % of the trained set, 0.4 % of the held-out one. Calls have
# no figure of FunASR's; tutti has 15.6 %.
BOUNDS = {"trained": 13.0, "heldout": 35.0, "call": 16.5}


def transcribe(tutti, threads, files):
    """One line of JSON a file, without what differs from run to run."""
    command = [tutti, "transcribe", "--model", ROOT / "models/demo-paraformer", "--vad", ROOT / ".cache/models/fsmn-vad",
               "--threads", str(threads), "--format", "jsonl", "--progress", "none", *files]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    for result in results:
        result.pop("timings", None)
    return [json.dumps(result, ensure_ascii=False) for result in results]


def main():
    tutti, counts, every = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    transcripts = score.read_transcripts()
    files = list(transcripts)[::every]
    failures = []
    first = transcribe(tutti, counts[0], files)
    if [json.loads(line)["file"] for line in first] != files:
        failures.append(f"--threads {counts[0]}: results are not one a file in the order given")
    for kind, found in score.score(map(json.loads, first), transcripts).items():
        print(f"{kind:8} {found}")
        if every == 1 and found.percent > BOUNDS[kind]:
            failures.append(f"{kind}: {found.percent:.1f} % word errors, at most {BOUNDS[kind]} % expected")
    for threads in counts[1:]:
        for one, other in zip(first, transcribe(tutti, threads, files), strict=True):
            if one != other:
                failures.append(f"--threads {counts[0]} gave\n  {one}\n--threads {threads} gave\n  {other}")
                break
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

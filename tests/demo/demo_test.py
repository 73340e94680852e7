"""The demo model on the sample recordings: its error rate in every compute type, and the same bytes from any number of
threads.

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
# What bf16 and int8 may add to f32's error rate over all recordings, in points: 8 of 4057 words.
ALLOWED_POINTS = 0.2


def transcribe(tutti, compute_type, threads, files):
    """One line of JSON a file, without what differs from run to run."""
    command = [tutti, "transcribe", "--model", ROOT / "models/demo-paraformer", "--vad", ROOT / ".cache/models/fsmn-vad",
               "--compute-type", compute_type, "--threads", str(threads), "--format", "jsonl", "--progress", "none", *files]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    for result in results:
        result.pop("timings", None)
    return [json.dumps(result, ensure_ascii=False) for result in results]


def check(tutti, compute_type, counts, files, failures):
    """The results with the first count of threads; adds to `failures` what differs with another."""
    first = transcribe(tutti, compute_type, counts[0], files)
    if [json.loads(line)["file"] for line in first] != files:
        failures.append(f"{compute_type}, --threads {counts[0]}: results are not one a file in the order given")
    for threads in counts[1:]:
        for one, other in zip(first, transcribe(tutti, compute_type, threads, files), strict=True):
            if one != other:
                failures.append(
                    f"{compute_type}: --threads {counts[0]} gave\n  {one}\n--threads {threads} gave\n  {other}")
                break
    return list(map(json.loads, first))


def main():
    tutti, counts, every = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    transcripts = {file: row for file, row in score.read_transcripts().items() if row["set"] in BOUNDS}
    files = list(transcripts)[::every]
    failures = []
    reference = None
    for compute_type in ("f32", "bf16", "int8"):
        results = check(tutti, compute_type, counts if compute_type != "bf16" else counts[::len(counts) - 1], files, failures)
        in_use = results[0]["compute_type"]
        if in_use != compute_type:
            print(f"{compute_type}: this CPU runs {in_use} in its place")
            continue
        found = score.score(results, transcripts)
        total = score.total(found)
        reference = reference or total
        for kind, each in {**found, "all": total}.items():
            print(f"{compute_type:5} {kind:8} {each}")
            bound = BOUNDS.get(kind, reference.percent + ALLOWED_POINTS)
            if every == 1 and each.percent > bound:
                failures.append(f"{compute_type}: {kind}: {each.percent:.2f} % word errors, at most {bound:.2f} % expected")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

"""whisper-base, the default model, on ordinary speech: its word error rate in int8, beside f32's and faster-whisper's; and the
same bytes from any number of threads, alone and in company.

usage: whisper_test.py TUTTI
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import score

# Of tools/faster_whisper_errors.py, with faster-whisper 1.2.1 and CTranslate2 4.8.5: int8, beams of 5, batches of 8: errors and words.
FASTER_WHISPER = {"reading": 100 * 1 / 71, "call": 100 * 121 / 1899}
# What tutti in int8 may have more, in points: than faster-whisper, and than itself in f32.
ALLOWED_POINTS = 0.2

# A call of several windows, a prompt, and one whose text is drawn at a temperature above 0; with their company they are 32.
WATCHED = ["calls/call_01.g722", "prompts/agent-pass.g722", "prompts/agent-loggedoff.g722"]
COMPANY = 32


def transcribe(tutti, files, *options):
    """The results, one a file, without what differs from run to run."""
    command = [tutti, "transcribe", "--model", ROOT / ".cache/models/whisper-base", "--vad",
               ROOT / ".cache/models/fsmn-vad", "--format", "jsonl", "--progress", "none", *map(str, options), *files]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    for result in results:
        result.pop("timings", None)
    return results


def differing(tutti):
    """What threads or neighbours change, as failures."""
    samples = score.SAMPLES
    watched = [str(samples / file) for file in WATCHED]
    prompts = [str(file) for file in sorted((samples / "prompts").iterdir()) if str(file) not in watched]
    files = watched + prompts[:COMPANY - len(watched)]
    failures = []
    for beam in (1, 5):
        # One thread whose decoder steps run over all of them.
        options = ["--language", "en", "--beam-size", beam, "--threads"]
        together = transcribe(tutti, files, *options, 1, "--batch-seconds", 600)[:len(watched)]
        if len(together[0]["segments"]) < 2 or not all(result["text"] for result in together):
            failures.append(f"beam {beam}: expected texts, and several windows of the first:\n  {together}")
        others = {f"{threads} threads": transcribe(tutti, watched, *options, threads) for threads in (2, 8, 32)}
        others["alone"] = transcribe(tutti, watched[-1:], *options, 1)
        for how, results in others.items():
            for one, other in zip(together[-len(results):], results, strict=True):
                if one != other:
                    failures.append(f"beam {beam}: in company\n  {one}\n{how}\n  {other}")
    return failures


def errors(tutti, compute_type, files, transcripts):
    """{set: Score}, and the type that was used."""
    results = transcribe(tutti, files, "--compute-type", compute_type, "--language", "en")
    return score.score(results, transcripts), results[0]["compute_type"]


def main():
    transcripts = {file: row for file, row in score.read_transcripts().items() if row["set"] in FASTER_WHISPER}
    failures, totals = differing(sys.argv[1]), {}
    for compute_type in ("f32", "int8"):
        found, in_use = errors(sys.argv[1], compute_type, list(transcripts), transcripts)
        if in_use != compute_type:
            print(f"{compute_type}: this CPU runs {in_use} in its place")
            continue
        totals[compute_type] = score.total(found).percent
        for kind, each in found.items():
            print(f"{compute_type:5} {kind:8} {each}")
            bound = FASTER_WHISPER[kind] + ALLOWED_POINTS
            if compute_type == "int8" and each.percent > bound:
                failures.append(f"int8: {kind}: {each.percent:.2f} % word errors, at most {bound:.2f} % expected")
    if "int8" in totals and totals["int8"] > totals["f32"] + ALLOWED_POINTS:
        failures.append(f"int8: {totals['int8'] - totals['f32']:.2f} points more word errors than f32, at most "
                        f"{ALLOWED_POINTS} expected")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()

"""What Python costs: the same recordings by `tutti transcribe` and by eight Python threads that share one Recognizer.

usage: PYTHONPATH=build/release/python python3 bench/python_throughput.py [--rounds N] [PATH ...]
  PATH   recordings; default: the samples of `make samples`, five times
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("TUTTI_MODELS", f"{ROOT / 'models'}:{ROOT / '.cache/models'}")
THREADS = os.cpu_count()
MODEL = "demo-paraformer"
LIMIT = 0.95


def by_program(files):
    """Seconds from the loaded model to the last text, and the texts."""
    with tempfile.TemporaryDirectory() as folder:
        summary = pathlib.Path(folder) / "summary.json"
        command = [ROOT / "build/release/bin/tutti", "transcribe", "--model", MODEL, "--threads", str(THREADS), "--format", "jsonl",
                   "--progress", "none", "--summary", summary, *files]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        return json.loads(summary.read_text())["wall_seconds"], [json.loads(line)["text"] for line in done.stdout.splitlines()]


def by_python(recognizer, files):
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = list(pool.map(recognizer.submit, files))
    texts = [future.result().text for future in futures]
    return time.perf_counter() - start, texts


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args()
    import tutti
    files = [str(path) for path in options.paths or 5 * sorted((ROOT / ".cache/samples").rglob("*.g722"))]
    recognizer = tutti.Recognizer(model=MODEL, threads=THREADS)
    ratios = []
    for _ in range(options.rounds):
        program, expected = by_program(files)
        python, found = by_python(recognizer, files)
        assert found == expected, "texts differ"
        ratios.append(program / python)
        print(f"{len(files)} recordings: tutti transcribe {program:.2f} s, Python {python:.2f} s, ratio {ratios[-1]:.3f}")
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.3f} (at least {LIMIT})")
    sys.exit(0 if ratio >= LIMIT else "beyond its limit")


if __name__ == "__main__":
    main()

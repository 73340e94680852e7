#!/usr/bin/env python3
"""What the process pool promises, measured from outside: memory of 4 processes beside 1, their start, throughput beside
threads, and chaos: the outputs of a job whose processes are killed, stopped and crashed at random, and which is killed itself
and run again, beside those of a quiet run.

usage: process_pool.py [--tutti build/release/bin/tutti] [--model DIR] [memory] [start] [throughput] [chaos] [oom]

The last two take the demo model.
"""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import wave

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEECH = ROOT / "tests/data/fixtures/audio/long.wav"
DEMO_MODEL = ROOT / "models/demo-paraformer"
LIMITS = {"memory": 1.35, "start": 0.3, "throughput": 0.97}


def children(pid):
    """Those that a process has started, and not what those have."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return found


def family(pid):
    return [pid] + [one for child in children(pid) for one in family(child)]


def workers(pid):
    return [worker for child in children(pid) for worker in children(child)]


def pss(pid):
    """Proportional set size in MB; 0 when the process has just ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


class Bench:
    def __init__(self, options, folder):
        self.tutti, self.model, self.folder = options.tutti, options.model, folder

    def recordings(self, name, seconds):
        """Files of these lengths, cut from a fixture at different places."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        with wave.open(str(SPEECH)) as source:
            parameters, samples = source.getparams(), source.readframes(source.getnframes())
        whole = len(samples) // 2
        for number, length in enumerate(seconds):
            want, start = int(length * 16000), number * 7919 % whole
            audio = (samples[2 * start:] + samples * (want // whole + 1))[:2 * want]
            with wave.open(str(place / f"{number:04}.wav"), "wb") as out:
                out.setparams(parameters)
                out.writeframes(audio)
        return place

    def start(self, place, *more):
        self.summary, self.output = self.folder / "summary.json", self.folder / "out.jsonl"
        command = [self.tutti, "transcribe", "--model", self.model, "--vad", "none", "--compute-type", "int8",
                   "--progress", "none", "--summary", self.summary, *more, place]
        with open(self.output, "w") as out:
            return subprocess.Popen([str(part) for part in command], stdout=out)

    def run(self, place, *more):
        if self.start(place, *more).wait() != 0:
            sys.exit("the run failed")
        return json.loads(self.summary.read_text())


def pool(processes, threads=1):
    return ["--isolation", "process", "--processes", processes, "--threads", threads]


def measure_memory(bench):
    place = bench.recordings("memory", [20] * 48)
    peaks = {}
    for name, flags in (("1 process", pool(1)), ("4 processes", pool(4)), ("1 process, --isolation thread", ["--threads", 1])):
        run, peak = bench.start(place, *flags), 0.0
        while run.poll() is None:
            peak = max(peak, sum(pss(pid) for pid in family(run.pid)))
            time.sleep(0.05)
        peaks[name] = peak
        print(f"memory: {name}: {peak:.0f} MB PSS at most, all its processes together")
    ratio = peaks["4 processes"] / peaks["1 process"]
    print(f"memory: 4 processes / 1: {ratio:.2f} (at most {LIMITS['memory']})")
    return ratio <= LIMITS["memory"]


def measure_start(bench):
    place = bench.recordings("start", [20] * 8)
    seconds = [bench.run(place, *pool(4))["pool"]["start_seconds"] for _ in range(3)]
    print(f"start: 4 processes take jobs {', '.join(f'{s:.3f}' for s in seconds)} s after the models are ready "
          f"(at most {LIMITS['start']})")
    return max(seconds) <= LIMITS["start"]


def measure_throughput(bench):
    shuffled = random.Random(1)
    place = bench.recordings("throughput", [shuffled.uniform(2, 40) for _ in range(120)])
    rates = {"threads": [], "processes": []}
    for _ in range(3):
        rates["threads"].append(bench.run(place, "--threads", 2)["x_real_time"])
        rates["processes"].append(bench.run(place, *pool(2))["x_real_time"])
    best = {name: max(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"throughput: {name}: {', '.join(f'{value:.1f}' for value in values)} x real time")
    ratio = best["processes"] / best["threads"]
    print(f"throughput: 2 processes of 1 thread / 1 process of 2 threads: {ratio:.3f} (at least {LIMITS['throughput']})")
    return ratio >= LIMITS["throughput"]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def measure_chaos(bench):
    bench.model = DEMO_MODEL
    chance = random.Random(2)
    place = bench.recordings("chaos", [chance.uniform(5, 40) for _ in range(500)])
    formats = ["--format", "txt,srt,tsv"]
    bench.run(place, "--threads", 2, *formats, "--output", bench.folder / "quiet")
    # Neither is a recording to blame for what is done to its process, nor for a run that is killed.
    job = [*formats, "--output", bench.folder / "out", "--job", bench.folder / "job.db", *pool(4), "--retries", 1000,
           "--job-retries", 1000]
    sent, runs, code, began = {}, 0, None, time.monotonic()
    while code != 0:
        run, runs = bench.start(place, *job), runs + 1
        while run.poll() is None:
            time.sleep(chance.uniform(0.2, 0.8))
            who = chance.choices(["worker", "nursery", "supervisor"], [8, 1, 1])[0]
            pids = {"worker": workers(run.pid), "nursery": [child for child in children(run.pid) if children(child)],
                    "supervisor": [run.pid]}[who]
            if not pids or run.poll() is not None:
                continue
            number = chance.choice([signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV]) if who == "worker" else signal.SIGKILL
            try:
                os.kill(chance.choice(pids), number)
                sent[f"{number.name} to a {who}"] = sent.get(f"{number.name} to a {who}", 0) + 1
            except ProcessLookupError:
                pass
        code = run.returncode
        if code not in (0, -signal.SIGKILL):
            print(f"chaos: a run ended with code {code}")
            return False
    told = json.loads(bench.summary.read_text())
    same = told["job"]["done"] == 500 and contents(bench.folder / "out") == contents(bench.folder / "quiet")
    print(f"chaos: {sum(sent.values())} signals in {time.monotonic() - began:.0f} s and {runs} runs "
          f"({', '.join(f'{count} {what}' for what, count in sorted(sent.items()))}); {told['job']['done']} of 500 results, "
          f"{'each once and byte for byte that of the quiet run' if same else 'NOT those of the quiet run'}")
    return same


def measure_oom(bench):
    """One recording is far too long for the memory that a process may take; the others are not."""
    bench.model = DEMO_MODEL
    place = bench.recordings("oom", [5.0] * 40 + [1500.0])
    run = bench.start(place, *pool(2), "--process-memory", 50, "--retries", 1)
    code = run.wait()
    told = json.loads(bench.summary.read_text())
    print(f"oom: {told['pool']}; {told['done']} of 41 results; {told['failed'][0]['message'] if told['failed'] else ''}")
    return code == 1 and told["done"] == 40


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tutti", default=ROOT / "build/release/bin/tutti", type=pathlib.Path)
    parser.add_argument("--model", default=ROOT / ".cache/models/synthetic-paraformer-large", type=pathlib.Path,
                        help="as tools/make_synthetic_model.py writes it")
    measures = {name.removeprefix("measure_"): function for name, function in globals().items()
                if name.startswith("measure_")}
    parser.add_argument("what", nargs="*", help=", ".join(measures))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, pathlib.Path(folder))
        failed = [name for name in options.what or measures if not measures[name](bench)]
    sys.exit(f"beyond its limit: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()

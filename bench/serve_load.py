#!/usr/bin/env python3
"""Many clients against `tutti serve` for some minutes: throughput beside the command line's in the same run, latency, /healthz
meanwhile, memory, errors. Every answer is compared with the command line's.

usage: serve_load.py [--minutes 5] [--clients 200] [--tutti build/release/bin/tutti] [-- OPTION… of tutti serve]
"""
import argparse
import concurrent.futures
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/serve"))
CLI_SECONDS = 10  # of work at least, before and after the service
SHORTEST, LONGEST = 1, 60


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def mixed_files(program):
    """{file: seconds}: as many calls as prompts, of 1 to 60 s."""
    lines = (program.SAMPLES / "transcripts.tsv").read_text().splitlines()[1:]
    found = {program.SAMPLES / line.split("\t")[0]: float(line.split("\t")[2]) for line in lines}
    found = {file: seconds for file, seconds in found.items() if SHORTEST <= seconds <= LONGEST}
    calls = [file for file in found if file.parent.name == "calls"]
    prompts = sorted((file for file in found if file not in calls), key=found.get)
    chosen = calls + prompts[::max(1, len(prompts) // len(calls))][:len(calls)]
    return {file: found[file] for file in chosen}


def command_line_speed(program, files):
    """× real time of `tutti transcribe` on these files, loading left out."""
    repeated, rounds = list(files), 1
    while True:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([program.TUTTI, "transcribe", "--model", program.MODEL, "--vad", program.VAD, "--progress", "none",
                            "--summary", f"{folder}/summary.json", *repeated], check=True, stdout=subprocess.DEVNULL)
            summary = json.loads(pathlib.Path(folder, "summary.json").read_text())
        if summary["wall_seconds"] >= CLI_SECONDS:
            return summary["x_real_time"]
        rounds = int(rounds * 1.1 * CLI_SECONDS / max(summary["wall_seconds"], 0.1)) + 1
        repeated = list(files) * rounds


def pulse(port, stop, out):
    """A process of its own, lest the 200 clients' interpreter be what is measured."""
    seconds = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        while not stop.wait(0.02):
            began = time.monotonic()
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                seconds.append(float("inf"))
            seconds.append(time.monotonic() - began)
    out.put(seconds)


class Clients:
    """Each posts a file, waits for the text and posts the next; who is refused comes back after Retry-After."""

    def __init__(self, port, files, expected):
        self.port, self.files, self.expected = port, files, expected
        self.bodies = {file: file.read_bytes() for file in files}
        self.lock = threading.Lock()
        self.done = []  # (end, seconds of audio, latency)
        self.waits = []  # Retry-After of each refusal
        self.errors = []
        self.end = None

    def run(self, count, seconds):
        self.end = time.monotonic() + seconds
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(self.one, range(count)))

    def one(self, seed):
        choose = random.Random(seed)
        files = list(self.files)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)) as connection:
            while time.monotonic() < self.end:
                file = choose.choice(files)
                began = time.monotonic()
                try:
                    connection.request("POST", f"/v1/transcribe?format=txt&name={file.name}", self.bodies[file],
                                       {"Content-Type": "application/octet-stream"})
                    answer = connection.getresponse()
                    status, text, wait = answer.status, answer.read().decode(), answer.headers["Retry-After"]
                except OSError as error:
                    status, text, wait = 0, repr(error), None
                    connection.close()
                now = time.monotonic()
                with self.lock:
                    if status == 200 and text == self.expected[file]:
                        self.done.append((now, self.files[file], now - began))
                    elif status == 429 and wait is not None:
                        self.waits.append(int(wait))
                    else:
                        self.errors.append(f"{file.name}: {status} {text}")
                if status == 429:
                    # The service closes a connection that is idle for header_seconds; http.client would find out too late.
                    connection.close()
                    time.sleep(max(0, min(float(wait or 1), self.end - now)))


def slope_per_minute(samples):
    """Least squares over (seconds, MB)."""
    count = len(samples)
    mean_x, mean_y = (sum(sample[i] for sample in samples) / count for i in (0, 1))
    below = sum((x - mean_x) ** 2 for x, _ in samples)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / below if below else 0.0


def watch_memory(server, stop, samples):
    began = time.monotonic()
    while not stop.wait(1):
        samples.append((time.monotonic() - began, server.resident_mb()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--tutti", default=str(ROOT / "build/release/bin/tutti"))
    parser.add_argument("options", nargs="*", help="of tutti serve, after --")
    arguments = parser.parse_args()
    os.environ["TUTTI"] = arguments.tutti
    import program

    files = mixed_files(program)
    expected = {file: each["txt"] for file, each in program.transcribe(list(files)).items()}
    print(f"{len(files)} files of {min(files.values()):.1f} to {max(files.values()):.1f} s, {sum(files.values()):.0f} s in all")
    before = command_line_speed(program, files)
    print(f"tutti transcribe: {before:.0f} × real time", flush=True)
    with program.Server("--max-uploads", arguments.clients, "--log-level", "warning", *arguments.options) as server:
        stop, seconds = multiprocessing.Event(), multiprocessing.Queue()
        health = multiprocessing.Process(target=pulse, args=(server.port, stop, seconds))
        health.start()
        memory, memory_stop = [], threading.Event()
        watcher = threading.Thread(target=watch_memory, args=(server, memory_stop, memory))
        watcher.start()
        clients = Clients(server.port, files, expected)
        began = time.monotonic()
        clients.run(arguments.clients, 60 * arguments.minutes)
        memory_stop.set()
        watcher.join()
        stop.set()
        healthy = seconds.get()
        health.join()
        server.signal(signal.SIGTERM)
        code = server.join()
    after = command_line_speed(program, files)
    # Without the beginning, when the queue fills, and the end, when clients leave one by one.
    warm = min(60, 12 * arguments.minutes)
    steady = [each for each in clients.done if began + warm <= each[0] <= clients.end]
    speed = sum(audio for _, audio, _ in steady) / (60 * arguments.minutes - warm)
    latency = [each[2] for each in steady]
    print(f"tutti serve: {arguments.clients} clients, {arguments.minutes:g} min: {speed:.0f} × real time, "
          f"{len(clients.done)} answered, {len(clients.waits)} refused with 429, {len(clients.errors)} errors, exit code {code}")
    print(f"Retry-After: mostly {percentile(clients.waits, 0.5):g} s, at most {max(clients.waits, default=0)} s")
    print(f"tutti transcribe afterwards: {after:.0f} × real time; "
          f"the service has {2 * speed / (before + after):.2f} of the mean")
    print("latency: " + ", ".join(f"p{share} {percentile(latency, share / 100):.2f} s" for share in (50, 95, 99)))
    print(f"/healthz: p99 {1000 * percentile(healthy, 0.99):.1f} ms, at most {1000 * max(healthy):.1f} ms of {len(healthy)}")
    settled = [sample for sample in memory if sample[0] >= warm]
    print(f"memory: {settled[0][1]:.0f} MB after {warm:.0f} s, {settled[-1][1]:.0f} MB at the end, "
          f"slope {slope_per_minute(settled):+.2f} MB/min")
    for error in clients.errors[:10]:
        print(error)
    sys.exit(bool(clients.errors) or code)


if __name__ == "__main__":
    main()

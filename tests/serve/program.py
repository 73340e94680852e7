"""The program under test, and the recordings it is tested with."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

import client

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / ".cache/samples"
MODEL = ROOT / "models/demo-paraformer"
VAD = ROOT / ".cache/models/fsmn-vad"
TUTTI = os.environ.get("TUTTI", str(ROOT / "build/release/bin/tutti"))
SMALL = bool(os.environ.get("TUTTI_SERVE_SMALL"))  # sanitizers slow the program down tenfold
FORMATS = ("txt", "srt", "vtt", "tsv", "json")


def recordings(prompts, calls):
    """So many of each, spread over all there are. Calls are long: with sanitizers they are most of the work."""
    chosen = []
    for folder, count in (("prompts", prompts), ("calls", calls)):
        if count == 0:
            continue
        files = sorted((SAMPLES / folder).rglob("*.g722"))
        assert len(files) >= count, f"{SAMPLES / folder}: {len(files)} recordings; make samples"
        chosen += files[::len(files) // count][:count]
    return chosen


def same_for_all_runs(transcript):
    """A transcript as the server's and the program's have to agree on it: the file's name and timings are their own."""
    return {name: value for name, value in transcript.items() if name not in ("file", "timings")}


def transcribe(files):
    """{file: {format: text}} of `tutti transcribe`."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([TUTTI, "transcribe", "--model", MODEL, "--vad", VAD, "--progress", "none", "--output", folder,
                        "--format", ",".join(FORMATS), *files], check=True)
        return {file: {form: (pathlib.Path(folder) / f"{file.stem}.{form}").read_text() for form in FORMATS}
                for file in files}


def run(*arguments, **environment):
    return subprocess.run([TUTTI, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=client.SECONDS, stdin=subprocess.DEVNULL, env={**os.environ, **environment})


class Server:
    """`tutti serve` on a free port until the end of the with block. Its log is in `log`. `started_by` is a command that
    runs its arguments."""

    def __init__(self, *options, vad=VAD, started_by=(), pass_fds=()):
        self.process = subprocess.Popen(
            [*started_by, TUTTI, "serve", "--port", "0", "--model", MODEL, "--vad", vad, *map(str, options)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds)
        self.log = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = int(re.search(r":(\d+)$", self.wait_for("tutti: serving at "))[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.join()

    def join(self):
        code = self.process.wait(client.SECONDS)
        self._reader.join()
        self.process.stderr.close()
        return code

    def _read(self):
        for line in self.process.stderr:
            with self._said:
                self.log.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self.log.append("")
            self._said.notify_all()

    def wait_for(self, text, count=1):
        """The `count`th line of the log that holds `text`."""
        def found():
            return [line for line in self.log if text in line][count - 1:] or (self.log[-1:] == [""] and ["", ""])
        with self._said:
            lines = self._said.wait_for(found, client.SECONDS)
        assert lines and lines[0], f"never said '{text}':\n" + "\n".join(self.log)
        return lines[0]

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self):
        self.signal(signal.SIGTERM)
        return self.join()

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def status(self):
        return client.call(self.port, "GET", "/v1/status").json


def read(text):
    return same_for_all_runs(json.loads(text))

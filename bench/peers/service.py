"""Services under 16 clients: tutti serve, funasr-server and sherpa-onnx's WebSocket server in turn, on the same files and
weights and all cores, which the clients share.

sherpa-onnx's server has no VAD: there each recording is one segment, as for the others without theirs. It runs one worker a
core with one thread each, once with batches as its default is and once without; funasr-server as many threads as cores.
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
from websockets.sync.client import connect

import audio

CLIENTS = 16
START_SECONDS = 180
BIN = pathlib.Path(sys.executable).parent
BOUNDARY = "a-recording-has-no-such-line"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Server:
    """A program that listens at `port` within the with block."""

    def __init__(self, command, cores):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        environment = {**os.environ, "OMP_NUM_THREADS": str(cores)}
        self.process = subprocess.Popen([str(word).format(port=self.port) for word in command], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL, env=environment)

    def __enter__(self):
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"{self.process.args} does not listen:\n{self.said()}")
            time.sleep(0.1)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:]


class Http:
    """OpenAI's call, over connections that stay."""

    def __init__(self, port, model):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.head = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
                     f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
                     "Content-Type: audio/wav\r\n\r\n").encode()

    def transcribe(self, path):
        body = self.head + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.connection.request("POST", "/v1/audio/transcriptions", body,
                                {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text}")
        return json.loads(text)["text"]


class SherpaSocket:
    """Its protocol: rate and size, then float32 samples, then "Done" when the text has come."""

    def __init__(self, port, _):
        self.address = f"ws://127.0.0.1:{port}"

    def transcribe(self, path):
        samples = (np.asarray(audio.read(path), dtype=np.float32) / 32768).tobytes()
        with connect(self.address, max_size=None, compression=None) as web_socket:
            web_socket.send(struct.pack("<ii", audio.RATE, len(samples)) + samples)
            answer = web_socket.recv()
            web_socket.send("Done")
        return json.loads(answer)["text"]


def measure(server, client, model, files):
    """Seconds until CLIENTS, each asking for one recording after the other, have all texts."""
    clients = [client(server.port, model) for _ in range(CLIENTS)]
    clients[0].transcribe(files[0])  # warm
    waiting, texts = iter(files), []

    def run(each):
        for path in waiting:  # shared: next() of a list's iterator is atomic
            texts.append(each.transcribe(path))

    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, clients))
    seconds = time.perf_counter() - start
    assert len(texts) == len(files) and any(texts), server.said()
    return seconds


def for_funasr_server(source, out, threads, vad):
    """The model directory, with what funasr-server has no options for: a VAD, and threads other than four."""
    out.mkdir(exist_ok=True)
    for path in source.iterdir():
        (out / path.name).unlink(missing_ok=True)
        if path.name != "config.yaml":
            (out / path.name).symlink_to(path.resolve())
    more = f"ncpu: {threads}\n" + (f"vad_model: {vad.resolve()}\n" if vad else "")
    (out / "config.yaml").write_text((source / "config.yaml").read_text() + more)
    return out


def run(tutti, folder, vad, work, seconds, rounds=1):
    """{name: × real time}. About four recordings a client for each 1000 seconds."""
    files, total = audio.make_mix("1–30 s", seconds, work)
    cores = len(os.sched_getaffinity(0))

    def tutti_with(compute_type, vad_model):
        return [tutti, "serve", "--port", "{port}", "--model", folder / "funasr", "--vad", vad_model, "--compute-type",
                compute_type, "--threads", cores, "--log-level", "error"], Http, ""

    def sherpa_onnx(*options):
        return [BIN / "sherpa-onnx-offline-websocket-server", "--port={port}", f"--num-work-threads={cores}", "--num-threads=1",
                f"--tokens={folder / 'onnx/tokens.txt'}", f"--paraformer={folder / 'onnx/model_quant.onnx'}",
                f"--log-file={os.devnull}", *options], SherpaSocket, ""

    def funasr(vad_model, name):
        return [BIN / "funasr-server", "--host", "127.0.0.1", "--port", "{port}", "--device", "cpu", "--model-path",
                for_funasr_server(folder / "funasr", work.parent / name, cores, vad_model)], Http, "custom"

    services = {
        "tutti int8": tutti_with("int8", vad),
        "tutti int8, no VAD": tutti_with("int8", "none"),
        "tutti f32, no VAD": tutti_with("f32", "none"),
        "sherpa-onnx int8, no VAD": sherpa_onnx("--max-batch-size=1"),
        "sherpa-onnx int8, no VAD, batches": sherpa_onnx(),
        "funasr-server f32": funasr(vad, "funasr-vad"),
        "funasr-server f32, no VAD": funasr(None, "funasr-no-vad"),
    }
    rates = {}
    for name, (command, client, model) in services.items():
        with Server(command, cores) as server:
            rates[name] = total / float(np.median([measure(server, client, model, files) for _ in range(rounds)]))
        print(f"peers: service: {name}: {rates[name]:.1f}", file=sys.stderr, flush=True)
    return rates

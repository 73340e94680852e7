"""Recordings to text: tutti, sherpa-onnx and FunASR in turn on the same files and weights.

Loading is left out for all. sherpa-onnx has other voice activity detectors, so it is measured twice: with each
recording as one segment, as tutti is with --vad none, and on the segments that `tutti vad` found beforehand, at no cost
to it. The second is what to hold against tutti and FunASR with FSMN-VAD: the same segments reach the network.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

import audio
import export


class Tutti:
    def __init__(self, program, model, compute_type, vad, threads):
        self.command = [str(program), "transcribe", "--model", str(model), "--vad", vad, "--compute-type", compute_type,
                        "--threads", str(threads), "--format", "jsonl", "--progress", "none"]

    def run(self, files):
        with tempfile.TemporaryDirectory() as folder:
            summary = pathlib.Path(folder) / "summary.json"
            done = subprocess.run([*self.command, "--summary", summary, *map(str, files)], check=True,
                                  capture_output=True, text=True)
            results = [json.loads(line) for line in done.stdout.splitlines()]
            return [r["text"] for r in results], json.loads(summary.read_text())["wall_seconds"]


class SherpaOnnx:
    """`threads` Python threads share one recogniser whose network has one thread each: its fastest way here."""

    def __init__(self, folder, model, threads):
        import sherpa_onnx
        self.threads = threads
        self.segments = {}  # path: [[start_ms, end_ms], …]; a path that is not there is one segment
        self.recognizer = sherpa_onnx.OfflineRecognizer.from_paraformer(
            paraformer=str(folder / model), tokens=str(folder / "tokens.txt"), num_threads=1)

    def transcribe(self, path):
        samples = np.asarray(audio.read(path), dtype=np.float32) / 32768
        streams = []
        for start, end in self.segments.get(path, [[0, 1000 * len(samples) // audio.RATE]]):
            streams.append(self.recognizer.create_stream())
            streams[-1].accept_waveform(audio.RATE, samples[start * audio.RATE // 1000:end * audio.RATE // 1000])
            self.recognizer.decode_stream(streams[-1])
        return "".join(stream.result.text for stream in streams)

    def run(self, files):
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(self.threads) as pool:
            texts = list(pool.map(self.transcribe, files))
        return texts, time.perf_counter() - start


class CutSherpaOnnx(SherpaOnnx):
    """On segments found beforehand."""

    def __init__(self, folder, model, threads, tutti, vad, files):
        super().__init__(folder, model, threads)
        done = subprocess.run([str(tutti), "vad", "--model", str(vad), "--format", "jsonl", "--progress", "none",
                               *map(str, files)], check=True, capture_output=True, text=True)
        self.segments = {path: json.loads(line)["segments"] for path, line in zip(files, done.stdout.splitlines())}


class FunASR:
    def __init__(self, model, vad, threads):
        from funasr import AutoModel
        options = {} if vad is None else {"vad_model": str(vad)}
        self.model = AutoModel(model=str(model), device="cpu", ncpu=threads, disable_update=True, disable_pbar=True,
                               **options)

    def run(self, files):
        start = time.perf_counter()
        texts = [self.model.generate(input=str(f), batch_size_s=60)[0]["text"] for f in files]
        return texts, time.perf_counter() - start


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def agreement(texts, reference):
    pairs = [(t.replace(" ", ""), r.replace(" ", "")) for t, r in zip(texts, reference)]
    return 1 - sum(distance(t, r) for t, r in pairs) / max(1, sum(len(r) for _, r in pairs))


def agree(tutti, folder, work, seconds=60):
    """Share of tokens that are FunASR's, for each program without VAD on the 10 s files."""
    files, _ = audio.make_mix("10 s", seconds, work)
    reference, _ = FunASR(folder / "funasr", None, os.cpu_count()).run(files)
    others = {"tutti " + c: Tutti(tutti, folder / "funasr", c, "none", os.cpu_count()) for c in ("f32", "bf16", "int8")}
    others["sherpa-onnx f32"] = SherpaOnnx(folder / "onnx", "model.onnx", 1)
    others["sherpa-onnx int8"] = SherpaOnnx(folder / "onnx", "model_quant.onnx", 1)
    return {name: agreement(program.run(files)[0], reference) for name, program in others.items()}


def run(tutti, folder, vad, work, mix, threads, seconds, rounds=1):
    """{name: × real time}. With threads == 1 the whole process should be bound to one core (taskset)."""
    files, total = audio.make_mix(mix, seconds, work)
    programs = {
        "tutti int8": Tutti(tutti, folder / "funasr", "int8", str(vad), threads),
        "tutti int8, no VAD": Tutti(tutti, folder / "funasr", "int8", "none", threads),
        "tutti f32": Tutti(tutti, folder / "funasr", "f32", str(vad), threads),
        "sherpa-onnx int8, same segments": CutSherpaOnnx(folder / "onnx", "model_quant.onnx", threads, tutti, vad,
                                                         files),
        "sherpa-onnx int8, no VAD": SherpaOnnx(folder / "onnx", "model_quant.onnx", threads),
        "FunASR Python f32": FunASR(folder / "funasr", vad, threads),
    }
    took = {name: [] for name in programs}
    for name, program in programs.items():
        program.run(files[:1])  # warm
    for _ in range(rounds):
        for name, program in programs.items():
            took[name].append(program.run(files)[1])
    return {name: total / float(np.median(values)) for name, values in took.items()}

"""The encoder alone, 10 s of features in one segment, one thread: ONNX Runtime and tutti in turn, several rounds."""
import json
import subprocess
import time

import numpy as np
import onnxruntime

ROWS = 166  # LFR frames of 10 s
SECONDS = 10.0


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def measure_onnxruntime(made, duration):
    features = np.random.default_rng(1).standard_normal((1, ROWS, 560)).astype("f4")
    feed = {"speech": features}
    if len(made.get_inputs()) > 1:
        feed["speech_lengths"] = np.array([ROWS], "i4")
    made.run(None, feed)
    rounds, start = 0, time.perf_counter()
    while rounds == 0 or time.perf_counter() - start < duration:
        made.run(None, feed)
        rounds += 1
    return rounds * SECONDS / (time.perf_counter() - start)


def measure_tutti(tutti, compute_type, duration):
    command = [tutti, "bench", "encoder", "--synthetic", "paraformer-large", "--seconds", str(SECONDS),
               "--batch-seconds", str(SECONDS), "--threads", "1", "--compute-type", compute_type, "--duration",
               str(duration), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(tutti, f32_model, int8_model, rounds=3, duration=2.0):
    """{name: {"x_real_time": median, "share_of_roof": ...}}; every round measures each in turn."""
    sessions = {"onnxruntime f32": session(f32_model, 1), "onnxruntime int8": session(int8_model, 1)}
    rates, shares = {}, {}
    for _ in range(rounds):
        for name, made in sessions.items():
            rates.setdefault(name, []).append(measure_onnxruntime(made, duration))
        for compute_type in ("f32", "bf16", "int8"):
            result = measure_tutti(tutti, compute_type, duration)
            name = "tutti " + result["compute_type"]  # what the CPU lacks falls back
            rates.setdefault(name, []).append(result["x_real_time"])
            shares.setdefault(name, []).append(result["share_of_roof"])
    return {name: {"x_real_time": float(np.median(values)),
                   "share_of_roof": float(np.median(shares[name])) if name in shares else None}
            for name, values in rates.items()}

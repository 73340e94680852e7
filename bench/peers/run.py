"""make bench-peers: tutti and its peers in turn, on one model, into a JSON file, a table and a plot.

    .cache/peers/venv/bin/python bench/peers/run.py [PART …]

Parts: encoder, agreement, pipeline-1, pipeline-all, latency, shared, service; all of them when none is named. What a
part measures replaces that part of the JSON file, so a long comparison can be made in pieces.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import audio  # noqa: E402
import encoder  # noqa: E402
import export  # noqa: E402
import pipeline  # noqa: E402
import report  # noqa: E402
import service  # noqa: E402
import shared_model  # noqa: E402

PARTS = ("encoder", "agreement", "pipeline-1", "pipeline-all", "latency", "shared", "service")


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()}, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores"


def versions():
    from importlib.metadata import version
    return {name: version(name) for name in ("funasr", "torch", "onnxruntime", "sherpa-onnx")}


def latency(tutti, folder, work, rounds=7):
    """Seconds for one recording of 5 s alone: ONNX Runtime's network on one thread, and tutti on all cores with all it
    does besides (reading, features, text)."""
    import numpy as np
    made = encoder.session(folder / "onnx" / "model_quant.onnx", 1)
    features = np.random.default_rng(1).standard_normal((1, 83, 560)).astype("f4")
    feed = {"speech": features, "speech_lengths": np.array([83], "i4")}
    made.run(None, feed)
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        made.run(None, feed)
        took.append(time.perf_counter() - start)
    speech = audio.read(audio.SPEECH)
    path = work / "five.wav"
    audio.write(path, speech[:5 * audio.RATE])
    command = [str(tutti), "bench", "pipeline", "--model", str(folder / "funasr"), "--vad", "none", "--compute-type",
               "int8", "--lengths", "fixed:5", "--in-flight", "1", "--threads", str(os.cpu_count()), "--latency",
               "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"onnxruntime int8, one thread": float(np.median(took)),
            "tutti int8, all cores": result["latency_seconds"]["p50"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--mix", choices=audio.MIXES, help="this mix alone")
    parser.add_argument("--seconds", type=float, default=120, help="audio of a mix and core (120)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tutti", type=pathlib.Path, default=audio.ROOT / "build/release/bin/tutti")
    parser.add_argument("--cache", type=pathlib.Path, default=audio.ROOT / ".cache/peers")
    parser.add_argument("--vad", type=pathlib.Path, default=audio.ROOT / ".cache/models/fsmn-vad")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = arguments.parts or PARTS
    tutti, cores = arguments.tutti, len(os.sched_getaffinity(0))
    folder = export.make(arguments.cache / "paraformer-large")
    work = arguments.cache / "audio"
    work.mkdir(parents=True, exist_ok=True)
    out = arguments.cache / "results.json"
    results = json.loads(out.read_text()) if out.exists() else {}
    results.update(machine=machine(), versions=versions(), date=str(datetime.date.today()), cores=cores)
    for part in parts:
        print(f"peers: {part}", file=sys.stderr, flush=True)
        if part == "encoder":
            results[part] = encoder.run(tutti, folder / "encoder/encoder.onnx", folder / "encoder/encoder_quant.onnx",
                                        arguments.rounds)
        elif part == "agreement":
            results[part] = pipeline.agree(tutti, folder, work)
        elif part == "latency":
            results[part] = latency(tutti, folder, work)
        elif part == "service":
            results[part] = service.run(tutti, folder, arguments.vad, work / "service", 4 * arguments.seconds * cores,
                                        arguments.rounds)
        elif part == "shared":
            files = shared_model.files_in(work / "shared")
            results[part] = {"tutti": shared_model.tutti(tutti, files, arguments.vad),
                             "FunASR Python": shared_model.funasr(files, arguments.vad)}
        else:
            threads = 1 if part == "pipeline-1" else cores
            if threads == 1:  # every thread of every program on one core
                for task in os.listdir("/proc/self/task"):
                    os.sched_setaffinity(int(task), {min(os.sched_getaffinity(0))})
            for mix in [arguments.mix] if arguments.mix else audio.MIXES:
                results.setdefault(part, {})[mix] = pipeline.run(
                    tutti, folder, arguments.vad, work / "mix", mix, threads, arguments.seconds * threads,
                    arguments.rounds)
            if threads == 1:
                for task in os.listdir("/proc/self/task"):
                    os.sched_setaffinity(int(task), range(os.cpu_count()))
        out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (arguments.cache / "results.md").write_text(report.table(results), encoding="utf-8")
    (arguments.cache / "results.svg").write_text(report.plot(results), encoding="utf-8")
    print(report.table(results))
    print(f"{out}, results.md, results.svg beside it", file=sys.stderr)


if __name__ == "__main__":
    main()

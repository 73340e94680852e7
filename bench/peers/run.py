"""make bench-peers: tutti and its peers in turn, on one model, into a JSON file, a table and a plot.

    .cache/peers/venv/bin/python bench/peers/run.py [PART …]
    .cache/whisper-venv/bin/python bench/peers/run.py whisper whisper-tokens

Parts: encoder, agreement, pipeline-1, pipeline-all, latency, shared, service, whisper, whisper-tokens; all of them when
none is named. What a part measures replaces that part of the JSON file, so a long comparison can be made in pieces. The
last two need ctranslate2, faster-whisper and pywhispercpp only, and the programs in_turn and whisper_tokens
(bench/CMakeLists.txt).
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import audio  # noqa: E402
import report  # noqa: E402

PACKAGES = ("funasr", "torch", "onnxruntime", "sherpa-onnx", "ctranslate2", "faster-whisper", "pywhispercpp")


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()}, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores"


def versions():
    """Of the peers that are installed here."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


class Setting:
    """What the parts share."""

    def __init__(self, arguments):
        self.arguments, self.tutti, self.vad, self.rounds = arguments, arguments.tutti, arguments.vad, arguments.rounds
        self.cores = len(os.sched_getaffinity(0))
        self.work = arguments.cache / "audio"
        self.work.mkdir(parents=True, exist_ok=True)

    @property
    def model(self):
        import export
        return export.make(self.arguments.cache / "paraformer-large")


def run_encoder(setting, _):
    import encoder
    folder = setting.model / "encoder"
    return encoder.run(setting.tutti, folder / "encoder.onnx", folder / "encoder_quant.onnx", setting.rounds)


def run_agreement(setting, _):
    import pipeline
    return pipeline.agree(setting.tutti, setting.model, setting.work)


def run_pipeline(setting, known, threads):
    import pipeline
    for mix in [setting.arguments.mix] if setting.arguments.mix else audio.MIXES:
        known[mix] = pipeline.run(setting.tutti, setting.model, setting.vad, setting.work / "mix", mix, threads,
                                  setting.arguments.seconds * threads, setting.rounds)
    return known


def run_pipeline_1(setting, known):
    """With every thread of every program on one core."""
    def bind(cpus):
        for task in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(task), cpus)

    bind({min(os.sched_getaffinity(0))})
    try:
        return run_pipeline(setting, known, 1)
    finally:
        bind(range(os.cpu_count()))


def run_pipeline_all(setting, known):
    return run_pipeline(setting, known, setting.cores)


def run_latency(setting, _, rounds=7):
    """Seconds for one recording of 5 s alone: ONNX Runtime's network on one thread, and tutti on all cores with all it
    does besides (reading, features, text)."""
    import encoder
    import numpy as np
    tutti, folder, work = setting.tutti, setting.model, setting.work
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


def run_shared(setting, _):
    import shared_model
    files = shared_model.files_in(setting.work / "shared")
    return {"tutti": shared_model.tutti(setting.tutti, files, setting.vad),
            "FunASR Python": shared_model.funasr(files, setting.vad)}


def run_service(setting, _):
    import service
    return service.run(setting.tutti, setting.model, setting.vad, setting.work / "service",
                       4 * setting.arguments.seconds * setting.cores, setting.rounds)


def run_whisper(setting, _):
    import whisper
    return whisper.run(setting.tutti.parent, setting.arguments.whisper, setting.vad, setting.work / "whisper")


def run_whisper_tokens(setting, _):
    import whisper_tokens
    return whisper_tokens.run(setting.tutti.parent, setting.arguments.whisper, setting.work / "whisper")


PARTS = {"encoder": run_encoder, "agreement": run_agreement, "pipeline-1": run_pipeline_1,
         "pipeline-all": run_pipeline_all, "latency": run_latency, "shared": run_shared, "service": run_service,
         "whisper": run_whisper, "whisper-tokens": run_whisper_tokens}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--mix", choices=audio.MIXES, help="this mix alone")
    parser.add_argument("--seconds", type=float, default=120, help="audio of a mix and core (120)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tutti", type=pathlib.Path, default=audio.ROOT / "build/release/bin/tutti")
    parser.add_argument("--cache", type=pathlib.Path, default=audio.ROOT / ".cache/peers")
    parser.add_argument("--vad", type=pathlib.Path, default=audio.ROOT / ".cache/models/fsmn-vad")
    parser.add_argument("--whisper", type=pathlib.Path, default=audio.ROOT / ".cache/models/whisper-base")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    setting = Setting(arguments)
    out = arguments.cache / "results.json"
    results = json.loads(out.read_text()) if out.exists() else {}
    results.update(machine=machine(), date=str(datetime.date.today()), cores=setting.cores)
    results["versions"] = {**results.get("versions", {}), **versions()}
    for part in arguments.parts or PARTS:
        print(f"peers: {part}", file=sys.stderr, flush=True)
        results[part] = PARTS[part](setting, results.get(part, {}))
        out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (arguments.cache / "results.md").write_text(report.table(results), encoding="utf-8")
    (arguments.cache / "results.svg").write_text(report.plot(results), encoding="utf-8")
    print(report.table(results))
    print(f"{out}, results.md, results.svg beside it", file=sys.stderr)


if __name__ == "__main__":
    main()

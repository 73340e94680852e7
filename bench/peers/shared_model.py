"""The article's program: 8 threads share one model over mixed files. How many results are wrong, and how many raise?

The model is a tiny Paraformer with the real FSMN-VAD, as in tests/data/fixtures. A result is wrong when it differs from
what the same program gives for that file with one thread.
"""
import concurrent.futures
import json
import subprocess
import sys

import audio

TINY = audio.ROOT / "tests" / "data" / "fixtures" / "paraformer_tiny"
THREADS, RESULTS = 8, 200


def files_in(folder):
    files, _ = audio.make_mix("1–30 s", 300, folder, seed=2)
    return [files[i % len(files)] for i in range(RESULTS)]


def count(expected, found):
    raised = sum(isinstance(f, Exception) for f in found)
    wrong = sum(not isinstance(f, Exception) and f != expected[i] for i, f in enumerate(found))
    kinds = sorted({f"{type(f).__name__}: {str(f)[:80]}" for f in found if isinstance(f, Exception)})
    return {"results": len(found), "wrong": wrong, "exceptions": raised, "kinds": kinds[:5]}


def funasr(files, vad, switch_interval=1e-5):
    from funasr import AutoModel
    model = AutoModel(model=str(TINY), vad_model=str(vad), device="cpu", ncpu=1, disable_update=True,
                      disable_pbar=True)

    def transcribe(path):
        try:
            return model.generate(input=str(path))[0]["text"]
        except Exception as error:  # whatever the race leads to is a result here
            return error

    alone = {path: transcribe(path) for path in dict.fromkeys(files)}
    before = sys.getswitchinterval()
    sys.setswitchinterval(switch_interval)
    try:
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(transcribe, files))
    finally:
        sys.setswitchinterval(before)
    return count([alone[path] for path in files], found)


def tutti(program, files, vad):
    def texts(threads, paths):
        done = subprocess.run([program, "transcribe", "--model", TINY, "--vad", vad, "--threads", str(threads),
                               "--decode-threads", str(threads), "--format", "jsonl", "--progress", "none", *paths],
                              capture_output=True, text=True)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        return [r["text"] if "text" in r else RuntimeError(r["error"]["message"]) for r in results]

    distinct = list(dict.fromkeys(files))
    alone = dict(zip(distinct, texts(1, distinct)))
    return count([alone[path] for path in files], texts(THREADS, files))

"""How far the times of words are from faster-whisper's, on the calls of the samples.

    python -m venv V; V/bin/pip install ctranslate2==4.8.5 faster-whisper==1.2.1
    V/bin/python bench/whisper_word_times.py [--tutti PROGRAM] [--compute-type TYPE] [CALL ...]

First on windows that both are given: each call in pieces of 20 to 28 s, without voice activity detection. Where the texts
are the same, the times are compared word by word. Then on whole calls, each with its own voice activity detection: words
that both have.
"""
import argparse
import difflib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import wave

import faster_whisper
import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "peers"))
import audio  # noqa: E402
from audio import RATE, ROOT  # noqa: E402


def pieces_of(samples):
    """[start, end) of pieces that are cut where a call is quiet."""
    cuts, frame = [0], RATE // 50
    while len(samples) - cuts[-1] > 28 * RATE:
        first = cuts[-1] + 20 * RATE
        energy = (samples[first: first + 8 * RATE].reshape(-1, frame).astype(np.float64) ** 2).sum(axis=1)
        energy = np.convolve(energy, np.ones(15), "same")
        cuts.append(first + int(energy.argmin()) * frame + frame // 2)
    return list(zip(cuts, cuts[1:] + [len(samples)]))


def plain(word):
    return "".join(letter for letter in word.lower() if letter.isalnum())


def ours(tutti, compute_type, paths, more=()):
    """For each file (word, start in s, end in s, probability as it is written)."""
    done = subprocess.run([tutti, "transcribe", "--model", "whisper-base", "--language", "en", "--compute-type", compute_type,
                           "--beam-size", "1", "--word-timestamps", "--format", "jsonl", "--progress", "none", *more, *paths],
                          stdout=subprocess.PIPE, text=True, check=True)
    return [[(token["text"], token["start_ms"] / 1000, token["end_ms"] / 1000)
             for segment in json.loads(line)["segments"] for token in segment["tokens"]] for line in done.stdout.splitlines()]


def theirs(pipeline, path, **more):
    segments, _ = pipeline.transcribe(str(path), language="en", beam_size=1, word_timestamps=True, **more)
    return [(word.word.strip(), word.start, word.end) for segment in segments for word in segment.words]


def report(name, pairs):
    for part, at in (("start", 1), ("end", 2)):
        differences = sorted(abs(a[at] - b[at]) for a, b in pairs)
        print(f"{name}, {part}s of {len(pairs)} words: mean {1000 * statistics.mean(differences):.1f} ms, median "
              f"{1000 * statistics.median(differences):.0f} ms, 95 % {1000 * differences[int(0.95 * len(differences))]:.0f} ms, "
              f"largest {1000 * differences[-1]:.0f} ms, {100 * sum(d < 0.021 for d in differences) / len(differences):.1f} % "
              "within 20 ms")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tutti", default=ROOT / "build/release/bin/tutti")
    parser.add_argument("--compute-type", default="f32")
    parser.add_argument("calls", nargs="*", default=sorted((ROOT / ".cache/samples/calls").iterdir()))
    options = parser.parse_args()
    model = faster_whisper.WhisperModel(str(ROOT / ".cache/models/whisper-base"), device="cpu", cpu_threads=1,
                                        compute_type={"f32": "float32"}.get(options.compute_type, options.compute_type))
    pipeline = faster_whisper.BatchedInferencePipeline(model)
    calls = [str(call) for call in options.calls]
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for call in calls:
            samples = faster_whisper.decode_audio(call)
            for start, end in pieces_of(samples):
                paths.append(str(pathlib.Path(folder, f"{len(paths):03}.wav")))
                audio.write(paths[-1], (np.clip(samples[start:end], -1, 1) * 32767).round().astype("<i2"))
        found = ours(options.tutti, options.compute_type, paths, ["--vad", "none", "--window-seconds", "30"])
        same = []
        for path, words in zip(paths, found, strict=True):
            with wave.open(path) as file:
                clip = [{"start": 0, "end": file.getnframes() / RATE}]
            reference = theirs(pipeline, path, clip_timestamps=clip)
            if [word[0] for word in words] == [word[0] for word in reference]:
                same.append(list(zip(words, reference)))
        print(f"{len(paths)} windows, {len(same)} with the same words")
        report("given windows", [pair for pairs in same for pair in pairs])
    pairs, count = [], 0
    for call, words in zip(calls, ours(options.tutti, options.compute_type, calls), strict=True):
        reference = theirs(pipeline, call)
        count += len(reference)
        matcher = difflib.SequenceMatcher(None, [plain(w[0]) for w in words], [plain(w[0]) for w in reference], autojunk=False)
        for first, other, size in matcher.get_matching_blocks():
            pairs += zip(words[first: first + size], reference[other: other + size])
    print(f"whole calls: {len(pairs)} of {count} words are in both")
    report("whole calls", pairs)


if __name__ == "__main__":
    main()

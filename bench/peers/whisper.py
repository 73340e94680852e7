"""tutti, faster-whisper and whisper.cpp with whisper-base on the same recordings and cores, in turn; loading is left out
for all.

Needs ctranslate2, faster-whisper and pywhispercpp only. faster-whisper gets its best setting among those that are tried.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

import audio
import report
import whisper_cpp

sys.path.insert(0, str(audio.ROOT / "tools"))
import score  # noqa: E402

LANGUAGE = "en"
BATCHES = (4, 8, 16)
CLIPS = 126
ALONE_SECONDS = 11
WINDOWS, WINDOW_SECONDS = 8, 30


class FasterWhisper:
    def __init__(self, model, cores, compute_type="int8"):
        self.model = WhisperModel(str(model), device="cpu", compute_type=compute_type, cpu_threads=cores)
        self.batched = BatchedInferencePipeline(self.model)

    def batches(self, files, beam, batch):
        """The pipeline that joins what its VAD finds into windows, a recording at a time: it has no other way."""
        return self._all(files, lambda path: self.batched.transcribe(str(path), language=LANGUAGE, beam_size=beam,
                                                                     batch_size=batch))

    def in_turn(self, files, beam):
        """Each recording by itself, without what would cost time: times, text before, other temperatures."""
        return self._all(files, lambda path: self.model.transcribe(
            str(path), language=LANGUAGE, beam_size=beam, temperature=0, without_timestamps=True,
            condition_on_previous_text=False))

    @staticmethod
    def _all(files, transcribe):
        """Texts, and the seconds that each took."""
        texts, seconds = [], []
        for path in files:
            start = time.perf_counter()
            texts.append(" ".join(segment.text for segment in transcribe(path)[0]))
            seconds.append(time.perf_counter() - start)
        time.sleep(0.5)  # until its threads no longer wait on the cores
        return texts, seconds


class Tutti:
    def __init__(self, folder, model, vad, cores):
        self.folder, self.model, self.vad, self.cores = pathlib.Path(folder), str(model), str(vad), cores
        self.tutti = self.folder / "tutti"

    def at_once(self, files, beam, compute_type="int8"):
        """Texts, and the summary of the run."""
        with tempfile.TemporaryDirectory() as folder:
            summary = pathlib.Path(folder) / "summary.json"
            command = [self.tutti, "transcribe", "--model", self.model, "--vad", self.vad, "--compute-type",
                       compute_type, "--threads", str(self.cores), "--language", LANGUAGE, "--beam-size", str(beam),
                       "--format", "jsonl", "--progress", "none", "--summary", summary, *files]
            done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
            return [json.loads(line)["text"] for line in done.stdout.splitlines()], json.loads(summary.read_text())

    def in_turn(self, files, beam, rounds=1):
        command = [self.folder / "in_turn", self.model, self.vad, "int8", LANGUAGE, beam, rounds, *files]
        found = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)
        return found["texts"], found["seconds"]


def decode(path):
    return decode_audio(str(path))


def spread(items, count):
    """So many of the items, evenly."""
    return [items[i * len(items) // count] for i in range(min(count, len(items)))]


def errors(files, texts, transcripts):
    found = score.Score()
    for path, text in zip(files, texts, strict=True):
        found.add(transcripts[str(path)]["text"], text)
    return found.percent


def join(files, work, seconds=None):
    """One recording of them all, or of its first seconds."""
    samples = np.concatenate([decode(path) for path in files])
    if seconds:
        samples = samples[:int(seconds * audio.RATE)]
    path = work / "joined.wav"
    audio.write(path, (samples * 32767).astype("<i2"))
    return path


def throughput(ours, theirs, cpps, calls, work, transcripts, rounds):
    """{beam: {program: × real time}}, and the word errors of each."""
    total = sum(float(transcripts[str(path)]["seconds"]) for path in calls)
    rates, percent = {}, {}

    def note(beam, name, texts, seconds):
        rates[beam].setdefault(name, []).append(total / seconds)
        if texts:
            percent[beam][name] = errors(calls, texts, transcripts)

    def run_ours(beam, compute_type="int8"):
        texts, summary = ours.at_once(calls, beam, compute_type)
        note(beam, "tutti " + summary["compute_type"], texts, summary["wall_seconds"])

    def run_theirs(beam, setting):
        batch, files, name = setting
        texts, seconds = theirs.batches(files, beam, batch)
        note(beam, name, texts if files is calls else None, sum(seconds))

    joined = [join(calls, work)]
    settings = [(batch, calls, f"faster-whisper int8, batch {batch}") for batch in BATCHES]
    settings += [(batch, joined, f"faster-whisper int8, batch {batch}, calls joined") for batch in BATCHES[1:]]
    rates[1], percent[1] = {}, {}
    theirs.batches(calls[:1], 1, BATCHES[1])  # warm
    for setting in settings:
        run_theirs(1, setting)
    best = max(settings, key=lambda setting: max(rates[1][setting[2]]))
    beams = {1: [settings[1]] + [best] * (best is not settings[1]), 5: [best]}
    for beam, tried in beams.items():
        rates.setdefault(beam, {}), percent.setdefault(beam, {})
        for _ in range(rounds):
            run_ours(beam)
            for setting in tried:
                run_theirs(beam, setting)
        if not percent[beam].keys() - {"tutti int8"}:  # of joined calls there is no text of each
            theirs_texts, _ = theirs.batches(calls, beam, best[0])
            percent[beam][f"faster-whisper int8, batch {best[0]}"] = errors(calls, theirs_texts, transcripts)
    for compute_type in ("bf16", "f32"):
        run_ours(1, compute_type)
    for cpp in cpps:
        for recordings, how in ((map(decode, calls), ""), (whisper_cpp.speech_of(ours.tutti, ours.vad, calls), ", speech")):
            texts, seconds = cpp.in_turn(recordings)
            note(1, cpp.name + how, texts, sum(seconds))
    return {beam: {name: float(np.median(values)) for name, values in of_beam.items()}
            for beam, of_beam in rates.items()}, percent


def short_clips(ours, theirs, prompts, transcripts, beam=1):
    clips = spread(prompts, CLIPS)
    total = sum(float(transcripts[str(path)]["seconds"]) for path in clips)
    their_texts, their_seconds = theirs.in_turn(clips, beam)
    our_texts, our_seconds = ours.in_turn(clips, beam)
    _, summary = ours.at_once(clips, beam)
    names = ("tutti int8, all at once", "tutti int8, one after another", "faster-whisper int8, one after another")
    seconds = (summary["wall_seconds"], sum(our_seconds), sum(their_seconds))
    return {"x_real_time": {name: total / took for name, took in zip(names, seconds)}, "mean_seconds": total / len(clips),
            "clips": len(clips)}, {"tutti int8": errors(clips, our_texts, transcripts),
                                   "faster-whisper int8": errors(clips, their_texts, transcripts)}


def alone(ours, theirs, cpps, prompts, transcripts, rounds=5):
    """Seconds for one clip, greedy."""
    clip = min(prompts, key=lambda path: abs(float(transcripts[str(path)]["seconds"]) - ALONE_SECONDS))
    found = {"tutti int8": ours.in_turn([clip], 1, rounds)[1][0]}
    for name, once in (("faster-whisper int8", lambda: theirs.in_turn([clip], 1)),
                       *((cpp.name, lambda cpp=cpp: cpp.in_turn([decode(clip)])) for cpp in cpps)):
        found[name] = float(np.median([once()[1][0] for _ in range(rounds + 1)][1:]))
    return found


def memory(ours, calls, work):
    """Bytes at most, for one recording of eight windows."""
    path = join(calls, work, WINDOWS * WINDOW_SECONDS)
    found = {}
    for ours_type, theirs_type in (("int8", "int8"), ("f32", "float32")):
        child = subprocess.run([sys.executable, __file__, ours.model, path, str(ours.cores), theirs_type], check=True,
                               capture_output=True, text=True)
        found[f"tutti {ours_type}"] = ours.at_once([path], 1, ours_type)[1]["peak_memory_bytes"]
        found[f"faster-whisper {ours_type}"] = int(child.stdout)
    for kind in whisper_cpp.KINDS:
        found[f"whisper.cpp {kind}"] = whisper_cpp.peak_memory_of(ours.model, kind, path, LANGUAGE, ours.cores, work)
    return found


def run(programs, model, vad, work, calls=6, rounds=1):
    """What bench/peers/report.py prints. `programs` is the folder of tutti and in_turn."""
    cores = len(os.sched_getaffinity(0))
    work.mkdir(parents=True, exist_ok=True)
    transcripts = score.read_transcripts()
    of_calls = [pathlib.Path(path) for path, row in transcripts.items() if row["set"] == "call"]
    prompts = [pathlib.Path(path) for path, row in transcripts.items() if row["set"] != "call"]
    ours, theirs = Tutti(programs, model, vad, cores), FasterWhisper(model, cores)
    cpps = [whisper_cpp.WhisperCpp(model, kind, LANGUAGE, cores, work) for kind in whisper_cpp.KINDS]
    some = spread(of_calls, calls)

    def say(what):
        print(f"peers: whisper: {what}", file=sys.stderr, flush=True)

    say("calls")
    rates, percent = throughput(ours, theirs, cpps, some, work, transcripts, rounds)
    say("short clips")
    clips, of_clips = short_clips(ours, theirs, prompts, transcripts)
    say("one clip alone")
    seconds = alone(ours, theirs, cpps, prompts, transcripts)
    say("memory")
    return {"throughput": {str(beam): of_beam for beam, of_beam in rates.items()},
            "errors": {**{f"calls, {report.beam_name(beam)}": of_beam for beam, of_beam in percent.items()},
                       "short clips, greedy": of_clips},
            "clips": clips, "alone": seconds, "memory": memory(ours, of_calls, work)}


def peak_memory_of(model, path, cores, compute_type):
    """Of this process, which transcribes one recording."""
    FasterWhisper(model, int(cores), compute_type).batches([path], 1, WINDOWS)
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    print(peak_memory_of(*sys.argv[1:]))

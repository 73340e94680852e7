"""whisper.cpp with whisper-base, through the wheel pywhispercpp, which is built for AVX2.

It takes one recording at a time. Its matrices are in f16, as its own files have them, or in 8 bits (q8_0); a file in f32
ends the wheel's program in its convolution. Reading and resampling are left out for it, and so is detection where it is
given speech alone: what `tutti vad` found, joined as its own option --vad joins what Silero's model finds.
"""
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
from faster_whisper import decode_audio
from pywhispercpp.model import Model

import audio
import ggml

KINDS = ("q8_0", "f16")
SILENCE = np.zeros(audio.RATE // 10, "f4")  # between two stretches of speech


class WhisperCpp:
    def __init__(self, package, kind, language, cores, work):
        path = work / f"{package.name}-{kind}.bin"
        if not path.exists():
            part = path.with_suffix(".part")
            ggml.convert(package, part, kind)
            part.rename(path)
        self.name = f"whisper.cpp {kind}"
        self.model = Model(str(path), n_threads=cores, language=language, print_progress=False,
                           redirect_whispercpp_logs_to=None)

    def in_turn(self, recordings):
        """Texts of samples, and the seconds that each took. Greedy."""
        texts, seconds = [], []
        for samples in recordings:
            start = time.perf_counter()
            texts.append(" ".join(segment.text for segment in self.model.transcribe(samples)))
            seconds.append(time.perf_counter() - start)
        return texts, seconds


def speech_of(tutti, vad, files):
    """The samples of each file in which there is speech."""
    done = subprocess.run([str(tutti), "vad", "--model", str(vad), "--format", "jsonl", "--progress", "none",
                           *map(str, files)], check=True, capture_output=True, text=True)
    found = []
    for path, line in zip(files, done.stdout.splitlines(), strict=True):
        samples, parts = decode_audio(str(path)), [SILENCE[:0]]
        for start_ms, end_ms in json.loads(line)["segments"]:
            parts += [samples[start_ms * audio.RATE // 1000:end_ms * audio.RATE // 1000], SILENCE]
        found.append(np.concatenate(parts))
    return found


def peak_memory_of(package, kind, path, language, cores, work):
    """Of a process that transcribes one recording."""
    arguments = [package, kind, path, language, cores, work]
    child = subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True)
    return int(child.stdout)


if __name__ == "__main__":
    of, kind, path, language, cores, work = sys.argv[1:]
    WhisperCpp(pathlib.Path(of), kind, language, int(cores), pathlib.Path(work)).in_turn([decode_audio(path)])
    status = pathlib.Path("/proc/self/status").read_text()
    print(1024 * int(status.split("VmHWM:")[1].split()[0]))

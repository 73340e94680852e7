"""Log-mel features of the three sets of recordings, and the split into training and test. See README.md.

usage: prepare.py DATA WORK      writes WORK/features.pkl, a list of (kind, split, words, speed, frames [T, 80] float16)
"""
import collections
import pathlib
import pickle
import random
import subprocess
import sys

import numpy as np
import soundfile
import torch
import torchaudio
from torchaudio.compliance import kaldi

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import make_samples

RATE = 16000
DIGITS = "zero one two three four five six seven eight nine".split()


def resample(samples, source, target):
    return torchaudio.functional.resample(torch.as_tensor(samples), source, target).numpy()


def log_mel(samples, speed):
    """What the WavFrontend of FunASR computes before it stacks frames; None for less than one frame's worth."""
    if speed != 1.0:
        samples = resample(samples, int(RATE * speed), RATE)
    if len(samples) < 560:
        return None
    return kaldi.fbank(torch.as_tensor(samples)[None] * 32768, num_mel_bins=80, frame_length=25, frame_shift=10, dither=0.0,
                       energy_floor=0.0, window_type="hamming", sample_frequency=RATE, snip_edges=True).numpy().astype("f2")


def trim(samples):
    """Without the edges that are 40 dB below the loudest place, but for 60 ms."""
    energy = np.convolve(samples * samples, np.ones(160) / 160, "same")
    loud = np.where(energy > energy.max() * 1e-4)[0]
    return samples[max(0, loud[0] - 960) : loud[-1] + 960] if len(loud) else samples


class Features:
    def __init__(self):
        self.records = []

    def add(self, kind, split, words, samples, speeds):
        samples = trim(samples.astype("f4"))
        samples = samples / (np.abs(samples).max() + 1e-6) * 0.5
        for speed in speeds:
            frames = log_mel(samples, speed)
            if frames is not None:
                self.records.append((kind, split, words, speed, frames))


def held_out(texts, candidates, limit):
    """Up to `limit` candidates of whose every character at least four are in the set, the candidate's own included."""
    count = collections.Counter(character for text in texts for character in text)
    chosen = set()
    for text in candidates:
        if len(chosen) < limit and all(count[character] >= 4 for character in text):
            chosen.add(text)
            count.subtract(text)
    return chosen


def add_mandarin(features, folder):
    words = sorted(path.stem for path in folder.glob("*.wav"))
    candidates = [word for word in words if 2 <= len(word) <= 4]
    random.Random(7).shuffle(candidates)
    test = held_out(words, candidates, 400)
    for word in words:
        samples, _ = soundfile.read(folder / f"{word}.wav", dtype="float32")
        if word in test:
            features.add("zh", "test", list(word), samples, [1.0])
        else:
            features.add("zh", "train", list(word), samples, [0.9, 1.0, 1.1])


def add_digits(features, folder):
    for path in sorted(folder.glob("*.wav")):
        digit, _, number = path.stem.split("_")
        samples, rate = soundfile.read(path, dtype="float32")
        test = int(number) < 5
        features.add("digits", "test" if test else "train", [DIGITS[int(digit)]], resample(samples, rate, RATE),
                     [1.0] if test else [0.9, 1.0, 1.1])


def add_prompts(features, folder):
    test = set(make_samples.HELD_OUT.read_text().split())
    for name, (recording, text) in sorted(make_samples.read_prompts(folder).items()):
        raw = subprocess.run(["ffmpeg", "-v", "error", "-f", "g722", "-i", "-", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"],
                             input=recording, stdout=subprocess.PIPE, check=True).stdout
        samples, words = np.frombuffer(raw, "<i2").astype("f4") / 32768, text.split()
        if not 0.1 * RATE <= len(samples) <= 20 * RATE:
            continue
        if name in test:
            features.add("prompts", "test", words, samples, [1.0])
        else:
            features.add("prompts", "train", words, samples, [0.92, 1.0, 1.08])
            features.add("prompts", "train", words, resample(resample(samples, RATE, 8000), 8000, RATE), [1.0])  # telephone band


def main():
    data, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    torch.set_num_threads(1)
    features = Features()
    add_mandarin(features, data / "w16")
    add_digits(features, data / "fsdd/recordings")
    add_prompts(features, data / "ast")
    work.mkdir(exist_ok=True)
    with open(work / "features.pkl", "wb") as out:
        pickle.dump(features.records, out, 4)
    print(collections.Counter(record[:2] for record in features.records))


if __name__ == "__main__":
    main()

"""Recordings for the tests, made of those in tests/data/audio."""
import math
import pathlib
import random
import struct

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
AUDIO = ROOT / "tests/data/audio"
RATE = 8000
MULAW_SILENCE = b"\xff"


def spoken(words=3, channels=1):
    """A WAV of one second of speech and a second and a half of silence, so many times; each time the next channel speaks."""
    speech = _data(AUDIO / "mulaw_8k.wav")
    pause = MULAW_SILENCE * (RATE * 3 // 2)
    out = bytearray()
    for i in range(words):
        mono = speech + pause
        for sample in mono:
            for channel in range(channels):
                out.append(sample if channel == i % channels else MULAW_SILENCE[0])
    return _wav(bytes(out), 7, channels, 1)


def noise(segments, seconds, seed=1):
    """A WAV that looks like speech where `segments` (start_ms, end_ms) say so."""
    random.seed(seed)
    values = [0.0] * int(seconds * RATE)
    for start, end in segments:
        level = 0.5
        for i in range(start * RATE // 1000, min(end * RATE // 1000, len(values))):
            if i % 900 == 0:
                level = random.uniform(0.1, 1)
            values[i] = level * math.sin(i * 0.15) * abs(math.sin(i * math.pi / 900)) * random.uniform(0.6, 1)
    return _wav(b"".join(struct.pack("<h", int(28000 * v)) for v in values), 1, 1, 2)


def _data(path):
    content = path.read_bytes()
    at = content.index(b"data")
    size = struct.unpack_from("<I", content, at + 4)[0]
    return content[at + 8:at + 8 + size]


def _wav(data, kind, channels, width):
    form = struct.pack("<HHIIHHH", kind, channels, RATE, RATE * channels * width, channels * width, 8 * width, 0)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body

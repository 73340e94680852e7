"""Recordings of chosen lengths, cut from one recording of speech. Standard library only."""
import array
import pathlib
import random
import wave

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "fixtures" / "audio" / "long.wav"
RATE = 16000

# Utterance lengths in seconds, as `tutti bench pipeline --lengths` has them.
MIXES = {
    "10 s": lambda random: 10.0,
    "AISHELL-like": lambda random: min(max(4.5 * random.lognormvariate(0, 0.35), 1.2), 15.0),
    "1–30 s": lambda random: random.uniform(1, 30),
}


def read(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return array.array("h", file.readframes(file.getnframes()))


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def make_mix(name, seconds, folder, seed=1):
    """About so many seconds as WAV files; the same files for the same arguments."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.wav"):
        old.unlink()
    speech, generator, files, total = read(SPEECH), random.Random(seed), [], 0.0
    while total < seconds:
        length = int(MIXES[name](generator) * RATE)
        start = generator.randrange(len(speech) - length)
        files.append(folder / f"{len(files):03}.wav")
        write(files[-1], speech[start:start + length])
        total += length / RATE
    return files, total

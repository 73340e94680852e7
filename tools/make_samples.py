#!/usr/bin/env python3
"""Makes the sample recordings of .cache/samples from Debian's packages; does nothing when they are there.

reading/NAME.wav    sentences of a novel, read aloud (LibriVox), of pocketsphinx-testdata
prompts/NAME.g722   every prompt whose text is plain words
calls/call_NN.g722  20 to 120 s each: prompts with pauses of 0.3 to 1.5 s between them, joined as Asterisk plays them
transcripts.tsv     file, set (trained, heldout, reading or call), seconds, text

A prompt is "heldout" when it was kept out of the demo model's training (tools/heldout_prompts.txt), else "trained"; so are the
three that last longer than 20 s, which training left out too but FunASR's figures in the model card count here.
The packages are downloaded and unpacked into the tree, not installed. Prompts and calls are by Allison Smith, CC BY-SA 3.0.
"""
import gzip
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import wave

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
SAMPLES = CACHE / "samples"
RECIPE = "recipe.sha256"  # written last: the state of this script and of the held-out list the samples were made with
HELD_OUT = ROOT / "tools" / "heldout_prompts.txt"
ASTERISK = ["asterisk-core-sounds-en", "asterisk-core-sounds-en-g722"]
READING = "pocketsphinx-testdata"
PACKAGES = [*ASTERISK, READING]

BYTES_PER_SECOND = 8000  # G.722: one byte holds two samples of 16 kHz
# The codes of least magnitude. In random order they decode to faint noise; in a fixed order, to a faint tone.
QUIET = b"\xff\xfd\x7f\x7d"
CALLS = 20


def run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def download_packages(folder):
    """apt-get checks the signatures. A fresh container has no package lists yet, hence the second try."""
    code, log = run(["apt-get", "download", "-q", *PACKAGES], folder)
    if code:
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        run([*as_root, "apt-get", "update", "-q"])
        code, log = run(["apt-get", "download", "-q", *PACKAGES], folder)
    if code:
        sys.exit(f"{log}\nThe sample recordings are of Debian's {', '.join(PACKAGES)}, and apt-get cannot download them. "
                 "With network, run `sudo apt-get update` and `make samples` again; without, run make samples on another "
                 f"Debian 12 machine and copy its .cache/samples to {SAMPLES}.")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)


def plain_words(text):
    """The words that are spoken, or none where the text describes a sound or holds digits."""
    if "[" in text or re.search(r"\d", text):
        return []
    words = re.sub(r"[^a-z' ]", " ", text.lower().replace("-", " ")).split()
    return [word for word in (word.strip("'") for word in words) if word]


def read_prompts(folder):
    """{name: (bytes, text)}"""
    sounds = next(folder.glob("usr/share/asterisk/sounds/en_US_f_Allison"))
    texts = folder / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    prompts = {}
    for line in gzip.open(texts, "rt", errors="ignore"):
        name, colon, text = line.partition(":")
        recording = sounds / f"{name.strip()}.g722"
        words = plain_words(text)
        if colon and not line.startswith(";") and words and recording.exists():
            prompts[name.strip()] = (recording.read_bytes(), " ".join(words))
    return prompts


def read_reading(folder):
    """[(path, text)]"""
    librivox = folder / "usr/share/pocketsphinx/test/data/librivox"
    sentences = re.findall(r"<s> (.*?) </s> \((.*?)\)", (librivox / "transcription").read_text())
    return [(librivox / f"{name}.wav", text) for text, name in sentences]


def wav_seconds(path):
    with wave.open(str(path)) as recording:
        return recording.getnframes() / recording.getframerate()


def make_call(prompts, dice):
    seconds = dice.uniform(20, 110)
    longest = 120 * BYTES_PER_SECOND
    audio, texts = b"", []
    while len(audio) < seconds * BYTES_PER_SECOND:
        recording, text = prompts[dice.choice(sorted(prompts))]
        pause = bytes(dice.choices(QUIET, k=int(dice.uniform(0.3, 1.5) * BYTES_PER_SECOND)))
        if len(audio) + len(recording) + len(pause) <= longest:
            audio += recording + pause
            texts.append(text)
    return audio, " ".join(texts)


def write_samples(prompts, held_out, reading, folder):
    dice = random.Random(20)
    rows = []

    def write(file, kind, audio, text, seconds=None):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(audio)
        rows.append(f"{file}\t{kind}\t{seconds or len(audio) / BYTES_PER_SECOND:.2f}\t{text}\n")

    for name, (audio, text) in sorted(prompts.items()):
        write(f"prompts/{name}.g722", "heldout" if name in held_out else "trained", audio, text)
    for path, text in reading:
        write(f"reading/{path.name}", "reading", path.read_bytes(), text, wav_seconds(path))
    for number in range(1, CALLS + 1):
        write(f"calls/call_{number:02}.g722", "call", *make_call(prompts, dice))
    (folder / "transcripts.tsv").write_text("file\tset\tseconds\ttext\n" + "".join(rows))
    (folder / "SOURCE.txt").write_text(
        "Prompts recorded by Allison Smith (theivrvoice.com), financial contributions by Digium, Inc.; CC BY-SA 3.0.\n"
        f"From Debian's packages {' and '.join(ASTERISK)}; calls/ joins them (tools/make_samples.py).\n"
        "reading/: Sense and Sensibility, chapter 1, read for LibriVox, public domain; from Debian's package "
        f"{READING} (BSD-2).\n")


def main():
    recipe = hashlib.sha256(pathlib.Path(__file__).read_bytes() + HELD_OUT.read_bytes()).hexdigest() + "\n"
    note = SAMPLES / RECIPE
    if note.exists() and note.read_text() == recipe:
        return
    print(f"making sample recordings from {', '.join(PACKAGES)}", flush=True)
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        packages, fresh = pathlib.Path(scratch, "packages"), pathlib.Path(scratch, "samples")
        packages.mkdir(), fresh.mkdir()
        download_packages(packages)
        held_out = set(HELD_OUT.read_text().split())
        prompts = read_prompts(packages)
        if missing := held_out - prompts.keys():
            sys.exit(f"{ASTERISK[1]}: lacks {', '.join(sorted(missing))}, named in {HELD_OUT}")
        write_samples(prompts, held_out, read_reading(packages), fresh)
        (fresh / RECIPE).write_text(recipe)
        shutil.rmtree(SAMPLES, ignore_errors=True)
        fresh.rename(SAMPLES)


if __name__ == "__main__":
    main()

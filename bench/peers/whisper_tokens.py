"""The tokens that tutti and faster-whisper find in the same windows, in f32, greedy and with five beams.

Each clip is put into a window of 15 s for both, without voice activity detection, so the two networks see the same
frames. What faster-whisper found is kept, since it is the same each time.
"""
import concurrent.futures
import json
import random
import subprocess
import sys

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from whisper import LANGUAGE, score

CLIPS = 300
WINDOW_SECONDS, FRAMES_PER_SECOND = 15, 100
BEAMS = {"greedy": 1, "beam 5": 5}


class Reference:
    def __init__(self, model):
        self.whisper = faster_whisper.WhisperModel(str(model), device="cpu", compute_type="float32")
        self.tokenizer = Tokenizer(self.whisper.hf_tokenizer, True, "transcribe", LANGUAGE)
        self.prompt = self.whisper.get_prompt(self.tokenizer, [], without_timestamps=True)
        self.suppress = get_suppressed_tokens(self.tokenizer, [-1])

    def encode(self, samples):
        features = self.whisper.feature_extractor(samples)[..., :-1]
        window = np.zeros((1, features.shape[0], WINDOW_SECONDS * FRAMES_PER_SECOND), "f4")
        window[0, :, :features.shape[1]] = features
        return self.whisper.model.encode(ctranslate2.StorageView.from_array(window))

    def find(self, encoded, beam):
        found = self.whisper.model.generate(encoded, [self.prompt], beam_size=beam, suppress_tokens=self.suppress,
                                            max_length=448, return_scores=True)[0]
        return {"tokens": found.sequences_ids[0], "score": found.scores[0]}

    def gap(self, encoded, before, token, other):
        """By how much faster-whisper likes `token` better than `other` behind the tokens `before`."""
        found = self.whisper.model.generate(encoded, [[*self.prompt, *before]], beam_size=1, max_length=448,
                                            suppress_tokens=self.suppress, return_logits_vocab=True)[0]
        logits = np.array(found.logits[0][0].to_device(ctranslate2.Device.cpu))
        return float(logits[token] - logits[other])


def clips(work):
    """Samples of clips that fit a window, as files: always the same."""
    rows = sorted((path for path, row in score.read_transcripts().items()
                   if row["set"] != "call" and float(row["seconds"]) < WINDOW_SECONDS - 0.1))
    paths = []
    work.mkdir(parents=True, exist_ok=True)
    for path in sorted(random.Random(1).sample(rows, min(CLIPS, len(rows)))):
        paths.append(work / (path.replace("/", "+") + ".f32"))
        if not paths[-1].exists():
            faster_whisper.decode_audio(path).astype("<f4").tofile(paths[-1])
    return paths


def ours(program, model, how, paths):
    command = [program, model, "f32", "beam" if BEAMS[how] > 1 else "greedy", WINDOW_SECONDS, 8, *paths]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    found = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    return [found[str(path)] for path in paths]


def theirs(reference, paths, kept):
    """{how: [tokens and score of each clip]}"""
    key = [faster_whisper.__version__, ctranslate2.__version__, WINDOW_SECONDS, [path.name for path in paths]]
    if kept.exists() and (known := json.loads(kept.read_text()))["key"] == key:
        return known["found"]
    found = {how: [] for how in BEAMS}
    for path in paths:
        encoded = reference.encode(np.fromfile(path, "<f4"))
        for how, beam in BEAMS.items():
            found[how].append(reference.find(encoded, beam))
    kept.write_text(json.dumps({"key": key, "found": found}))
    return found


def difference(reference, path, one, other):
    """Of the text where the two part. `gap` is the reference's, in logits; `score` tutti's over the reference's."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    end = reference.tokenizer.eot
    here, there = ((tokens + [end])[same] for tokens in (one, other))
    encoded = reference.encode(np.fromfile(path, "<f4"))
    return {"clip": path.name.split("+")[-1].removesuffix(".f32"), "token": same,
            "gap": round(reference.gap(encoded, other[:same], there, here), 5),
            "tutti": reference.tokenizer.decode(one), "faster-whisper": reference.tokenizer.decode(other)}


def run(programs, model, work):
    paths = clips(work / "windows")
    reference = Reference(model)
    print("peers: whisper: tokens", file=sys.stderr, flush=True)
    with concurrent.futures.ThreadPoolExecutor(len(BEAMS)) as pool:
        mine = dict(zip(BEAMS, pool.map(lambda how: ours(programs / "whisper_tokens", model, how, paths), BEAMS)))
    known = theirs(reference, paths, work / "tokens.json")
    results = {}
    for how in BEAMS:
        unequal = [(path, one, other) for path, one, other in zip(paths, mine[how], known[how], strict=True)
                   if one["tokens"] != other["tokens"]]
        results[how] = {"clips": len(paths), "equal": len(paths) - len(unequal),
                        "differences": [{**difference(reference, path, one["tokens"], other["tokens"]),
                                         "score": round(one["score"] - other["score"], 6)}
                                        for path, one, other in unequal]}
    return results

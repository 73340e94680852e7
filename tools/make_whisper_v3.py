"""Makes the fixture of a small Whisper with random weights that is shaped as large-v3 and its distilled forms are, and what
CTranslate2 computes with it: 128 mels, a language more, so that what follows the languages has other ids, and fewer layers in
the decoder than in the encoder.

    OUT/model.bin …      CTranslate2's package in f16; the expected results are computed in f32
    OUT/clip_b.enc.npy   encoder output of OUT/../audio/clip_b.wav in a window of 500 frames, every 10th row
    OUT/expected.json    decoding of it, as in whisper_tiny/expected.json, and the probability of each language

Needs (PyPI) ctranslate2==4.8.5 faster-whisper==1.2.1.

    python tools/make_whisper_v3.py tests/data/fixtures/whisper_v3
"""
import argparse, os

import ctranslate2
import numpy as np
import tokenizers

import make_whisper_fixture as fixture

fixture.WIDTH, fixture.HEADS, fixture.FFN, fixture.MELS = 32, 2, 64, 128
fixture.LAYERS, fixture.DECODER_LAYERS = 3, 1
fixture.LANGUAGES = [*fixture.LANGUAGES, "yue"]
WINDOW = 500
LEAST_MARGIN = 0.02  # between the logits of a greedy step's best two tokens


def write_package(folder, seed):
    fixture.SEED = seed
    fixture.make_config = make_config
    fixture.write_package(folder, *fixture.make_tokenizer(), "float16")


def make_config(tokenizer, make=fixture.make_config):
    return {**make(tokenizer), "alignment_heads": [[0, 0], [0, 1]]}


def margin(model, window, prompt, suppress):
    """The least difference between the best two of what may be said at a greedy step."""
    result = model.generate(window, [prompt], beam_size=1, suppress_blank=False, suppress_tokens=suppress,
                            return_logits_vocab=True)[0]
    best = [np.sort(np.array(step, np.float32))[-2:] for step in result.logits[0]]
    return min(float(b - a) for a, b in best)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    folder = parser.parse_args().out
    features = fixture.features_of(fixture.read_wav(os.path.dirname(folder.rstrip("/")) + "/audio/clip_b.wav"), fixture.MELS)
    window = fixture.window_of(features, WINDOW)
    for seed in range(1, 100):
        write_package(folder, seed)
        tokenizer = tokenizers.Tokenizer.from_file(folder + "/tokenizer.json")
        special = lambda name: tokenizer.token_to_id(f"<|{name}|>")
        model = ctranslate2.models.Whisper(folder, compute_type="float32")
        prompt = lambda language, task, *end: [special(name) for name in ("startoftranscript", language, task, *end)]
        greedy, beam = {"beam_size": 1}, {"beam_size": 5, "num_hypotheses": 5}
        cases = {
            "greedy": fixture.decode(model, window, prompt("yue", "transcribe", "notimestamps"), greedy),
            "greedy with times": fixture.decode(model, window, prompt("yue", "transcribe"), greedy),
            "greedy translate": fixture.decode(model, window, prompt("de", "translate", "notimestamps"), greedy),
            "beam": fixture.decode(model, window, prompt("yue", "transcribe", "notimestamps"), beam),
        }
        suppress = fixture.make_config(tokenizer)["suppress_ids"]
        margins = [margin(model, window, prompt("yue", "transcribe", "notimestamps"), suppress),
                   margin(model, window, prompt("de", "translate", "notimestamps"), suppress)]
        texts = {tuple(case["tokens"][0]) for case in cases.values()}
        lengths = [len(case["tokens"][0]) for case in cases.values()]
        times = sum(token > special("notimestamps") for token in cases["greedy with times"]["tokens"][0])
        print(f"seed {seed}: margins {margins}, tokens {lengths}, {times} times")
        if min(margins) > LEAST_MARGIN and len(texts) == len(cases) and min(lengths) >= 5 and max(lengths) < 100 and times >= 2:
            break
    else:
        raise SystemExit("no seed will do")
    np.save(folder + "/clip_b.enc.npy", np.ascontiguousarray(np.array(model.encode(window))[0][::10]))
    fixture.write_json(folder + "/expected.json", {
        "frames": features.shape[1], "window": WINDOW, "cases": cases,
        "languages": {name.strip("<|>"): p for name, p in model.detect_language(window)[0]}}, indent=1)


if __name__ == "__main__":
    main()

"""Makes the Whisper fixtures: packages of reduced size with random weights in CTranslate2's format, and what CTranslate2 and
Hugging Face's tokenizers compute with them.

    OUT/whisper_tiny        f32, vocabulary.txt, and the expected results (see OUT/README.txt)
    OUT/whisper_tiny_int8   the same weights quantised; vocabulary.json, and merges as pairs, as newer packages have them
    OUT/expected_bpe.json   what the tokenizers of whisper_tiny and whisper-base make of texts and tokens

Needs (PyPI) ctranslate2==4.8.5 faster-whisper==1.2.1, the audio of OUT/audio, and
the tokenizer of whisper-base.

    python tools/make_whisper_fixture.py tests/data/fixtures .cache/models/whisper-base
"""
import argparse, json, os, random, shutil, tempfile, wave

import ctranslate2
import numpy as np
import tokenizers
from ctranslate2.specs import whisper_spec
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations

WIDTH, HEADS, FFN, LAYERS, MELS = 64, 2, 128, 2, 80
DECODER_LAYERS = None  # as many as LAYERS
WINDOW_SECONDS = 10  # of the encoder's position table; 30 s in the published models
ENCODER_POSITIONS, DECODER_POSITIONS = 50 * WINDOW_SECONDS, 448
MERGES = 300
TIMES = 50 * WINDOW_SECONDS + 1
LANGUAGES = ["en", "zh", "de", "es", "ru", "ko", "fr", "ja"]
SEED = 53  # of those tried, one where no greedy step is a near tie and texts differ from clip to clip

# What the merges are learnt from. The tokens need no more sense than the weights have.
CORPUS = """He's not sure that we'll go there, but they've said they'd rather stay than leave the house in the rain.
The quick brown fox jumps over the lazy dog and then the other thing that there is to say about it, isn't it?
In 1984 there were 365 days and 52 weeks, and the train left at 10:45 with 1,000 passengers for 3.50 each.
Und dann fährt der Zug über die Brücke nach München. El niño comió una manzana. Où est la bibliothèque ?
今天天气很好，我们去公园散步吧。他说的话我都听不懂。日本語の文章も少しあります。안녕하세요. Привет, как дела? مرحبا بالعالم
"""

TEXTS = [
    "", " ", "Hello", " Hello", " Hello, world!", "he's they've we'll I'd you're it's can't I'm", "HE'S CAN'T", "it’s",
    "  two  spaces", "trailing   ", "\ttab\nline\r\n\n end ", "a\u00a0b\u3000c\u180ed\u2028e\u0085f\u200bg\ufeff",
    "in 1984, 3.50 or 1,000,000", "١٢٣ ²³ Ⅷ ½ 〇", "今天天气很好，我们去公园。", "日本語のテキスト、カタカナ", "안녕하세요",
    "Привет, как дела?", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "e\u0301 n\u0303 a\u0308\u0323 \u0301x",
    "naïve café Ünïcödé", "😀👩\u200d👩\u200d👧🇩🇪 ok", "♪♪♪ (MUSIC) [NOISE] -- ...", "x_y__z $5 #tag @me a/b\\c \"q\" `~",
    "\x00\x01\x7f", "\U0001d518\U0001d52b\U0010ffff", "the<|endoftext|>end <|en|><|transcribe|> <|nothing|>", "'s's 's", "a'll b 'll",
    "https://example.com/?q=1&r=2", "ﬁ ﬂ Ǆ ǅ", "\u0e33\u0ebd", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]


def byte_letters():
    """GPT-2's letter for each byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for byte in range(256):
        letters[byte] = chr(byte) if byte in keep else chr(256 + extra)
        extra += byte not in keep
    return keep + [b for b in range(256) if b not in keep], letters


def make_tokenizer():
    """tokenizer.json (without the times, as the published ones have it) and the vocabulary with them."""
    order, letters = byte_letters()
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.train_from_iterator([CORPUS], tokenizers.trainers.BpeTrainer(
        vocab_size=256 + MERGES, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    learnt = json.loads(learner.to_str())["model"]["merges"]
    words = [letters[b] for b in order] + ["".join(pair) for pair in learnt] + [""]
    assert len(set(words)) == 256 + MERGES + 1
    special = ["<|endoftext|>", "<|startoftranscript|>"] + [f"<|{name}|>" for name in LANGUAGES] + [
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    document = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": len(words) + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, text in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "vocab": {word: i for i, word in enumerate(words)},
                  "merges": [" ".join(pair) for pair in learnt]}}
    times = [f"<|{i * 0.02:.2f}|>" for i in range(TIMES)]
    return document, words + special + times


def sinusoids(length, width):
    rates = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def half(array):
    """f32 with values that half precision has, so that the f16 package computes the same."""
    return np.asarray(array, np.float16).astype(np.float32)


def make_spec(seed, vocabulary, config):
    rng = np.random.default_rng(seed)
    spec = whisper_spec.WhisperSpec(LAYERS, HEADS, DECODER_LAYERS or LAYERS, HEADS)

    def linear(to, out, inputs, gain=1.0, bias=True):
        to.weight = half(rng.normal(0, gain / np.sqrt(inputs), (out, inputs)))
        if bias:
            to.bias = half(rng.normal(0, 0.1, out))

    def norm(to, spread=0.2):
        to.gamma, to.beta = half(1 + rng.normal(0, spread, WIDTH)), half(rng.normal(0, 0.1, WIDTH))

    def attention(to, gain):
        norm(to.layer_norm)
        shapes = [3 * WIDTH, WIDTH] if len(to.linear) == 2 else [WIDTH, 2 * WIDTH, WIDTH]
        for i, (part, out) in enumerate(zip(to.linear, shapes)):
            linear(part, out, WIDTH, gain if i == len(shapes) - 1 else 1.6)

    def feed_forward(to, gain):
        norm(to.layer_norm)
        linear(to.linear_0, FFN, WIDTH, 1.5)
        linear(to.linear_1, WIDTH, FFN, gain)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = half(rng.normal(0, 0.15, (WIDTH, MELS, 3))), half(rng.normal(0, 0.1, WIDTH))
    encoder.conv2.weight, encoder.conv2.bias = half(rng.normal(0, 0.15, (WIDTH, WIDTH, 3))), half(rng.normal(0, 0.1, WIDTH))
    encoder.position_encodings.encodings = half(sinusoids(ENCODER_POSITIONS, WIDTH))
    for layer in encoder.layer:
        attention(layer.self_attention, 1.0)
        feed_forward(layer.ffn, 1.0)
    norm(encoder.layer_norm)
    # Rows of one length, so that no token is the favourite of all states; times shorter, so that words win against their sum
    # now and then. Column 0 grows with the position from below zero: the end token follows it, so that every text ends, and
    # no-speech goes against it, so that its probability at the start is a number to compare.
    embeddings = rng.normal(0, 1, (len(vocabulary), WIDTH))
    embeddings[:, 0] = 0
    embeddings *= 2.6 / np.linalg.norm(embeddings, axis=1, keepdims=True)
    embeddings[-TIMES:] *= 0.6
    embeddings[vocabulary.index("<|endoftext|>"), 0] = 4
    embeddings[vocabulary.index("<|nospeech|>"), 0] = -1.5
    decoder.embeddings.weight = half(embeddings)
    decoder.projection.weight = decoder.embeddings.weight
    positions = rng.normal(0, 1, (DECODER_POSITIONS, WIDTH))
    positions[:, 0] = np.minimum(0.5 * np.arange(DECODER_POSITIONS), 40) - 8
    decoder.position_encodings.encodings = half(positions)
    for layer in decoder.layer:
        attention(layer.self_attention, 1.0)
        attention(layer.attention, 1.0)
        feed_forward(layer.ffn, 1.0)
    # Signs at random: the output is tied to the embeddings, and a token would be its own best successor for ever.
    norm(decoder.layer_norm)
    decoder.layer_norm.gamma = half(decoder.layer_norm.gamma * rng.choice([-1, 1], WIDTH))
    decoder.layer_norm.gamma[0] = 1
    decoder.layer_norm.beta = half(0.1 * decoder.layer_norm.beta)
    for key, value in config.items():
        setattr(spec.config, key, value)
    spec.register_vocabulary(vocabulary)
    spec.validate()
    return spec


def make_config(tokenizer):
    one = lambda text: tokenizer.token_to_id(text)
    never = ["startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech"]
    symbols = Tokenizer(tokenizer, True, "transcribe", "en").non_speech_tokens
    return {"alignment_heads": [[0, 1], [1, 0], [1, 1]], "lang_ids": [one(f"<|{name}|>") for name in LANGUAGES],
            "suppress_ids": sorted({*symbols, *(one(f"<|{name}|>") for name in never)}),
            "suppress_ids_begin": [one("\u0120"), one("<|endoftext|>")]}


def write_json(path, value, **style):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, **style)
        file.write("\n")


def write_package(folder, tokenizer, vocabulary, quantization=None):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    write_json(folder + "/tokenizer.json", tokenizer)
    write_json(folder + "/preprocessor_config.json", {"chunk_length": WINDOW_SECONDS, "feature_size": MELS})
    config = make_config(tokenizers.Tokenizer.from_file(folder + "/tokenizer.json"))
    spec = make_spec(SEED, vocabulary, config)
    spec.optimize(quantization)
    spec.save(folder)


def read_wav(path):
    with wave.open(path) as w:
        assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (16000, 1, 2), path
        return np.frombuffer(w.readframes(w.getnframes()), np.int16).astype(np.float32) / 32768


def features_of(samples, mels=MELS):
    """[mels, frames] as faster-whisper computes them, without the padding to a window."""
    return FeatureExtractor(feature_size=mels)(samples)[:, :-1].astype(np.float32)


def window_of(features, frames):
    window = np.zeros((1, features.shape[0], frames), np.float32)
    window[0, :, : features.shape[1]] = features[:, :frames]
    return ctranslate2.StorageView.from_array(window)


def decode(model, window, prompt, options):
    """A case of expected.json."""
    result = model.generate(window, [prompt], return_scores=True, return_no_speech_prob=True, **options)[0]
    return {"prompt": prompt, "options": options, "tokens": result.sequences_ids, "scores": result.scores,
            "no_speech_prob": result.no_speech_prob}


def logits_of(model, window, prompt, steps):
    """What the network gives at each step of greedy decoding, [steps, vocabulary], without any rule."""
    result = model.generate(window, [prompt], beam_size=1, suppress_blank=False, suppress_tokens=[], return_logits_vocab=True)
    return np.array([np.array(step) for step in result[0].logits[0][:steps]], np.float32)


def expect(folder, audio, special):
    whisper = WhisperModel(folder, device="cpu", compute_type="float32")
    model = whisper.model
    start, language, task = special("startoftranscript"), special("en"), special("transcribe")
    silent = [start, language, task, special("notimestamps")]
    expected = {}
    for clip, frames in (("clip_a", 1000), ("clip_b", 500)):
        features = features_of(read_wav(f"{audio}/{clip}.wav"))
        window = window_of(features, frames)
        np.save(f"{folder}/{clip}.feats.npy", np.ascontiguousarray(features.T[:: 8 if clip == "clip_a" else 1]))
        np.save(f"{folder}/{clip}.enc.npy", np.array(model.encode(window))[0])
        np.save(f"{folder}/{clip}.start_logits.npy", logits_of(model, window, [start], 1))
        np.save(f"{folder}/{clip}.logits.npy", logits_of(model, window, silent, 3))
        greedy, beam = {"beam_size": 1}, {"beam_size": 5, "num_hypotheses": 5}
        cases = {
            "greedy": decode(model, window, silent, greedy),
            "greedy with times": decode(model, window, silent[:-1], greedy),
            "greedy translate": decode(model, window, [start, special("de"), special("translate"), silent[-1]], greedy),
            "greedy after text": decode(model, window, [special("startofprev"), 300, 301, 302, *silent], greedy),
            "greedy, nothing suppressed": decode(model, window, silent,
                                                 {**greedy, "suppress_tokens": [], "suppress_blank": False}),
            "greedy, repetition penalty": decode(model, window, silent, {**greedy, "repetition_penalty": 1.5}),
            "greedy, no repeated n-gram": decode(model, window, silent, {**greedy, "no_repeat_ngram_size": 2}),
            "greedy, short": decode(model, window, silent, {**greedy, "max_length": 20}),
            "greedy, first time 0": decode(model, window, silent[:-1], {**greedy, "max_initial_timestamp_index": 0}),
            "beam": decode(model, window, silent, beam),
            "beam with times": decode(model, window, silent[:-1], beam),
            "beam, patience": decode(model, window, silent, {**beam, "patience": 2}),
            "beam, length penalty": decode(model, window, silent, {**beam, "length_penalty": 0.2}),
        }
        text = [t for t in cases["greedy"]["tokens"][0] if t < special("endoftext")]
        aligned = model.align(window, silent[:-1], [text], min(features.shape[1], frames))[0]
        expected[clip] = {
            "frames": features.shape[1], "window": frames, "cases": cases,
            "languages": {name.strip("<|>"): p for name, p in model.detect_language(window)[0]},
            "align": {"start": silent[:-1], "tokens": text, "frames": min(features.shape[1], frames),
                      "path": aligned.alignments, "probabilities": aligned.text_token_probs},
            "words": [words_of(whisper, window, min(features.shape[1], frames), *text) for text in (
                ("en", " Hello, world! It's “here” (1984)."), ("zh", "今天天气很好，我们去。"))],
            "timed": [timed(whisper, window, min(features.shape[1], frames), language, found) for language, found in [
                ("en", cases["greedy"]["tokens"][0]), ("en", cases["greedy with times"]["tokens"][0]),
                ("zh", cases["beam with times"]["tokens"][0]), *timed_texts(whisper)]]}
    np.save(f"{folder}/clip_b.feats128.npy",
            np.ascontiguousarray(features_of(read_wav(f"{audio}/clip_b.wav"), 128).T[::8]))
    return expected


def words_of(whisper, window, frames, language, text):
    """Word times of a text that is given: as cross-attention has them, then with punctuation merged."""
    tokenizer = Tokenizer(whisper.hf_tokenizer, True, "transcribe", language)
    row = lambda w: [w["word"], w["tokens"], float(w["start"]), float(w["end"]), float(w["probability"])]
    words = whisper.find_alignment(tokenizer, [tokenizer.encode(text)], window, frames)[0]
    before = [row(word) for word in words]
    merge_punctuations(words, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    return {"language": language, "text": text, "words": before, "merged": [row(word) for word in words if word["word"]]}


TIMED_TEXTS = [  # language, and texts with times in seconds between them
    ("en", 0.0, " Hello, world! It's", 1.5, 1.5, " “here” (1984).", 2.5),
    ("en", 0.2, " The quick brown fox jumps over the lazy dog.", 1.0, 1.0, " And then - isn't it?", 2.9, 2.9),
    ("zh", 0.0, "今天天气很好，", 1.3, 1.3, "我们去公园散步吧。", 2.7),
    ("de", 0.0, " Und dann fährt der Zug", 2.0),
    ("en", 2.0, " no", 2.0, 2.0, " yes", 2.98),
]


def timed_texts(whisper):
    for language, *parts in TIMED_TEXTS:
        tokenizer = Tokenizer(whisper.hf_tokenizer, True, "transcribe", language)
        yield language, [token for part in parts for token in (
            tokenizer.encode(part) if isinstance(part, str) else [tokenizer.timestamp_begin + round(part / 0.02)])]


def timed(whisper, window, frames, language, found):
    """A window's text divided at its times, each part with its words, as the batched pipeline has them."""
    tokenizer = Tokenizer(whisper.hf_tokenizer, True, "transcribe", language)
    parts, _, _ = whisper._split_segments_by_timestamps(tokenizer, found, 0.0, frames, frames / 100, 0)
    row = lambda part: {"tokens": [t for t in part["tokens"] if t < tokenizer.eot], "start": part["start"], "end": part["end"]}
    divided = [row(part) for part in parts]
    if "\ufffd" in tokenizer.decode(found):  # random bytes, some of which would be lost
        return {"language": language, "found": found, "divided": divided}
    whisper.add_word_timestamps([parts], tokenizer, whisper.model.encode(window), frames, "\"'“¿([{-",
                                "\"'.。,，!！?？:：”)]}、", 0.0)
    return {"language": language, "found": found, "divided": divided, "timed": [
        {**row(part), "words": [[w["word"], float(w["start"]), float(w["end"]), float(w["probability"])] for w in part["words"]]}
        for part in parts]}


def random_texts(count):
    rng = random.Random(1)
    ranges = [(32, 127), (32, 127), (9, 14), (160, 0x250), (0x300, 0x36F), (0x370, 0x600), (0x600, 0x700), (0x900, 0x980),
              (0x2000, 0x2070), (0x3000, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0x1F600, 0x1F650)]
    letter = lambda: chr(rng.randrange(*rng.choice(ranges)))
    return ["".join(rng.choice([letter(), rng.choice(" 'sterlv1")]) for _ in range(rng.randrange(1, 20)))
            for _ in range(count)]


def expect_bpe(tokenizer):
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    texts = TEXTS + random_texts(60)
    rng, words = random.Random(2), tokenizer.token_to_id("<|endoftext|>")
    runs = [[rng.randrange(words) for _ in range(rng.randrange(1, 12))] for _ in range(20)]
    # Letters of several bytes, cut everywhere: half letters are U+FFFD.
    split = [rng.randrange(words) for _ in range(3)] + encode("日😀é")
    runs += [split[i:j] for i in range(2, len(split)) for j in range(i + 1, len(split) + 1)]
    return {"encode": [[text, encode(text)] for text in texts],
            "decode": [[run, tokenizer.decode(run)] for run in runs if run]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fixtures")
    parser.add_argument("whisper_base", help="the published package, for its tokenizer")
    arguments = parser.parse_args()
    fixtures = arguments.fixtures
    tiny, audio = fixtures + "/whisper_tiny", fixtures + "/audio"
    document, vocabulary = make_tokenizer()
    write_package(tiny, document, vocabulary)
    # As the older of the published packages have it.
    os.remove(tiny + "/vocabulary.json")
    with open(tiny + "/vocabulary.txt", "w", encoding="utf-8") as file:
        file.writelines(word + "\n" for word in vocabulary)
    tokenizer = tokenizers.Tokenizer.from_file(tiny + "/tokenizer.json")
    special = lambda name: tokenizer.token_to_id(f"<|{name}|>")
    expected = expect(tiny, audio, special)

    newer = json.loads(json.dumps(document))
    newer["model"]["merges"] = [merge.split(" ") for merge in newer["model"]["merges"]]
    write_package(tiny + "_int8", newer, vocabulary, "int8")
    silent = [special(name) for name in ("startoftranscript", "en", "transcribe", "notimestamps")]
    window = window_of(features_of(read_wav(audio + "/clip_b.wav")), 500)
    model = ctranslate2.models.Whisper(tiny + "_int8", compute_type="float32")
    np.save(tiny + "_int8/clip_b.logits.npy", logits_of(model, window, silent, 3))
    expected["int8"] = {name: decode(ctranslate2.models.Whisper(tiny + "_int8", compute_type=name), window, silent, {"beam_size": 1})
                        for name in ("float32", "int8")}

    # In half precision the weights are the same numbers, so nothing of such a package is kept.
    with tempfile.TemporaryDirectory() as f16:
        write_package(f16 + "/package", document, vocabulary, "float16")
        model = ctranslate2.models.Whisper(f16 + "/package", compute_type="float32")
        assert (logits_of(model, window, silent, 3) == np.load(tiny + "/clip_b.logits.npy")).all()

    write_json(tiny + "/expected.json", expected, indent=1)
    base = tokenizers.Tokenizer.from_file(arguments.whisper_base + "/tokenizer.json")
    write_json(fixtures + "/expected_bpe.json", {"whisper_tiny": expect_bpe(tokenizer), "whisper-base": expect_bpe(base)})


if __name__ == "__main__":
    main()

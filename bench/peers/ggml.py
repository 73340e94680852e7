"""A Whisper package of CTranslate2 as whisper.cpp's file, which PyPI has nowhere. Standard library, numpy and faster-whisper.

The layout is what whisper.cpp's models/convert-pt-to-ggml.py writes and its models/quantize program makes of that:
numbers of the model, mel filters, tokens as bytes, then tensors. Nothing is rounded but what the chosen type rounds.
"""
import json
import re
import struct

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

MAGIC, QUANTISED_VERSION = 0x67676D6C, 2000
F32, F16, Q8_0 = 0, 1, 8  # ggml's types
TYPES = {"f16": (F16, 1), "q8_0": (Q8_0, QUANTISED_VERSION + 7)}  # and what the file is called
BLOCK = 32
NUMPY_TYPES = ("<f4", "i1", "<i2", "<i4", "<f2")

LAYER = {"self_attention/layer_norm": "attn_ln", "ffn/layer_norm": "mlp_ln", "ffn/linear_0": "mlp.0",
         "ffn/linear_1": "mlp.2", "self_attention/linear_1": "attn.out", "attention/layer_norm": "cross_attn_ln",
         "attention/linear_0": "cross_attn.query", "attention/linear_2": "cross_attn.out"}
STACKED = {"self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
           "attention/linear_1": ("cross_attn.key", "cross_attn.value")}
OTHERS = {"encoder/conv1": "encoder.conv1", "encoder/conv2": "encoder.conv2", "encoder/layer_norm": "encoder.ln_post",
          "decoder/layer_norm": "decoder.ln", "decoder/embeddings": "decoder.token_embedding"}
POSITIONS = {"encoder/position_encodings/encodings": "encoder.positional_embedding",
             "decoder/position_encodings/encodings": "decoder.positional_embedding"}
PARTS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def variables(path):
    """{name: array} of a model.bin."""
    data, at = path.read_bytes(), 0

    def take(form):
        nonlocal at
        found = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return found

    def text():
        return take(f"{take('H')[0]}s")[0].rstrip(b"\0").decode()

    take("I"), text(), take("I")  # versions and the kind of model
    found = {}
    for _ in range(take("I")[0]):
        name = text()
        shape = take(f"{take('B')[0]}I")
        kind, size = take("BI")
        found[name] = np.frombuffer(data, NUMPY_TYPES[kind], size // np.dtype(NUMPY_TYPES[kind]).itemsize, at).reshape(shape)
        at += size
    return found


def tensors(found):
    """(OpenAI's name, array) of each."""
    for name, values in found.items():
        if name in POSITIONS:
            yield POSITIONS[name], values
            continue
        where, _, part = name.rpartition("/")
        if part not in PARTS:
            continue  # a number of the model
        if where in OTHERS:
            yield f"{OTHERS[where]}.{PARTS[part]}", values
            continue
        side, layer, place = where.split("/", 2)
        prefix = f"{side}.blocks.{layer.removeprefix('layer_')}"
        for each, piece in zip(STACKED.get(place) or (LAYER[place],),
                               np.split(values, len(STACKED.get(place, "1"))), strict=True):
            if not each.endswith("key") or part != "bias":  # keys have none: it is zero
                yield f"{prefix}.{each}.{PARTS[part]}", piece


def quantise(values):
    """Blocks of 32: a scale in f16, then 32 bytes."""
    blocks = values.astype("f4").reshape(-1, BLOCK)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    packed = np.empty(len(blocks), [("scale", "<f2"), ("values", "i1", BLOCK)])
    packed["scale"], packed["values"] = scales[:, 0], np.round(blocks * inverse)
    return packed


def as_bytes(tokens):
    """Of tokens in byte-level BPE's letters."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}
    return [bytes(letters[letter] for letter in token) for token in tokens]


def convert(package, out, kind):
    """`kind` is f16 or q8_0, of the matrices; a convolution is in f16, what is no matrix in f32."""
    found = variables(package / "model.bin")
    matrix, file_kind = TYPES[kind]
    vocabulary = json.loads((package / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    if "<|endoftext|>" in tokens:
        tokens = tokens[:tokens.index("<|endoftext|>")]
    encoder, decoder = (found[f"{side}/position_encodings/encodings"].shape for side in ("encoder", "decoder"))
    layers = [1 + max(int(layer) for layer in re.findall(rf"^{side}/layer_(\d+)/", "\n".join(found), re.MULTILINE))
              for side in ("encoder", "decoder")]
    heads = [int(found[f"{side}/num_heads"]) for side in ("encoder", "decoder")]
    mels = found["encoder/conv1/weight"].shape[1]
    filters = FeatureExtractor(feature_size=mels).mel_filters.astype("<f4")
    with open(out, "wb") as file:
        file.write(struct.pack("<12i", MAGIC, len(found["decoder/embeddings/weight"]), *encoder, heads[0], layers[0],
                               *decoder, heads[1], layers[1], mels, file_kind))
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes() + struct.pack("<i", len(tokens)))
        for token in as_bytes(tokens):
            file.write(struct.pack("<i", len(token)) + token)
        for name, values in tensors(found):
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                values = values[:, None]
            is_matrix = name.endswith("weight") and values.ndim > 1
            its = F32 if not is_matrix else F16 if values.ndim > 2 else matrix
            file.write(struct.pack(f"<{3 + values.ndim}i", values.ndim, len(name), its, *reversed(values.shape)))
            file.write(name.encode())
            file.write((quantise(values) if its == Q8_0 else values.astype({F32: "<f4", F16: "<f2"}[its])).tobytes())

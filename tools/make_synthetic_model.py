#!/usr/bin/env python3
"""Writes a FunASR model directory of paraformer-large's true size with seeded random weights (about 880 MB).

It recognises nothing; it is there to measure loading and memory where no hub can be reached. Standard library only.

    python3 tools/make_synthetic_model.py .cache/models/synthetic-paraformer-large
    build/release/bin/tutti models info .cache/models/synthetic-paraformer-large
"""
import argparse
import array
import collections
import io
import json
import math
import os
import pickle
import random
import struct
import sys
import types
import zipfile

WIDTH, FEATURES, HEADS, UNITS, BLOCKS, DECODER_BLOCKS, KERNEL, VOCABULARY = 512, 560, 4, 2048, 50, 16, 11, 8404


def shapes():
    """Every tensor of paraformer-large that inference reads, in the checkpoint's names (docs/models.md)."""
    def norm(name, width):
        yield name + ".weight", (width,)
        yield name + ".bias", (width,)

    def linear(name, out, width, bias=True):
        yield name + ".weight", (out, width)
        if bias:
            yield name + ".bias", (out,)

    def encoder_layer(name, width):
        yield from linear(name + ".self_attn.linear_q_k_v", 3 * WIDTH, width)
        yield from linear(name + ".self_attn.linear_out", WIDTH, WIDTH)
        yield name + ".self_attn.fsmn_block.weight", (WIDTH, 1, KERNEL)
        yield from linear(name + ".feed_forward.w_1", UNITS, WIDTH)
        yield from linear(name + ".feed_forward.w_2", WIDTH, UNITS)
        yield from norm(name + ".norm1", width)
        yield from norm(name + ".norm2", WIDTH)

    def feed_forward(name):
        yield from norm(name + ".norm1", WIDTH)
        yield from linear(name + ".feed_forward.w_1", UNITS, WIDTH)
        yield from norm(name + ".feed_forward.norm", UNITS)
        yield from linear(name + ".feed_forward.w_2", WIDTH, UNITS, bias=False)

    yield from encoder_layer("encoder.encoders0.0", FEATURES)
    for i in range(BLOCKS - 1):
        yield from encoder_layer(f"encoder.encoders.{i}", WIDTH)
    yield from norm("encoder.after_norm", WIDTH)
    yield "predictor.cif_conv1d.weight", (WIDTH, WIDTH, 3)
    yield "predictor.cif_conv1d.bias", (WIDTH,)
    yield from linear("predictor.cif_output", 1, WIDTH)
    for i in range(DECODER_BLOCKS):
        name = f"decoder.decoders.{i}"
        yield from feed_forward(name)
        yield from norm(name + ".norm2", WIDTH)
        yield from norm(name + ".norm3", WIDTH)
        yield name + ".self_attn.fsmn_block.weight", (WIDTH, 1, KERNEL)
        yield from linear(name + ".src_attn.linear_q", WIDTH, WIDTH)
        yield from linear(name + ".src_attn.linear_k_v", 2 * WIDTH, WIDTH)
        yield from linear(name + ".src_attn.linear_out", WIDTH, WIDTH)
    yield from feed_forward("decoder.decoders3.0")
    yield from norm("decoder.after_norm", WIDTH)
    yield "decoder.embed.0.weight", (VOCABULARY, WIDTH)
    yield from linear("decoder.output_layer", VOCABULARY, WIDTH)


def values(name, shape, pool, generator):
    """Norms are ones and zeros, matrices random with deviation 1/sqrt(inputs), taken from a pool of normal values.

    Each starts elsewhere in the pool: an ONNX exporter stores equal tensors once, which no real model has.
    """
    count = math.prod(shape)
    if "norm" in name:
        return array.array("f", [1.0 if name.endswith("weight") else 0.0]) * count
    if name == "predictor.cif_output.bias":
        return array.array("f", [-1.1])  # sigmoid: 0.25 a row, 4 tokens a second
    scale = 0.02 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape[1:]))
    first = generator.randrange(len(pool))
    scaled = array.array("f", (v * scale for v in pool[first:] + pool[:first]))
    return (scaled * (count // len(scaled) + 1))[:count]


def torch_stand_ins():
    """Modules with the names that torch.save writes, so that pickle can refer to them without torch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    class FloatStorage:
        pass

    def _rebuild_tensor_v2():
        pass

    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    torch.FloatStorage, torch._utils, utils._rebuild_tensor_v2 = FloatStorage, utils, _rebuild_tensor_v2
    sys.modules.update({"torch": torch, "torch._utils": utils})
    return FloatStorage, _rebuild_tensor_v2


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Tensor:
    def __init__(self, key, shape):
        self.key, self.shape = key, shape


def write_checkpoint(path, seed):
    float_storage, rebuild = torch_stand_ins()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return ("storage", float_storage, value.key, "cpu", value.count)
            return None

        def reducer_override(self, value):
            if not isinstance(value, Tensor):
                return NotImplemented
            strides = tuple(math.prod(value.shape[i + 1:]) for i in range(len(value.shape)))
            storage = Storage(value.key, math.prod(value.shape))
            return rebuild, (storage, 0, value.shape, strides, False, collections.OrderedDict())

    tensors = list(shapes())
    pickled = io.BytesIO()
    Pickler(pickled, protocol=2).dump(
        collections.OrderedDict((name, Tensor(str(i), shape)) for i, (name, shape) in enumerate(tensors)))
    generator = random.Random(seed)
    pool = [generator.gauss(0, 1) for _ in range(100_003)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        write_aligned(archive, "model/data.pkl", pickled.getvalue())
        write_aligned(archive, "model/byteorder", b"little")
        for i, (name, shape) in enumerate(tensors):
            write_aligned(archive, f"model/data/{i}", values(name, shape, pool, generator).tobytes())
        write_aligned(archive, "model/version", b"3\n")


def write_aligned(archive, name, data):
    """The entry's data starts at a multiple of 64 bytes, as torch.save pads it with an extra field."""
    entry = zipfile.ZipInfo(name)
    header = archive.fp.tell() + 30 + len(name) + 4
    padding = -header % 64
    entry.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
    archive.writestr(entry, data)


CONFIG = f"""model: Paraformer
encoder: SANMEncoder
encoder_conf: {{output_size: {WIDTH}, attention_heads: {HEADS}, linear_units: {UNITS}, num_blocks: {BLOCKS},
  input_layer: pe, normalize_before: true, kernel_size: {KERNEL}, sanm_shfit: 0, selfattention_layer_type: sanm}}
decoder: ParaformerSANMDecoder
decoder_conf: {{attention_heads: {HEADS}, linear_units: {UNITS}, num_blocks: {DECODER_BLOCKS},
  att_layer_num: {DECODER_BLOCKS}, kernel_size: {KERNEL}, sanm_shfit: 0}}
predictor: CifPredictorV2
predictor_conf: {{idim: {WIDTH}, threshold: 1.0, l_order: 1, r_order: 1, tail_threshold: 0.45}}
frontend: WavFrontend
frontend_conf: {{fs: 16000, window: hamming, n_mels: 80, frame_length: 25, frame_shift: 10, lfr_m: 7, lfr_n: 6, dither: 0.0}}
tokenizer: CharTokenizer
tokenizer_conf: {{unk_symbol: <unk>, split_with_space: true}}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    tokens = ["<blank>", "<s>", "</s>"] + [chr(0x4E00 + i) for i in range(VOCABULARY - 4)] + ["<unk>"]
    with open(os.path.join(arguments.directory, "config.yaml"), "w", encoding="utf-8") as file:
        file.write(CONFIG)
    with open(os.path.join(arguments.directory, "tokens.json"), "w", encoding="utf-8") as file:
        json.dump(tokens, file, ensure_ascii=False)
    write_checkpoint(os.path.join(arguments.directory, "model.pt"), arguments.seed)


if __name__ == "__main__":
    main()

"""Makes the fixture of one small Whisper with random weights in each format that Whispers come in.

    OUT/ctranslate2   model.bin in f16, vocabulary.json, tokenizer.json, config.json
    OUT/openai        base.pt in f16, multilingual.tiktoken: what whisper.load_model downloads, and its package's vocabulary
    OUT/huggingface   two safetensors files in bf16 and their index, vocab.json, merges.txt, added_tokens.json, config.json,
                      generation_config.json

The weights are numbers that f16 and bf16 both have, so that all of them are the same network to the last bit. Neither torch nor
transformers is needed: the files are laid out as theirs are.

Needs (PyPI) ctranslate2==4.8.5 faster-whisper==1.2.1.

    python tools/make_whisper_forms.py tests/data/fixtures/whisper_forms
"""
import argparse, base64, collections, io, json, os, pickle, shutil, struct, sys, types, zipfile

import numpy as np
import tokenizers

import make_whisper_fixture as fixture

WIDTH, LAYERS = 32, 2
fixture.WIDTH, fixture.HEADS, fixture.FFN, fixture.LAYERS = WIDTH, 2, 64, LAYERS
fixture.WINDOW_SECONDS, fixture.ENCODER_POSITIONS, fixture.DECODER_POSITIONS = 2, 100, 64
fixture.TIMES, fixture.MERGES = 101, 120
SEED = 7


def to_bf16(array):
    """The upper halves of f32 numbers that have nothing below."""
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def both_halves(array):
    """f32 with 8 bits of mantissa and none of the exponents that f16 lacks."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = ((bits + 0x8000) & 0xFFFF0000).view(np.float32)
    rounded = np.where(np.abs(rounded) < 2.0**-13, np.float32(0), rounded)
    assert (rounded.astype(np.float16).astype(np.float32) == rounded).all()
    assert ((to_bf16(rounded).astype(np.uint32) << 16).view(np.float32) == rounded).all()
    return rounded


def make_spec(vocabulary, config):
    """The network, without biases of keys, which the other formats do not have."""
    spec = fixture.make_spec(SEED, vocabulary, config)
    weights = {}
    for name, variable in spec.variables(ordered=True):
        array = variable.array
        if array.dtype != np.float32 or array.ndim == 0:
            continue
        array[...] = both_halves(array)
        if name.endswith("self_attention/linear_0/bias"):
            array[WIDTH:2 * WIDTH] = 0
        elif name.endswith("/attention/linear_1/bias"):
            array[:WIDTH] = 0
        weights[name] = array.copy()
    return spec, weights


def split(weights, names):
    """The tensors of another format: `names` gives the name of each part of the network."""
    out = {}

    def put(name, array):
        out[name] = np.ascontiguousarray(array)

    def linear(at, to):
        """Those that are stacked are taken apart; keys have no bias."""
        weight, bias = weights[at + "/weight"], weights[at + "/bias"]
        rows = weight.shape[0] // len(to)
        for i, name in enumerate(to):
            put(name + ".weight", weight[i * rows:(i + 1) * rows])
            if not name.endswith(names["key"]):
                put(name + ".bias", bias[i * rows:(i + 1) * rows])

    def norm(at, to):
        put(to + ".weight", weights[at + "/gamma"])
        put(to + ".bias", weights[at + "/beta"])

    for part in ("encoder", "decoder"):
        for i in range(LAYERS):
            at, to = f"{part}/layer_{i}", names["layer"].format(part, i)
            attention = [to + name for name in names["self"]]
            norm(at + "/self_attention/layer_norm", to + names["self_norm"])
            linear(at + "/self_attention/linear_0", attention[:3])
            linear(at + "/self_attention/linear_1", attention[3:])
            if part == "decoder":
                attention = [to + name for name in names["cross"]]
                norm(at + "/attention/layer_norm", to + names["cross_norm"])
                linear(at + "/attention/linear_0", attention[:1])
                linear(at + "/attention/linear_1", attention[1:3])
                linear(at + "/attention/linear_2", attention[3:])
            norm(at + "/ffn/layer_norm", to + names["ffn_norm"])
            linear(at + "/ffn/linear_0", [to + names["ffn"][0]])
            linear(at + "/ffn/linear_1", [to + names["ffn"][1]])
        put(names[part + "_positions"], weights[part + "/position_encodings/encodings"])
        norm(part + "/layer_norm", names[part + "_norm"])
    for conv in ("conv1", "conv2"):
        linear("encoder/" + conv, [names["prefix"] + "encoder." + conv])
    put(names["embeddings"], weights["decoder/embeddings/weight"])
    return out


OPENAI = {"prefix": "", "layer": "{}.blocks.{}.", "key": ".key",
          "self": ["attn.query", "attn.key", "attn.value", "attn.out"], "self_norm": "attn_ln",
          "cross": ["cross_attn.query", "cross_attn.key", "cross_attn.value", "cross_attn.out"], "cross_norm": "cross_attn_ln",
          "ffn": ["mlp.0", "mlp.2"], "ffn_norm": "mlp_ln", "embeddings": "decoder.token_embedding.weight",
          "encoder_positions": "encoder.positional_embedding", "decoder_positions": "decoder.positional_embedding",
          "encoder_norm": "encoder.ln_post", "decoder_norm": "decoder.ln"}
HUGGING_FACE = {"prefix": "model.", "layer": "model.{}.layers.{}.", "key": ".k_proj",
                "self": [f"self_attn.{name}_proj" for name in ("q", "k", "v", "out")], "self_norm": "self_attn_layer_norm",
                "cross": [f"encoder_attn.{name}_proj" for name in ("q", "k", "v", "out")],
                "cross_norm": "encoder_attn_layer_norm", "ffn": ["fc1", "fc2"], "ffn_norm": "final_layer_norm",
                "embeddings": "model.decoder.embed_tokens.weight", "encoder_positions": "model.encoder.embed_positions.weight",
                "decoder_positions": "model.decoder.embed_positions.weight", "encoder_norm": "model.encoder.layer_norm",
                "decoder_norm": "model.decoder.layer_norm"}


def save_torch(path, dims, tensors):
    """{"dims", "model_state_dict"} as torch.save writes it: a zip with a pickle of protocol 2 and a file for each storage."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    storage_type = type("HalfStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2, torch.HalfStorage, torch._utils = _rebuild_tensor_v2, storage_type, utils
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils

    class Storage:
        def __init__(self, key, array):
            self.key, self.array = key, array

    class Tensor:
        def __init__(self, key, array):
            self.storage, self.shape = Storage(str(key), array), array.shape

        def __reduce__(self):
            strides = [int(np.prod(self.shape[i + 1:])) for i in range(len(self.shape))]
            return _rebuild_tensor_v2, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return "storage", storage_type, value.key, "cpu", value.array.size
            return None

    state = collections.OrderedDict(
        (name, Tensor(i, array.astype(np.float16))) for i, (name, array) in enumerate(tensors.items()))
    data = io.BytesIO()
    Pickler(data, 2).dump({"dims": dims, "model_state_dict": state})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        add = lambda name, content: out.writestr(zipfile.ZipInfo("base/" + name, (1980, 1, 1, 0, 0, 0)), content)
        add("data.pkl", data.getvalue())
        add("byteorder", "little")
        for tensor in state.values():
            add(f"data/{tensor.storage.key}", tensor.storage.array.tobytes())
        add("version", "3\n")


def save_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        raw = to_bf16(array).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    out = parser.parse_args().out
    document, vocabulary = fixture.make_tokenizer()
    for form in ("ctranslate2", "openai", "huggingface"):
        shutil.rmtree(f"{out}/{form}", ignore_errors=True)
        os.makedirs(f"{out}/{form}")
    fixture.write_json(out + "/ctranslate2/tokenizer.json", document)
    preprocessor = {"chunk_length": fixture.WINDOW_SECONDS, "feature_size": fixture.MELS, "hop_length": 160, "n_fft": 400,
                    "sampling_rate": 16000}
    fixture.write_json(out + "/ctranslate2/preprocessor_config.json", preprocessor)
    config = fixture.make_config(tokenizers.Tokenizer.from_file(out + "/ctranslate2/tokenizer.json"))
    spec, weights = make_spec(vocabulary, config)
    spec.optimize("float16")
    spec.save(out + "/ctranslate2")

    sizes = {"n_mels": fixture.MELS, "n_vocab": len(vocabulary), "n_audio_ctx": fixture.ENCODER_POSITIONS, "n_audio_state": WIDTH,
             "n_audio_head": fixture.HEADS, "n_audio_layer": LAYERS, "n_text_ctx": fixture.DECODER_POSITIONS,
             "n_text_state": WIDTH, "n_text_head": fixture.HEADS, "n_text_layer": LAYERS}
    save_torch(out + "/openai/base.pt", sizes, split(weights, OPENAI))
    bytes_of = {letter: byte for byte, letter in fixture.byte_letters()[1].items()}
    words = vocabulary[:vocabulary.index("<|endoftext|>")]
    with open(out + "/openai/multilingual.tiktoken", "w") as file:
        for rank, word in enumerate(words):
            # OpenAI's file has the empty word as padding alone.
            file.write(f"{base64.b64encode(bytes(bytes_of[letter] for letter in word)).decode() or '='} {rank}\n")

    folder = out + "/huggingface"
    tensors = split(weights, HUGGING_FACE)
    parts = [{name: tensors[name] for name in tensors if part in name} for part in ("model.encoder", "model.decoder")]
    index = {"metadata": {"total_size": sum(2 * array.size for array in tensors.values())}, "weight_map": {}}
    for i, part in enumerate(parts):
        name = f"model-{i + 1:05}-of-{len(parts):05}.safetensors"
        save_safetensors(f"{folder}/{name}", part)
        index["weight_map"].update({tensor: name for tensor in part})
    assert sum(map(len, parts)) == len(tensors)
    fixture.write_json(folder + "/model.safetensors.index.json", index, indent=1)
    special = vocabulary.index("<|endoftext|>")
    fixture.write_json(folder + "/vocab.json", {word: i for i, word in enumerate(vocabulary[:special + 1])})
    fixture.write_json(folder + "/added_tokens.json", {
        token["content"]: token["id"] for token in document["added_tokens"][1:]})
    with open(folder + "/merges.txt", "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in ["#version: 0.2", *document["model"]["merges"]])
    fixture.write_json(folder + "/preprocessor_config.json", preprocessor)
    fixture.write_json(folder + "/config.json", {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "activation_function": "gelu",
        "scale_embedding": False, "d_model": WIDTH, "num_mel_bins": fixture.MELS, "vocab_size": len(vocabulary),
        "encoder_layers": LAYERS, "encoder_attention_heads": fixture.HEADS, "encoder_ffn_dim": fixture.FFN,
        "decoder_layers": LAYERS, "decoder_attention_heads": fixture.HEADS, "decoder_ffn_dim": fixture.FFN,
        "max_source_positions": fixture.ENCODER_POSITIONS, "max_target_positions": fixture.DECODER_POSITIONS,
        "torch_dtype": "bfloat16"}, indent=1)
    fixture.write_json(folder + "/generation_config.json", {
        "alignment_heads": config["alignment_heads"], "suppress_tokens": config["suppress_ids"],
        "begin_suppress_tokens": config["suppress_ids_begin"], "is_multilingual": True})


if __name__ == "__main__":
    main()

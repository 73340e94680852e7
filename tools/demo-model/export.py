"""Writes a FunASR model directory from what train.py made. See README.md.

usage: export.py WORK MODEL_DIR
"""
import json
import pathlib
import sys

import torch
import yaml

TRAINING_ONLY = ("decoder.embed.", "ctc.", "criterion_att.")


def cmvn_text(mean, deviation):
    """Kaldi's nnet1 form: y = (x - mean) / deviation for each of the seven stacked frames."""
    width = 7 * len(mean)
    shift, scale = (" ".join(f"{value:.6g}" for value in values * 7)
                    for values in ([-m for m in mean], [1 / d for d in deviation]))
    return (f"<Nnet>\n<Splice> {width} {width}\n[ 0 ]\n<AddShift> {width} {width}\n<LearnRateCoef> 0 [ {shift} ]\n"
            f"<Rescale> {width} {width}\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n")


def main():
    work, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    trained = torch.load(work / "trained.pt", map_location="cpu")
    target.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half() if value.is_floating_point() else value for name, value in trained["weights"].items()
               if not name.startswith(TRAINING_ONLY)}
    torch.save(weights, target / "model.pt")
    config = {
        "model": "Paraformer",
        "model_conf": {"ctc_weight": 0.0, "lsm_weight": 0.1, "length_normalized_loss": True, "predictor_weight": 1.0,
                       "predictor_bias": 1, "sampling_ratio": 0.5},
        **trained["sizes"],
        "frontend": "WavFrontend",
        "frontend_conf": {"fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7,
                          "lfr_n": 6, "dither": 0.0},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "normalize": None,
    }
    (target / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (target / "configuration.json").write_text(json.dumps({
        "framework": "pytorch", "model": {"type": "funasr"},
        "file_path_metas": {"init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": {"token_list": "tokens.json"},
                            "frontend_conf": {"cmvn_file": "am.mvn"}}}))
    (target / "tokens.json").write_text(json.dumps(trained["tokens"], ensure_ascii=False))
    (target / "am.mvn").write_text(cmvn_text(trained["mean"], trained["deviation"]))


if __name__ == "__main__":
    main()

"""One paraformer-large with seeded random weights, in each peer's format: made once, kept in a folder.

    FOLDER/funasr/              config.yaml, model.pt, tokens.json: read by FunASR and by tutti
    FOLDER/onnx/model.onnx      FunASR's own export, f32
    FOLDER/onnx/model_quant.onnx  the same as FunASR quantises it: dynamic, MatMul only, one scale a column
    FOLDER/onnx/tokens.txt      for sherpa-onnx, which also reads metadata from the ONNX files
    FOLDER/encoder/…            the encoder alone, likewise
"""
import functools
import pathlib
import subprocess
import sys

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "make_synthetic_model.py"
FEATURES = 560


def make(folder):
    folder = pathlib.Path(folder)
    done = folder / "done"
    if done.exists():
        return folder
    subprocess.run([sys.executable, TOOL, folder / "funasr"], check=True)
    export_model(folder / "funasr", folder / "onnx")
    export_encoder(folder / "funasr", folder / "encoder")
    done.touch()
    return folder


def load(directory):
    from funasr import AutoModel
    return AutoModel(model=str(directory), device="cpu", disable_update=True, disable_pbar=True)


def tracing_exporter():
    """FunASR 1.4 counts on the exporter that traces; newer torch has to be told."""
    import torch
    if not isinstance(torch.onnx.export, functools.partial):
        torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)


def export_model(source, out):
    import json
    import onnx
    tracing_exporter()
    load(source).export(type="onnx", quantize=True, output_dir=str(out))
    tokens = json.loads((source / "tokens.json").read_text(encoding="utf-8"))
    (out / "tokens.txt").write_text("".join(f"{t} {i}\n" for i, t in enumerate(tokens)), encoding="utf-8")
    metadata = {"model_type": "paraformer", "vocab_size": len(tokens), "lfr_window_size": 7, "lfr_window_shift": 6,
                "neg_mean": ",".join(["0"] * FEATURES), "inv_stddev": ",".join(["1"] * FEATURES)}
    for name in ("model.onnx", "model_quant.onnx"):
        model = onnx.load(str(out / name))
        for key, value in metadata.items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, str(value)
        onnx.save(model, str(out / name))


def export_encoder(source, out):
    import torch
    from funasr.register import tables
    from onnxruntime.quantization import QuantType, quantize_dynamic
    tracing_exporter()
    out.mkdir(parents=True, exist_ok=True)
    encoder = tables.encoder_classes.get("SANMEncoderExport")(load(source).model.encoder, onnx=True).eval()
    names = ["speech", "speech_lengths"]
    torch.onnx.export(encoder, (torch.randn(1, 166, FEATURES), torch.tensor([166], dtype=torch.int32)),
                      str(out / "encoder.onnx"), opset_version=14, input_names=names,
                      output_names=["encoded", "encoded_lengths"],
                      dynamic_axes={"speech": {0: "batch", 1: "rows"}, "speech_lengths": {0: "batch"},
                                    "encoded": {0: "batch", 1: "rows"}, "encoded_lengths": {0: "batch"}})
    quantize_dynamic(str(out / "encoder.onnx"), str(out / "encoder_quant.onnx"), op_types_to_quantize=["MatMul"],
                     per_channel=True, reduce_range=False, weight_type=QuantType.QUInt8)


if __name__ == "__main__":
    make(sys.argv[1])

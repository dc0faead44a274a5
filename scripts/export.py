"""Writes a model for other programs: a folder for the Hugging Face hub, or an ONNX file. Nothing is sent anywhere.

python -m scripts.export NAME --format hub|onnx --out FOLDER

onnx: measures the file against the model first, and prints the speed of both on one thread.
"""

import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # before torch: the exporter warns of what is measured below

import torch

from scripts.common.errors import explains
from scripts.common.flags import export_parser
from ser_core.evaluation import median_ms, single_torch_thread
from ser_core.models import (
    ONNX_FILE,
    ONNX_INPUTS,
    CheckpointError,
    ExportError,
    SERModel,
    export_hub,
    export_onnx,
    load_model,
    open_onnx,
    write_onnx_readme,
)


def write_onnx(name: str, folder: Path) -> None:
    model = load_model(name, "cpu")
    path = folder / ONNX_FILE
    difference = export_onnx(model, path)
    torch_ms, onnx_ms = latencies(model, path)
    measured = (
        f"Logits and embedding differ from PyTorch's in 32 bits by at most {difference:.1e}. One window of "
        f"{model.config.window_s:g} s takes PyTorch {torch_ms:.0f} ms and ONNX Runtime {onnx_ms:.0f} ms, each on one "
        f"thread of the machine that wrote the file: {torch_ms / onnx_ms:.2f} times as fast."
    )
    write_onnx_readme(model, folder, measured)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. {measured}")


@torch.inference_mode()
def latencies(model: SERModel, path: Path) -> tuple[float, float]:
    """Medians in ms of PyTorch and of ONNX Runtime, one after the other."""
    session = open_onnx(path)
    waveform = 0.1 * torch.randn(1, round(model.config.window_s * model.sample_rate))
    n_samples = torch.tensor([waveform.shape[1]])
    inputs = dict(zip(ONNX_INPUTS, (waveform.numpy(), n_samples.numpy()), strict=True))
    with single_torch_thread():
        return median_ms(lambda: model(waveform, n_samples)), median_ms(lambda: session.run(None, inputs))


@explains(CheckpointError, ExportError)
def main(arguments: list[str] | None = None) -> int:
    options = export_parser().parse_args(arguments)
    if options.out.is_dir() and any(options.out.iterdir()):
        print(f"{options.out} is not empty. Name a new folder.", file=sys.stderr)
        return 2
    if options.format == "hub":
        export_hub(options.name, options.out)
        print(f"{options.out}: {', '.join(sorted(path.name for path in options.out.iterdir()))}")
        print(f"To publish it: hf upload USER/NAME {shlex.quote(str(options.out))}")
    else:
        write_onnx(options.name, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

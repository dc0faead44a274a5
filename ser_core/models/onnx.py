"""Export of a network to one ONNX file: waveform in, logits and embedding out, features included.

By the tracing exporter of PyTorch, although it is deprecated: the newer one (dynamo=True, torch 2.13) fixes the number
of steps of a recurrent layer.
"""

import copy
import json
import math
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ser_core import paths
from ser_core.audio import WINDOW_OVERLAP, ConvolvedLogMel, pad_batch
from ser_core.models.base import SERModel
from ser_core.models.errors import first_line
from ser_core.models.zoo.reduced import use_float32

ONNX_OPSET = 17
MAX_ONNX_DIFFERENCE = 1e-4  # of logits and embedding
ONNX_FILE, ONNX_METADATA_KEY = "model.onnx", "speech-emotion"
ONNX_INSTALL_COMMAND = "pip install onnx==1.23.2 onnxruntime==1.32.0"
ONNX_INPUTS, ONNX_OUTPUTS = ("waveform", "n_samples"), ("logits", "embedding")
ONNX_DYNAMIC_AXES = {"waveform": {0: "batch", 1: "longest"}} | {
    name: {0: "batch"} for name in ("n_samples", *ONNX_OUTPUTS)
}


ONNX_README_TEMPLATE = """# {name} for ONNX Runtime

`model.onnx`: mono waveforms at {sample_rate} Hz in, logits and embedding out; the features are inside. Inputs:
`waveform`, float32, shape = (batch, longest), zero-padded, and `n_samples`, int64, the true
lengths, shape = (batch,). At least one clip of at least one sample: onnxruntime ends the process on a batch of none.
The metadata of the file hold the labels in order, temperature, window and hop in seconds.
Below a confidence of {min_confidence:g} the prediction is "not sure".

{measured}

    pip install onnxruntime soundfile

```python
{code}```

The program itself first removes the silence at both ends, and weights each window by its seconds of speech. The licence
is that of the checkpoint: its training recordings do not permit commercial use.
"""

ONNX_EXAMPLE_CODE = """\
import json
import numpy as np
import onnxruntime
import soundfile

session = onnxruntime.InferenceSession("model.onnx")
about = json.loads(session.get_modelmeta().custom_metadata_map["speech-emotion"])
waveform, rate = soundfile.read("speech.wav", dtype="float32")
assert waveform.ndim == 1 and rate == about["sample_rate"], "mono, at the model's rate"
window, hop = (round(about[name] * rate) for name in ("window_s", "hop_s"))
last = max(len(waveform) - window, 0)
windows = np.stack([waveform[start : start + window] for start in (*range(0, last, hop), last)])
lengths = np.full(len(windows), windows.shape[1])
logits, embedding = session.run(None, {"waveform": windows, "n_samples": lengths})
scores = np.exp((logits.mean(0) - logits.mean(0).max()) / about["temperature"])
print(json.dumps(dict(zip(about["labels"], (scores / scores.sum()).round(4).tolist()))))
"""
"""The example of the README; the tests run it unchanged."""


class ExportError(ValueError):
    """A model that cannot be exported, or missing packages; the message names the cause and the cure."""


class _OnnxModule(nn.Module):
    """(B, longest) and (B,) -> (B, n_classes) and (B, embedding_dim)."""

    def __init__(self, model: SERModel):
        super().__init__()
        self.model = copy.deepcopy(model)
        self.model.logmel = ConvolvedLogMel(model.config.frontend)
        for parent in [*self.model.modules()]:
            for name, layer in [*parent.named_children()]:
                if isinstance(layer, nn.MultiheadAttention):
                    setattr(parent, name, _ExplicitAttention(layer))

    def forward(self, waveform: Tensor, n_samples: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.model.embed(waveform, n_samples)
        return self.model.classify(embedding), embedding


class _ExplicitAttention(nn.Module):
    """Attention in elementary operators: an export of PyTorch's own layer would fix the number of steps."""

    def __init__(self, layer: nn.MultiheadAttention):
        super().__init__()
        self.layer = layer

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor, need_weights: bool
    ) -> tuple[Tensor, None]:
        """Of a sequence to itself: shape = (B, n_steps, width); key and value are the query."""
        layer = self.layer
        projected = nn.functional.linear(query, layer.in_proj_weight, layer.in_proj_bias)
        q, k, v = projected.unflatten(-1, (3, layer.num_heads, layer.head_dim)).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(layer.head_dim)  # (B, n_heads, n_steps, n_steps)
        weights = scores.masked_fill(key_padding_mask[:, None, None], -torch.inf).softmax(-1)
        return layer.out_proj((weights @ v).transpose(1, 2).flatten(2)), None


def onnx_metadata(model: SERModel) -> dict:
    """The metadata with which another program makes the same predictions; JSON-serialisable."""
    return {
        "name": model.name,
        "version": model.version,
        "labels": list(model.config.labels),  # in the order of the logits
        "sample_rate": model.sample_rate,  # in Hz
        "window_s": model.config.window_s,
        "hop_s": model.config.window_s * (1 - WINDOW_OVERLAP),
        **asdict(model.calibration),  # logits / temperature -> softmax; below min_confidence: not sure
    }


def export_onnx(model: SERModel, path: Path) -> float:
    """Writes the file, in a folder that is made if missing, and compares it with the model.

    Inputs: waveform, float32, shape = (B, longest), and n_samples, int64, the true lengths, shape = (B,).

    Args:
        model: from load_model, on the CPU.

    Returns:
        the largest difference of a logit or a value of the embedding from the model in 32 bits.

    Raises:
        ExportError: a model that is not exportable, missing packages, or an export with other outputs, which is not
            kept.
        OSError: the file cannot be written.
    """
    check_onnx_exportable(model)
    onnx, _ = import_onnx_packages()
    path.parent.mkdir(parents=True, exist_ok=True)
    with paths.atomic_path(path) as temporary:
        try:
            _write_onnx(model, temporary)
            difference = max_onnx_difference(model, open_onnx(temporary))
        except OSError:
            raise
        except Exception as error:  # those of the exporter and of onnxruntime have no common base
            raise ExportError(
                f"{model.name} has a layer that this exporter cannot write ({first_line(error)}). "
                "--format hub takes it to other programs in PyTorch."
            ) from None
        if not difference < MAX_ONNX_DIFFERENCE:
            raise ExportError(
                f"The export of {model.name} differs by {difference:.2g}, more than {MAX_ONNX_DIFFERENCE:g}: not kept."
            )
        described = onnx.load(temporary)
        onnx.helper.set_model_props(described, {ONNX_METADATA_KEY: json.dumps(onnx_metadata(model))})
        onnx.save(described, temporary)
    return difference


def _write_onnx(model: SERModel, path: Path) -> None:
    waveform, n_samples = pad_batch([_test_signal(n) for n in (40_000, 30_001)])
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        torch.onnx.export(
            _OnnxModule(model).eval(),
            (waveform, n_samples),
            path,
            input_names=ONNX_INPUTS,
            output_names=ONNX_OUTPUTS,
            dynamic_axes=ONNX_DYNAMIC_AXES,
            opset_version=ONNX_OPSET,
            dynamo=False,
        )


def write_onnx_readme(model: SERModel, folder: Path, measured: str) -> None:
    """Writes README.md: inputs, outputs, an example, and the measured difference as `measured` puts it."""
    text = ONNX_README_TEMPLATE.format(code=ONNX_EXAMPLE_CODE, measured=measured, **onnx_metadata(model))
    paths.write_text(folder / "README.md", text)


def check_onnx_exportable(model: SERModel) -> None:
    """Raises ExportError for a model that cannot become an ONNX file."""
    if not model.is_neural:
        raise ExportError(f"{model.name} is a model of scikit-learn on openSMILE's features: no network to export.")
    if model.transformers_files():
        raise ExportError(
            f"{model.name} is a network of transformers, whose own exporter knows it best. Export it with --format "
            "hub, then: optimum-cli export onnx --model FOLDER --task audio-classification OUT"
        )
    if not model.exportable:
        raise ExportError(
            f"{model.name} is no network over spectrograms: only these become ONNX files. Name one, such as prosonet."
        )


def import_onnx_packages() -> tuple:
    """Imports onnx and onnxruntime, optional packages of the export.

    Raises:
        ExportError: one of them is missing.
    """
    try:
        import onnx
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ExportError(f"An ONNX export needs {error.name}: {ONNX_INSTALL_COMMAND}") from None
    return onnx, onnxruntime


def open_onnx(path: Path):
    """An onnxruntime session on one thread."""
    _, onnxruntime = import_onnx_packages()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@torch.inference_mode()
def max_onnx_difference(model: SERModel, session) -> float:
    """Largest difference between the outputs of model (in 32 bits) and session, for clips and a padded batch."""
    model, differences = copy.deepcopy(model), []
    use_float32(model)
    for lengths in ((4_800,), (16_000,), (40_000,), (160_000,), (1,), (40_000, 4_801, 16_000)):
        waveform, n_samples = pad_batch([_test_signal(n) for n in lengths])
        embedding = model.embed(waveform, n_samples)
        expected = (model.classify(embedding).numpy(), embedding.numpy())
        found = session.run(ONNX_OUTPUTS, dict(zip(ONNX_INPUTS, (waveform.numpy(), n_samples.numpy()), strict=True)))
        differences += [np.abs(a - b).max() for a, b in zip(expected, found, strict=True)]
    return float(np.max(differences))


def _test_signal(n_samples: int) -> np.ndarray:
    """Noise of decreasing level, shape = (n_samples,)."""
    level = np.geomspace(0.3, 1e-4, n_samples)
    return (level * np.random.default_rng(n_samples).standard_normal(n_samples)).clip(-1, 1).astype(np.float32)

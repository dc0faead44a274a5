"""The encoder of Whisper: its published weights, and the copy that checkpoints share."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from ser_core import paths
from ser_core.models.errors import MissingEncoder, first_line
from ser_core.models.zoo.whisper.layers import WhisperEncoder

WHISPER_WEIGHTS_HINT = (
    "The encoder of Whisper comes from published weights (MIT licence). With internet access:\n"
    "  python -m scripts.prepare_encoder openai/whisper-base\n"
    "Without: download them elsewhere, and give the folder (config.json, model.safetensors):\n"
    "  hf download openai/whisper-base --local-dir whisper-base\n"
    "  python -m scripts.prepare_encoder whisper-base"
)
"""The cure for a missing encoder."""

WHISPER_BASE = {
    "num_mel_bins": 80,
    "d_model": 512,
    "encoder_layers": 6,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "max_source_positions": 1500,
}
"""Sizes of the encoder of openai/whisper-base, as transformers names them."""


def read_whisper_encoder(start: str, n_layers: int) -> tuple[dict, dict[str, Tensor]]:
    """Sizes and weights of the first layers of a published encoder.

    Args:
        start: a local folder (of the complete model, or of the encoder alone) or a name on the Hugging Face hub.

    Raises:
        ValueError: no such folder or name, another kind of model, too few layers, or missing weights; the message
            names the cure.
    """
    folder = Path(start) if Path(start).is_dir() else _download(start)
    try:
        values = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
    except Exception as error:  # its type depends on the folder
        raise ValueError(f"{start} cannot be loaded: {first_line(error)}\n{WHISPER_WEIGHTS_HINT}") from None
    if values.get("model_type") != "whisper":
        raise ValueError(f"{start} is not a Whisper model (model_type in config.json: {values.get('model_type')}).")
    sizes = {name: values.get(name, WHISPER_BASE[name]) for name in WHISPER_BASE}
    if sizes["encoder_layers"] < n_layers:
        raise ValueError(f"{start} has {sizes['encoder_layers']} layers; this model pools the {n_layers}th.")
    sizes["encoder_layers"] = n_layers
    return sizes, _encoder_weights(start, sizes, weights)


def _encoder_weights(start: str, sizes: dict, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights among those of a complete model."""
    found = {name.removeprefix("model.").removeprefix("encoder."): value.float() for name, value in weights.items()}
    wanted = WhisperEncoder(sizes).state_dict()
    if missing := [name for name in wanted if name not in found]:
        raise ValueError(f"{start} has no encoder of Whisper: {len(missing)} weights are missing, as {missing[0]}.")
    if other := [name for name, value in wanted.items() if found[name].shape != value.shape]:
        raise ValueError(f"{start} is of another size than its config.json: {other[0]} does not fit.")
    return {name: found[name] for name in wanted}


def save_whisper_encoder(start: str, n_layers: int, folder: Path) -> None:
    """Writes the first layers of a published encoder in half precision, as the shared encoder of checkpoints.

    Raises:
        ValueError: see read_whisper_encoder.
        OSError: the folder cannot be written.
    """
    sizes, weights = read_whisper_encoder(start, n_layers)
    folder.mkdir(parents=True, exist_ok=True)
    with paths.atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: value.half().contiguous() for name, value in weights.items()}, temporary, {"format": "pt"})
    paths.write_json(folder / "config.json", {"model_type": "whisper"} | sizes)


def shared_weights(encoder: str, n_layers: int) -> dict[str, Tensor]:
    """Weights of the first layers of a shared encoder, by the name of its folder.

    Raises:
        MissingEncoder: no such folder; the message names the source.
        ValueError: see read_whisper_encoder.
    """
    folder = paths.ENCODERS / encoder
    if not folder.is_dir():
        raise MissingEncoder(f"The encoder {encoder} is missing.\n{WHISPER_WEIGHTS_HINT}")
    return read_whisper_encoder(str(folder), n_layers)[1]


def shared_layers(encoder: str) -> int:
    """Number of layers of a shared encoder, by the name of its folder."""
    return json.loads((paths.ENCODERS / encoder / "config.json").read_text())["encoder_layers"]


def _download(name: str) -> Path:
    """Folder of a model of the Hugging Face hub."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["config.json", "model.safetensors"]))
    except Exception as error:  # its type depends on the cause
        raise ValueError(
            f"{name!r} is not a local folder, and cannot be downloaded: {first_line(error)}\n{WHISPER_WEIGHTS_HINT}"
        ) from None

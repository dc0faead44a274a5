"""Whisper (Radford et al. 2022): the encoder of a speech recogniser, with a linear head over pooled layers.

A clip is encoded at its own length, not padded to 30 seconds: the positions are cut to the clip, and padded frames are
masked. The mean and the standard deviation over time of each chosen layer are projected to the embedding: middle layers
of a frozen encoder hold the emotion (EmoBox, Ma et al. 2024). One head serves clips alone and clips of an enrolled
speaker, whose mean embedding is subtracted; in training the reference is dropped at random.
"""

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core import paths
from ser_core.audio import frame_mask, mel_filters
from ser_core.models.base import ModelConfig, SERModel, Weight, unpadded_lengths
from ser_core.models.errors import MissingEncoder, first_line
from ser_core.models.zoo.int8 import use_int8
from ser_core.models.zoo.wav2vec2 import transformers_package

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

WHISPER_WEIGHTS_HINT = (
    "The encoder of Whisper comes from published weights (MIT licence). With internet access:\n"
    "  python -m scripts.prepare_encoder openai/whisper-base\n"
    "Without: download them elsewhere, and give the folder (config.json, model.safetensors):\n"
    "  hf download openai/whisper-base --local-dir whisper-base\n"
    "  python -m scripts.prepare_encoder whisper-base"
)
"""The cure for a missing encoder."""

N_FFT, HOP, MIN_SAMPLES = 400, 160, 800  # of Whisper's front end; shorter clips are padded with silence
DYNAMIC_RANGE = 8.0  # in log10 units of power, below the loudest bin of a clip
N_PADDING_FRAMES = 2  # of silence behind a clip: as far as the two convolutions reach
MIN_VARIANCE = 1e-10  # of a clip of one frame, whose deviation would have no gradient
INT8_LAYERS = ("q_proj", "k_proj", "fc1", "fc2")  # the rounding of values and their projection moves the statistics
MASKED = -1e9  # attention score of a padded frame

WHISPER_BASE = {
    "num_mel_bins": 80,
    "d_model": 512,
    "encoder_layers": 6,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "max_source_positions": 1500,
}
"""Sizes of the encoder of openai/whisper-base, as transformers names them."""


@dataclass(frozen=True)
class WhisperConfig(ModelConfig):
    """The encoder and the pooled layers."""

    window_s: float = 4.0
    encoder: str = "whisper-base"  # frozen weights below checkpoints/encoders; "": in the checkpoint itself
    backbone: dict = field(default_factory=lambda: dict(WHISPER_BASE), hash=False)
    layers: tuple[int, ...] = (2, 3, 4, 5)  # pooled layers: outputs of the n-th layer, counted from 1
    embedding_dim: int = 256  # more directions serve known corpora only, see docs/training.md

    @property
    def n_statistics(self) -> int:
        """Width of the pooled statistics of a clip: mean and standard deviation of each layer."""
        return 2 * len(self.layers) * self.backbone["d_model"]


class Whisper(SERModel):
    """See the module's docstring."""

    takes_reference = True
    config: WhisperConfig
    mel_filters: Tensor

    def __init__(self, config: WhisperConfig):
        """Random weights; those of a shared encoder are loaded.

        Raises:
            MissingEncoder: no such shared encoder; the message names the source.
            ValueError: a shared encoder that does not fit, a window that is longer than the encoder's positions, or
                layers that it does not have.
        """
        super().__init__(config)
        _check_sizes(config)
        sizes = config.backbone | {"encoder_layers": max(config.layers)}
        self.encoder = whisper_encoder(sizes)
        self.projection = nn.Linear(config.n_statistics, config.embedding_dim)
        self.classifier = nn.Linear(2 * config.embedding_dim + 1, len(config.labels))
        self.register_buffer("mel_filters", _mel_filters(sizes["num_mel_bins"]), persistent=False)
        if config.encoder:
            self.encoder.load_state_dict(_shared_weights(config))
            self.encoder.requires_grad_(False)

    @classmethod
    def from_pretrained_weights(cls, config: WhisperConfig, start: str) -> "Whisper":  # type: ignore[override]  # own config
        """A model with the encoder of a published checkpoint, kept in the model itself, and a random head.

        Args:
            start: a local folder with config.json and model.safetensors, or a name on the Hugging Face hub.

        Raises:
            ValueError: no such folder or name, another kind of model, or missing weights; the message names the cure.
        """
        backbone, weights = read_whisper_encoder(start, max(config.layers))
        model = cls(replace(config, encoder="", backbone=backbone))
        model.encoder.load_state_dict(weights)
        return model

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> log-mel features as in Whisper, shape = (B, n_mels, n_frames); each clip by itself."""
        lengths = [waveform.shape[1]] * len(waveform) if n_samples is None else n_samples.tolist()
        clips = [self._log_mel(clip[:n]) for clip, n in zip(waveform, lengths, strict=True)]
        width = max(clip.shape[1] for clip in clips)
        return torch.stack([F.pad(clip, (0, width - clip.shape[1])) for clip in clips])

    def _log_mel(self, clip: Tensor) -> Tensor:
        """(n_samples,) -> log10 power in [-1, 1] around the loudest bin, shape = (n_mels, n_frames)."""
        clip = F.pad(clip.float(), (0, max(0, MIN_SAMPLES - len(clip))))
        spectrum = torch.stft(clip, N_FFT, HOP, window=self._stft_window, return_complex=True)[:, :-1]
        log_power = (self.mel_filters @ spectrum.abs().square()).clamp_min(1e-10).log10()
        return (torch.maximum(log_power, log_power.max() - DYNAMIC_RANGE) + 4) / 4

    @cached_property
    def _stft_window(self) -> Tensor:
        with torch.inference_mode(False):  # else no gradient could pass later
            return torch.hann_window(N_FFT, device=self.device)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """See SERModel."""
        return n_samples.clamp_min(MIN_SAMPLES) // HOP

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, n_mels, n_frames) -> embedding, shape = (B, embedding_dim)."""
        return self.projection(self.statistics(features, n_frames).flatten(1))

    def statistics(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Mean and standard deviation over time of each pooled layer.

        Returns:
            shape = (B, n_layers, 2, d_model).
        """
        n_frames = unpadded_lengths(features) if n_frames is None else n_frames
        n_steps = (n_frames + 1) // 2
        hidden, pooled = self._convolve(features, n_frames), []
        inside = frame_mask(n_steps, hidden.shape[1])
        mask = None if inside.all() else torch.where(inside, 0.0, MASKED).to(hidden)[:, None, None]
        for number, layer in enumerate(self.encoder.layers, 1):
            hidden = layer(hidden, attention_mask=mask)
            if number in self.config.layers:
                pooled.append(mean_and_deviation(hidden.float(), inside))
        return torch.stack(pooled, 1)

    def _convolve(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Frames of 20 ms with their positions, shape = (B, n_steps, d_model); silence follows each clip."""
        inside = frame_mask(n_frames, features.shape[2])[:, None]
        floor = features.masked_fill(~inside, torch.inf).amin((1, 2), keepdim=True)
        padding = N_PADDING_FRAMES + features.shape[2] % 2
        features = torch.cat([torch.where(inside, features, floor), floor.expand(-1, features.shape[1], padding)], 2)
        hidden = F.gelu(self.encoder.conv2(F.gelu(self.encoder.conv1(features)))).transpose(1, 2)
        n_steps = -(-int(n_frames.max()) // 2)
        return hidden[:, :n_steps] + self.encoder.embed_positions.weight[:n_steps]

    def head(self, embedding: Tensor) -> Tensor:  # one head for clips with and without reference
        """(B, embedding_dim) -> logits, shape = (B, n_classes)."""
        return self.classify(embedding)

    def classify(self, embedding: Tensor, reference: Tensor | None = None, weight: Weight = 1.0) -> Tensor:
        """Logits of clips, alone or relative to the mean embedding of their speaker; in between by the weight.

        Args:
            embedding: shape = (B, embedding_dim).
            reference: shape = (embedding_dim,) or (B, embedding_dim).
            weight: of the reference, a number or shape = (B, 1).

        Returns:
            shape = (B, n_classes).
        """
        return self.classifier(head_input(embedding, reference, weight))

    def standalone(self) -> "Whisper":
        """A copy whose checkpoint holds the encoder too, for use without this program's folder of encoders."""
        backbone = self.config.backbone | {"encoder_layers": max(self.config.layers)}
        copy = Whisper(replace(self.config, encoder="", backbone=backbone))
        copy.load_state_dict(self.state_dict())
        return copy.eval()

    def save_weights(self, path: Path) -> None:
        """See SERModel; the weights of a shared encoder are left out.

        Raises:
            ValueError: a weight that is not a number, or too large for half precision.
        """
        own = {name: value.half().cpu().contiguous() for name, value in self._own_weights().items()}
        if broken := [name for name, value in own.items() if not value.isfinite().all()]:
            raise ValueError(f"{broken[0]} is not finite in half precision")
        save_file(own, path, {"format": "pt"})

    def load_weights(self, path: Path) -> None:
        """See SERModel."""
        shared = {name: value for name, value in self.state_dict().items() if name not in self._own_weights()}
        self.load_state_dict(shared | load_file(path), strict=True)

    def _own_weights(self) -> dict[str, Tensor]:
        """The weights of the checkpoint."""
        own = self.state_dict()
        return {k: v for k, v in own.items() if not (self.config.encoder and k.startswith("encoder."))}


def head_input(embedding: Tensor, reference: Tensor | None, used: Weight = 1.0) -> Tensor:
    """[embedding, 0, 0] alone, [0, embedding - reference, 1] with a reference, shape = (B, 2 * embedding_dim + 1).

    Args:
        used: 1 for clips whose reference is used, 0 for the others, or a weight between; a number, or shape = (B, 1).
    """
    if reference is None:
        return F.pad(embedding, (0, embedding.shape[1] + 1))
    used = embedding.new_ones(len(embedding), 1) * used
    return torch.cat([embedding * (1 - used), (embedding - reference) * used, used], 1)


def mean_and_deviation(frames: Tensor, inside: Tensor) -> Tensor:
    """Mean and standard deviation over the frames of each clip.

    Args:
        frames: shape = (B, n_frames, width).
        inside: True in each clip, shape = (B, n_frames).

    Returns:
        shape = (B, 2, width).
    """
    share = (inside / inside.sum(1, keepdim=True))[..., None]
    mean = (frames * share).sum(1)
    variance = ((frames - mean[:, None]).square() * share).sum(1)
    return torch.stack([mean, variance.clamp_min(MIN_VARIANCE).sqrt()], 1)


def whisper_encoder(sizes: dict) -> "WhisperEncoder":
    """The encoder of transformers with random weights.

    Args:
        sizes: with the keys of WHISPER_BASE.
    """
    transformers_package()
    from transformers import WhisperConfig as Sizes
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = Sizes(**sizes)
    config._attn_implementation = "sdpa"
    encoder = WhisperEncoder(config)
    # The norm follows the last layer of the published encoder, which is not pooled.
    encoder.layer_norm = nn.Identity()  # type: ignore[assignment]
    use_int8(encoder.layers, INT8_LAYERS)
    return encoder


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
    wanted = whisper_encoder(sizes).state_dict()
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
    with paths.atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps({"model_type": "whisper"} | sizes, indent=1) + "\n")


def _shared_weights(config: WhisperConfig) -> dict[str, Tensor]:
    """Weights of the shared encoder of a config."""
    folder = paths.ENCODERS / config.encoder
    if not folder.is_dir():
        raise MissingEncoder(f"The encoder {config.encoder} is missing.\n{WHISPER_WEIGHTS_HINT}")
    return read_whisper_encoder(str(folder), max(config.layers))[1]


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


def _mel_filters(n_mels: int) -> Tensor:
    return torch.from_numpy(mel_filters(16_000, N_FFT, n_mels))


def _check_sizes(config: WhisperConfig) -> None:
    longest_s = config.backbone["max_source_positions"] * 2 * HOP / config.frontend.sample_rate
    if config.window_s > longest_s:
        raise ValueError(f"The encoder takes {longest_s:g} s at most: a window of {config.window_s:g} s is too long.")
    if not config.layers or not 1 <= min(config.layers) <= max(config.layers) <= config.backbone["encoder_layers"]:
        raise ValueError(
            f"layers = {config.layers} must lie in 1..{config.backbone['encoder_layers']}, the encoder's layers."
        )
    if len(set(config.layers)) < len(config.layers):
        raise ValueError(f"layers = {config.layers} names a layer twice.")

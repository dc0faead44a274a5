"""The settings of a Whisper model, and what they must fulfil."""

from dataclasses import dataclass, field

from ser_core.models.base import ModelConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE

HOP = 160  # samples of Whisper's front end, from one frame to the next


@dataclass(frozen=True)
class WhisperConfig(ModelConfig):
    """The encoder and the pooled layers."""

    window_s: float = 4.0
    encoder: str = "whisper-base"  # frozen weights below checkpoints/encoders; "": in the checkpoint itself
    backbone: dict = field(default_factory=lambda: dict(WHISPER_BASE), hash=False)
    layers: tuple[int, ...] = (2, 3, 4, 5)  # pooled layers: outputs of the n-th layer, counted from 1
    embedding_dim: int = 256  # more directions serve known corpora only, see docs/trials.md
    tuned_layers: tuple[int, ...] = ()  # whose weights are the checkpoint's own, not those of the shared encoder
    lora_rank: int = 0  # of the updates of the tuned layers; 0: they are tuned and stored as they are

    @property
    def n_statistics(self) -> int:
        """Width of the pooled statistics of a clip: mean and standard deviation of each layer."""
        return 2 * len(self.layers) * self.backbone["d_model"]


def check_sizes(config: WhisperConfig) -> None:
    longest_s = config.backbone["max_source_positions"] * 2 * HOP / config.frontend.sample_rate
    if config.window_s > longest_s:
        raise ValueError(f"The encoder takes {longest_s:g} s at most: a window of {config.window_s:g} s is too long.")
    if not config.layers or not 1 <= min(config.layers) <= max(config.layers) <= config.backbone["encoder_layers"]:
        raise ValueError(
            f"layers = {config.layers} must lie in 1..{config.backbone['encoder_layers']}, the encoder's layers."
        )
    if len(set(config.layers)) < len(config.layers):
        raise ValueError(f"layers = {config.layers} names a layer twice.")
    _check_tuning(config)


def _check_tuning(config: WhisperConfig) -> None:
    tuned, last = config.tuned_layers, max(config.layers)
    if not {*tuned} <= {*range(1, last + 1)} or len({*tuned}) < len(tuned):
        raise ValueError(f"tuned_layers = {tuned} must be different layers in 1..{last}, where {last} is pooled.")
    if not 0 <= config.lora_rank <= config.backbone["d_model"]:
        raise ValueError(f"lora_rank = {config.lora_rank} must lie in 0..{config.backbone['d_model']}.")
    if config.lora_rank and not tuned:
        raise ValueError(f"lora_rank = {config.lora_rank} needs layers to tune, for example tuned_layers = [3, 4, 5].")
    if tuned and not config.encoder:
        raise ValueError("tuned_layers are those of a shared encoder: python -m scripts.prepare_encoder makes one.")

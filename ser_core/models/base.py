"""The contract every model keeps: waveform in, logits out, the embedding between them."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ser_core.audio import FrontendConfig, LogMel
from ser_core.labels import EMOTIONS


@dataclass(frozen=True)
class ModelConfig:
    """What every model's config holds; families add their layer sizes. JSON-serialisable."""

    labels: tuple[str, ...] = EMOTIONS
    window_s: float = 2.5  # longest stretch the model hears at once
    frontend: FrontendConfig = field(default_factory=FrontendConfig)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """Inverse of to_dict.

        Raises:
            TypeError: a name that this family does not know.
        """
        return cls(**_lists_to_tuples(values) | {"frontend": FrontendConfig(**_lists_to_tuples(values["frontend"]))})


def _lists_to_tuples(values: dict) -> dict:
    """Lists, as JSON gives them back, are tuples in a config."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


class SERModel(nn.Module):
    """A network over log-mel features. Subclasses build every layer in `__init__` and write `encode`.

    Padded batches carry their true lengths: padding, batch size and batch order change no answer.
    """

    weights_file = "model.safetensors"
    note = ""  # what people must know of it before they rely on its answers
    name = ""  # these five are set by load_model
    version = ""
    calibration = None
    novelty = None
    metrics: dict = {}  # noqa: RUF012 - replaced, never changed

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.logmel = LogMel(config.frontend)

    @classmethod
    def from_pretrained_weights(cls, config: ModelConfig, start: str) -> "SERModel":
        """A model whose weights come from elsewhere, where the family has that; its head is random.

        Args:
            start: a file or folder, or a name on a hub, as the family says.

        Raises:
            ValueError: this family is trained from scratch, or `start` does not fit.
        """
        raise ValueError(f"{cls.__name__} is trained from scratch: it takes no start weights.")

    @property
    def device(self) -> torch.device:
        return self.logmel.window.device

    @property
    def sample_rate(self) -> int:
        """Of the waveform that goes in, in Hz."""
        return self.config.frontend.sample_rate

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> features, shape = (B, C, n_mels, n_frames)."""
        return self.logmel(waveform, n_samples)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """Length of the features of clips with these many samples, shape = (B,)."""
        return self.logmel.n_frames(n_samples)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, C, n_mels, n_frames) -> embedding, shape = (B, embedding_dim)."""
        raise NotImplementedError

    def embed(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> embedding, shape = (B, embedding_dim): the very space the classifier uses."""
        n_frames = None if n_samples is None else self.n_frames(n_samples)
        return self.encode(self.frontend(waveform, n_samples), n_frames)

    def forward(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> logits, shape = (B, n_classes). n_samples: true lengths, shape = (B,)."""
        return self.head(self.embed(waveform, n_samples))

    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def save_weights(self, path: Path) -> None:
        """Writes them in half precision.

        Raises:
            ValueError: a weight that is not a number, or too large for half precision.
        """
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.state_dict().items()}
        if broken := [name for name, value in half.items() if not value.isfinite().all()]:
            raise ValueError(f"{broken[0]} is not finite in half precision")
        save_file({k: v.cpu().contiguous() for k, v in half.items()}, path, {"format": "pt"})

    def load_weights(self, path: Path) -> None:
        """Reads what save_weights wrote, every weight in its place.

        Raises:
            SafetensorError: the file is damaged.
            RuntimeError: weights that are missing, too many or of another shape.
        """
        self.load_state_dict(load_file(path), strict=True)

    def transformers_files(self) -> dict[str, dict]:
        """JSON files that other programs want beside the weights: name -> content. Ours go into config.json too."""
        return {}


def unpadded_lengths(features: Tensor) -> Tensor:
    """Lengths of a batch without padding, shape = (B,), in frames."""
    return torch.full((len(features),), features.shape[-1], dtype=torch.long, device=features.device)

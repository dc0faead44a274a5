"""The contract every model keeps: waveform in, logits out, the embedding between them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar, get_origin, get_type_hints

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ser_core.audio import FrontendConfig, LogMel
from ser_core.labels import EMOTIONS
from ser_core.models.calibration import Calibration
from ser_core.models.ood import NoveltyDetector

Config = TypeVar("Config", bound="FrontendConfig | ModelConfig")
Weight = float | Tensor
LARGEST_SIZE = 100_000  # of any number in a config: layers, samples, Hz
TRAJECTORY_WINDOW_S = 2.0  # at most: emotions change within longer windows; chosen by scripts.changing_emotions
PRIOR_CLIPS = 2.0  # as many clips of the average speaker stand beside the reference clips; chosen on left-out corpora
NEVER_ZERO = ("window_s", "sample_rate", "n_fft", "win_length", "hop_length", "n_mels")


@dataclass(frozen=True)
class ModelConfig:
    """The fields of every model's config; families add their layer sizes. JSON-serialisable."""

    labels: tuple[str, ...] = EMOTIONS
    window_s: float = 2.5  # longest input of one forward pass
    frontend: FrontendConfig = field(default_factory=FrontendConfig)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """Inverse of to_dict.

        Raises:
            TypeError: a field that this family does not have, or a value of another type.
            ValueError: a number out of range.
        """
        frontend = _checked(FrontendConfig(**_lists_to_tuples(values["frontend"])))
        return _checked(cls(**_lists_to_tuples(values) | {"frontend": frontend}))


def _checked(config: Config) -> Config:
    """The config, if every value is of its field's type and every number is one that a layer can have."""
    for name, hint in get_type_hints(type(config)).items():
        value, kind = getattr(config, name), get_origin(hint) or hint
        parts = value if isinstance(value, tuple) else (value,)
        if not isinstance(value, (int, float) if kind is float else kind) or isinstance(value, bool) != (kind is bool):
            raise TypeError(f"{name} = {value!r:.40} is not of type {kind.__name__}")
        numbers = [part for part in parts if isinstance(part, int | float)]
        if not all(0 <= number <= LARGEST_SIZE for number in numbers) or (name in NEVER_ZERO and not value):
            raise ValueError(f"{name} = {value!r:.40} is out of range")
        if isinstance(value, tuple) and not all(isinstance(part, str | int | float) for part in value):
            raise TypeError(f"{name} = {value!r:.40} does not hold names or numbers")
    return config


def _lists_to_tuples(values: dict) -> dict:
    """A config holds tuples where JSON has lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def check_default_dtype() -> None:
    """Checks that new tensors have the type that models are made of.

    Raises:
        ValueError: the caller has changed the default of torch.
    """
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise ValueError(
            f"torch makes tensors of type {dtype}, models need 32 bits: call torch.set_default_dtype(torch.float32)."
        )


def check_model(model: object) -> None:
    """Checks what a caller gives as a model.

    Raises:
        TypeError: it is none, such as its name.
        ValueError: as check_default_dtype.
    """
    check_default_dtype()
    if not isinstance(model, SERModel):
        raise TypeError(f"The model comes first, from load_model(name), not an object of type {type(model).__name__}.")


def reference_weight(n_clips: float) -> float:
    """How far a prediction relies on reference clips, in [0, 1): a third for one clip, 0.83 for ten.

    The mean of few clips says more about their emotions than about the voice.
    """
    return n_clips / (n_clips + PRIOR_CLIPS)


class SERModel(nn.Module, ABC):
    """The contract of every model: an embedding of the waveform, and a head that turns it into logits.

    `classify` is the way from embedding to logits for everybody: it is the head, and the reference where there is one.

    Subclasses build every layer in `__init__` and call that of this class. Padded batches carry their true lengths:
    padding, batch size and batch order change no logits.
    """

    weights_file = "model.safetensors"
    is_neural = True  # a network with trainable weights
    exportable = False  # to ONNX: a network whose features are computed here
    takes_reference = False  # `classify` uses reference clips of the speaker, if there are any
    name = ""  # these six are set by load_model
    version = ""
    calibration = Calibration()
    novelty: NoveltyDetector | None = None
    emotion_offsets: np.ndarray | None = None  # (n_classes, embedding_dim), see mean_offset
    metrics: dict = {}  # noqa: RUF012 - replaced, never changed
    possible_emotions: tuple[str, ...] = EMOTIONS  # fewer: see limit_emotions
    head: Callable[[Tensor], Tensor]  # embedding (B, embedding_dim) -> logits (B, n_classes)

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config

    @classmethod
    def from_pretrained_weights(cls, config: ModelConfig, start: str) -> "SERModel":
        """A model with published weights, if the family has any; its head is random.

        Args:
            start: a file, a folder or a name on the Hugging Face hub; see the family.

        Raises:
            ValueError: this family is trained from scratch, or `start` does not fit.
        """
        raise ValueError(f"{cls.__name__} is trained from scratch: it takes no start weights.")

    @property
    def note(self) -> str:
        """What users must know before they rely on its predictions, or ""."""
        return ""

    @property
    def device(self) -> torch.device:
        """Of the weights; the CPU for a model without any."""
        return next((weight.device for weight in self.parameters()), torch.device("cpu"))

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self.config.embedding_dim  # type: ignore[attr-defined]  # of every family

    @property
    def sample_rate(self) -> int:
        """Of the waveform that goes in, in Hz."""
        return self.config.frontend.sample_rate

    @abstractmethod
    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> features, shape = (B, ...)."""

    @abstractmethod
    def n_frames(self, n_samples: Tensor) -> Tensor:
        """Length of the features of clips with these many samples, shape = (B,)."""

    @abstractmethod
    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Features -> embedding, shape = (B, embedding_dim). n_frames: true lengths, shape = (B,)."""

    def embed(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> embedding, shape = (B, embedding_dim): the input of the head."""
        n_frames = None if n_samples is None else self.n_frames(n_samples)
        return self.encode(self.frontend(waveform, n_samples), n_frames)

    def forward(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> logits, shape = (B, n_classes). n_samples: true lengths, shape = (B,)."""
        return self.classify(self.embed(waveform, n_samples))

    @property
    def trajectory_window_s(self) -> float:
        """Length of the windows in which it predicts over time, in seconds: at most those of a whole recording."""
        return min(self.config.window_s, TRAJECTORY_WINDOW_S)

    @property
    def is_derived(self) -> bool:
        """Whether it is a copy of limit_emotions or enrolled_model, whose `classify` is that of another model."""
        return "classify" in vars(self)

    def classify(self, embedding: Tensor, reference: Tensor | None = None, weight: Weight = 1.0) -> Tensor:
        """(B, embedding_dim) -> logits, shape = (B, n_classes).

        Args:
            embedding: from `embed` or `encode`.
            reference: the mean embedding of reference clips of the speaker, shape = (embedding_dim,), or
                (B, embedding_dim) for a speaker per row; None: without. Models with `takes_reference` override this.
            weight: of the reference, see reference_weight; a number, or shape = (B, 1).

        Raises:
            ValueError: a reference for a model that takes none.
        """
        if reference is not None:
            raise ValueError(f"{type(self).__name__} takes no reference clips")
        return self.head(embedding)

    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def save_weights(self, path: Path) -> None:
        """Writes the weights in half precision.

        Raises:
            ValueError: a weight that is not a number, or too large for half precision.
        """
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.own_weights().items()}
        if broken := [name for name, value in half.items() if not value.isfinite().all()]:
            raise ValueError(f"{broken[0]} is not finite in half precision")
        save_file({k: v.cpu().contiguous() for k, v in half.items()}, path, {"format": "pt"})

    def own_weights(self) -> dict[str, Tensor]:
        """The weights of the checkpoint."""
        return self.state_dict()

    def load_weights(self, path: Path) -> None:
        """Inverse of save_weights; every weight must be in the file, and no other.

        Raises:
            SafetensorError: the file is damaged.
            RuntimeError: missing or surplus weights, or weights of another shape.
        """
        self.load_state_dict(load_file(path), strict=True)

    def transformers_files(self) -> dict[str, dict]:
        """JSON files that transformers reads with the weights: name -> content. Ours go into config.json too."""
        return {}


class SpectrogramModel(SERModel):
    """A network over log-mel features or MFCC."""

    exportable = True

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.logmel = LogMel(config.frontend)

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> features, shape = (B, C, n_mels, n_frames)."""
        return self.logmel(waveform, n_samples)

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """See SERModel."""
        return self.logmel.n_frames(n_samples)


class WaveformModel(SERModel):
    """A network over the waveform itself."""

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """The waveform, shape = (B, n_samples)."""
        return waveform

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """The features are samples."""
        return n_samples


def unpadded_lengths(features: Tensor) -> Tensor:
    """Lengths of a batch without padding, shape = (B,), in frames."""
    return torch.full((len(features),), features.shape[-1], dtype=torch.long, device=features.device)

"""Training configuration, training examples, and the error of a run that cannot start or continue."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ser_core.training.augment.draw import AugmentConfig


class TrainingError(ValueError):
    """A run that cannot be started or continued; the message gives the cause and the cure."""


@dataclass(frozen=True)
class TrainConfig:
    """Training recipe: every setting that changes the trained weights."""

    epochs: int = 26
    batch_size: int = 32
    learning_rate: float = 1e-3  # peak
    attention_rate: float = 1.0  # relative, of attention layers, which no batch norm protects from a high one
    weight_decay: float = 0.03
    orthogonal: bool = False  # Muon updates for the weight matrices of hidden layers
    warmup_share: float = 0.06  # of all steps; a cosine decay to zero follows
    clip_norm: float = 2.0
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.2
    class_balance: float = 0.5  # loss weight = class frequency ** -class_balance
    crop_s: float | None = None  # maximum duration of a clip in a batch, cropped at random; None: the model's window
    draws: dict[str, float] = field(default_factory=dict)  # corpus -> mean draws of each of its clips per epoch, else 1
    side_tasks: dict[str, float] = field(default_factory=dict)  # auxiliary task -> its weight in the loss
    distillation: float = 0.0  # share of the teachers' probabilities in the targets
    ema_decay: float = 0.999
    bf16: bool = True
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """Inverse of dataclasses.asdict."""
        return cls(**values | {"augment": AugmentConfig(**values["augment"])})


@dataclass(frozen=True)
class TrainingExample:
    """Labelled clip of an audio store."""

    id: str
    corpus: str
    emotion: str
    speaker: str = ""  # needed by models that take reference clips


def check_emotions(clips: Sequence[TrainingExample]) -> None:
    """Checks that there are enough emotions to train on.

    Raises:
        TrainingError: fewer than three.
    """
    if (n_emotions := len({clip.emotion for clip in clips})) < 3:
        raise TrainingError(f"The training clips hold {n_emotions} emotions: at least three are needed.")

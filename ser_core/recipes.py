"""How each model is trained: one recipe for all networks that learn from random weights, and the two exceptions."""

import json
from pathlib import Path

from ser_core.augment import AugmentConfig
from ser_core.training import TrainConfig, TrainingError

COMMON = TrainConfig(
    epochs=18,
    learning_rate=1.5e-3,
    mixup_alpha=0.1,
    draws={"ravdess": 1.5, "savee": 3.0, "tess": 0.6},  # TESS is easy and its two women many; SAVEE is small
    augment=AugmentConfig(speed=0.1, noise_chance=0.15, tilt=0.2, n_masks=1),
)
IMAGE = TrainConfig(  # two thousand clips only, of voices that are known: small batches, a light hand
    epochs=24,
    batch_size=8,
    learning_rate=3e-4,  # on a fifth of the training clips, held out, VGG16 learned little at 1e-3
    mixup_alpha=0.05,
    label_smoothing=0.05,
    augment=AugmentConfig(speed=0.05, noise_chance=0.1, warp=0.05, tilt=0.1, n_masks=1),
)
FINE_TUNING = TrainConfig(  # a higher rate would wash the published weights away
    epochs=15, batch_size=16, learning_rate=3e-5, weight_decay=0.01, warmup_share=0.1, clip_norm=1.0
)
EXCEPTIONS = dict.fromkeys(("vgg16", "vgg19", "resnet101"), IMAGE) | dict.fromkeys(
    ("wav2vec2", "wav2vec2-dense"), FINE_TUNING
)
"""Model -> its recipe, where that is not COMMON."""


def recipe(model: str) -> TrainConfig:
    """By which a model is trained when nothing else is said."""
    return EXCEPTIONS.get(model, COMMON)


def recipe_of(checkpoint: Path) -> TrainConfig:
    """By which a finished checkpoint was trained.

    Args:
        checkpoint: its folder.

    Raises:
        TrainingError: no checkpoint, or none of a network that was trained here.
    """
    try:
        return TrainConfig.from_dict(json.loads((checkpoint / "config.json").read_text())["training"]["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{checkpoint} holds no recipe of a network ({type(error).__name__}: {error!s:.80}). "
            "Give the folder of a checkpoint that was trained here, or leave --recipe out."
        ) from None

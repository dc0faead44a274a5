"""Emotion offsets: how far clips of an emotion lie from the mean of their speaker, in the embedding of a model.

Reference clips that are all of one emotion describe the voice and the emotion. Where the emotions of the clips are
known, their offsets are taken off the reference.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ser_core.labels import EVERYDAY
from ser_core.models.base import SERModel

NEUTRAL_SHARE = 0.7  # of everyday speech; chosen on clips of left-out corpora, half to all of them neutral


def mean_offset(model: SERModel, emotions: Sequence[str]) -> np.ndarray:
    """The mean of the offsets of clips, shape = (embedding_dim,).

    Args:
        model: with emotion offsets.
        emotions: of each clip, or EVERYDAY; "": unknown, which has none.

    Raises:
        ValueError: a model without offsets.
    """
    if model.emotion_offsets is None:
        raise ValueError(f"{model.name} has no emotion offsets.")
    offsets = dict(zip(model.config.labels, model.emotion_offsets, strict=True))
    offsets |= {"": np.zeros_like(offsets["neutral"]), EVERYDAY: NEUTRAL_SHARE * offsets["neutral"]}
    return np.stack([offsets[emotion] for emotion in emotions or [""]]).mean(0)


def save_offsets(offsets: np.ndarray, path: Path) -> None:
    """Writes the offsets of a model, shape = (n_classes, embedding_dim), as safetensors."""
    save_file({"offsets": np.ascontiguousarray(offsets, np.float32)}, path)


def load_offsets(path: Path, model: SERModel) -> np.ndarray:
    """Inverse of save_offsets.

    Raises:
        ValueError: a damaged file, or offsets of another model.
    """
    try:
        found = load_file(path)["offsets"]
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path.name} is damaged or has no offsets ({error!s:.80})") from None
    if found.shape != (len(model.config.labels), model.embedding_dim) or not np.isfinite(found).all():
        raise ValueError(f"{path.name} holds offsets of another model, or none")
    return found

"""Windows of trimmed clips, and their means: embeddings and logits per clip."""

from collections.abc import Sequence

import numpy as np

from ser_core.audio import (
    WINDOW_OVERLAP,
    window_starts,
)
from ser_core.inference.prediction import window_outputs
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress


def clip_window_starts(model: SERModel, n_samples: int) -> tuple[np.ndarray, int]:
    """Where the windows of a trimmed clip begin, and how long each is, in samples."""
    window = round(model.config.window_s * model.sample_rate)
    return window_starts(n_samples, window, round(window * (1 - WINDOW_OVERLAP))), window


def clip_windows(model: SERModel, waveform: np.ndarray) -> list[np.ndarray]:
    """A trimmed clip, cut as the model hears it."""
    starts, window = clip_window_starts(model, len(waveform))
    return [waveform[start : start + window] for start in starts]


def clip_outputs(
    model: SERModel, waveforms: Sequence[np.ndarray], progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and logits of many trimmed clips at once: the plain means over each one's windows.

    Args:
        waveforms: each of shape (n_samples,).
        progress: called with the share that is done.

    Returns:
        (embeddings, logits), of shapes (n_clips, embedding_dim) and (n_clips, n_classes).
    """
    *outputs, n_windows = clip_window_outputs(model, waveforms, progress)
    embeddings, logits = (mean_over_windows(rows, n_windows) for rows in outputs)
    return embeddings, logits


def clip_window_outputs(
    model: SERModel, waveforms: Sequence[np.ndarray], progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(embeddings, logits) of the windows of many trimmed clips, as window_outputs, and how many each clip has."""
    cut = [clip_windows(model, waveform) for waveform in waveforms]
    outputs = window_outputs(model, [window for windows in cut for window in windows], progress)
    return *outputs, np.array([len(windows) for windows in cut])


def mean_over_windows(rows: np.ndarray, n_windows: np.ndarray) -> np.ndarray:
    """From what belongs to each window to the mean over the windows of each clip; shape = (n_clips, ...)."""
    return np.stack([part.mean(0) for part in np.split(rows, np.cumsum(n_windows)[:-1])])


def clip_logits(model: SERModel, waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """The second of clip_outputs."""
    return clip_outputs(model, waveforms)[1]

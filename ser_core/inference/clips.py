"""Outputs of a model for clips: the plain means over the windows of each."""

from collections.abc import Sequence

import numpy as np

from ser_core.audio import WINDOW_OVERLAP, analysed_bounds, speech_segments, window_starts
from ser_core.inference.forward import WindowOutputs, run_windows
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress


def clip_window_starts(model: SERModel, n_samples: int) -> tuple[np.ndarray, int]:
    """Starts of the windows of a trimmed clip, shape = (n_windows,), and the length of each, in samples."""
    window = round(model.config.window_s * model.sample_rate)
    return window_starts(n_samples, window, round(window * (1 - WINDOW_OVERLAP))), window


def clip_windows(model: SERModel, waveform: np.ndarray) -> list[np.ndarray]:
    """A trimmed clip, cut into the model's windows."""
    starts, window = clip_window_starts(model, len(waveform))
    return [waveform[start : start + window] for start in starts]


def run_clips(model: SERModel, waveforms: Sequence[np.ndarray], progress: Progress = no_progress) -> WindowOutputs:
    """Outputs of many trimmed clips at once, a row for each clip.

    Args:
        waveforms: at least one, trimmed, 16 kHz, each of shape (n_samples,).
        progress: called after each batch.
    """
    cut = [clip_windows(model, waveform) for waveform in waveforms]
    outputs = run_windows(model, [window for windows in cut for window in windows], progress)
    return outputs.average_by_clip(np.array([len(windows) for windows in cut]))


def embed(model: SERModel, waveforms: Sequence[np.ndarray], progress: Progress = no_progress) -> np.ndarray:
    """Embeddings of recordings: the mean over the windows of each, without the silence at its ends.

    Args:
        waveforms: mono at 16 kHz in [-1, 1], at least one, each of shape (n_samples,).
        progress: called after each batch.

    Returns:
        shape = (n_recordings, embedding_dim).
    """
    bounds = [analysed_bounds(waveform, speech_segments(waveform)) for waveform in waveforms]
    clips = [waveform[first:last] for waveform, (first, last) in zip(waveforms, bounds, strict=True)]
    return run_clips(model, clips, progress).embeddings

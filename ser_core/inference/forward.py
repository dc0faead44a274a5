"""Forward passes: windows, clips or recordings in, embeddings, logits and distances out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import softmax

from ser_core.audio import (
    WINDOW_OVERLAP,
    analysed_bounds,
    check_waveforms,
    pad_batch,
    speech_segments_of_each,
    window_starts,
)
from ser_core.inference.queue import inference_queue
from ser_core.inference.reference import Reference, SpeakerReferenceError
from ser_core.models import CheckpointError, SERModel, check_model
from ser_core.progress import Progress, no_progress

CPU_BATCH_SIZE = 16  # stays in a core's cache
GPU_BATCH_SIZE = 256


@dataclass(frozen=True, eq=False)
class WindowOutputs:
    """The outputs of a model, a row for each window (or each clip, see average_by_clip)."""

    embeddings: np.ndarray  # (n_windows, embedding_dim)
    logits: np.ndarray  # from Calibration.scale, (n_windows, n_classes)
    distances: np.ndarray | None  # from the training clips, (n_windows,); None for a checkpoint without a detector

    def average_by_clip(self, n_windows: np.ndarray) -> "WindowOutputs":
        """The plain means over the windows of each clip; n_windows: how many each clip has, shape = (n_clips,)."""
        distances = None if self.distances is None else mean_over_windows(self.distances, n_windows)
        embeddings, logits = (mean_over_windows(rows, n_windows) for rows in (self.embeddings, self.logits))
        return WindowOutputs(embeddings, logits, distances)

    def split(self, n_windows: Sequence[int]) -> list["WindowOutputs"]:
        """The outputs of each recording; n_windows: how many windows each has."""
        bounds = np.cumsum(n_windows)[:-1]
        embeddings, logits = np.split(self.embeddings, bounds), np.split(self.logits, bounds)
        distances = [None] * len(n_windows) if self.distances is None else np.split(self.distances, bounds)
        return [WindowOutputs(*rows) for rows in zip(embeddings, logits, distances, strict=True)]


def mean_over_windows(rows: np.ndarray, n_windows: np.ndarray) -> np.ndarray:
    """From a row for each window to the mean over the windows of each clip, shape = (n_clips, ...)."""
    return np.stack([part.mean(0) for part in np.split(rows, np.cumsum(n_windows)[:-1])])


@torch.inference_mode()
def run_windows(
    model: SERModel,
    windows: Sequence[np.ndarray],
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> WindowOutputs:
    """Runs a model on waveforms of any lengths, in batches of similar length.

    Args:
        windows: at least one float32 waveform, each of shape (n_samples,) with n_samples >= 1.
        progress: called after each batch.
        reference: of the speaker of all windows.

    Returns:
        Their outputs, in the order of `windows`.

    Raises:
        CheckpointError: outputs that are not finite, from damaged weights.
        SpeakerReferenceError: a reference of another model, or a model that takes none.
        ValueError: the network is in training mode.
    """
    if model.training and model.is_neural:  # dropout would answer at random, batch normalisation change the weights
        raise ValueError(f"{model.name} is in training mode: call model.eval() before it predicts.")
    enrolled = _enrolled(model, reference)
    order = np.argsort([len(window) for window in windows], kind="stable")
    rows: list[tuple[np.ndarray, ...]] = [()] * len(order)
    batch_size = CPU_BATCH_SIZE if model.device.type == "cpu" else GPU_BATCH_SIZE
    for first in range(0, len(order), batch_size):
        indices = order[first : first + batch_size]
        for i, *row in zip(indices, *_run_batch(model, [windows[i] for i in indices], enrolled), strict=True):
            rows[i] = tuple(row)
        progress((first + len(indices)) / len(order))
    embeddings, logits = (np.stack(column) for column in zip(*rows, strict=True))
    if not np.isfinite(logits).all():
        raise CheckpointError(f"{model.name} returns values that are not finite: get or train the model again.")
    distances = model.novelty.distance(embeddings) if model.novelty else None
    return WindowOutputs(embeddings, _scaled(model, logits, distances, reference), distances)


@torch.inference_mode()
def relative_to(model: SERModel, outputs: WindowOutputs, reference: Reference | None) -> WindowOutputs:
    """The outputs with another reference, or without one: only the last layers are computed again."""
    embeddings = torch.from_numpy(outputs.embeddings).to(model.device)
    with inference_queue.turn():
        logits = model.classify(embeddings, *_enrolled(model, reference) or ()).float().cpu().numpy()
    return replace(outputs, logits=_scaled(model, logits, outputs.distances, reference))


Enrolled = tuple[torch.Tensor, float] | None
"""Embedding and weight of a reference."""


def _enrolled(model: SERModel, reference: Reference | None) -> Enrolled:
    if not isinstance(reference, Reference | None):  # such as the word or the JSON that REST takes
        raise SpeakerReferenceError(
            f"A reference is a Reference, not a {type(reference).__name__}: take that of speaker_reference, "
            "recording_reference or Reference.from_dict."
        )
    return None if reference is None else (reference.tensor_for(model), reference.weight)


def _scaled(
    model: SERModel, logits: np.ndarray, distances: np.ndarray | None, reference: Reference | None
) -> np.ndarray:
    return model.calibration.scale(logits, distances, reference.weight if reference else 0.0)


def _run_batch(model: SERModel, windows: Sequence[np.ndarray], enrolled: Enrolled) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings, logits) of one padded batch, in one turn of the queue."""
    waveform, n_samples = pad_batch(windows)
    is_padded = bool((n_samples != waveform.shape[1]).any())  # masks that hide nothing are a tenth of the time
    with inference_queue.turn():
        embedding = model.embed(waveform.to(model.device), n_samples.to(model.device) if is_padded else None)
        logits = model.classify(embedding, *enrolled or ())
    return embedding.float().cpu().numpy(), logits.float().cpu().numpy()


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

    Raises:
        AudioError: a waveform as check_waveform refuses it.
        TypeError, ValueError: no model; no waveform.
    """
    check_model(model)
    check_waveforms(waveforms)
    if not waveforms:
        raise ValueError("embed needs at least one waveform: the list is empty.")
    bounds = [analysed_bounds(*pair) for pair in zip(waveforms, speech_segments_of_each(waveforms), strict=True)]
    clips = [waveform[first:last] for waveform, (first, last) in zip(waveforms, bounds, strict=True)]
    return run_clips(model, clips, progress).embeddings


def calibrated_probabilities(model: SERModel, logits: np.ndarray) -> np.ndarray:
    """Probabilities from the logits of run_windows, both of shape (..., n_classes)."""
    return softmax(logits.astype(np.float64) / model.calibration.temperature, axis=-1)


@torch.inference_mode()
def frontend_features(model: SERModel, waveform: np.ndarray) -> np.ndarray:
    """The features of one window, before any layer.

    Args:
        waveform: shape = (n_samples,), no longer than the model's window.

    Returns:
        shape = (n_bands, n_frames) of a spectrogram, without its deltas; (88,) of functionals, in units of their spread
        over the training clips; (n_samples,) of a model whose input is the waveform itself.
    """
    with inference_queue.turn():
        features = model.frontend(torch.from_numpy(waveform.copy())[None].to(model.device))
        features = features if model.is_neural else model.encode(features)
    return (features[0, 0] if features.ndim == 4 else features[0]).cpu().numpy()

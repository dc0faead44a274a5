"""Waveform to answer."""

from collections.abc import Sequence

import numpy as np
import torch

from ser_core.audio import window_starts
from ser_core.models import SERModel

WINDOW_OVERLAP = 0.5
BATCH_SIZE = 32


@torch.inference_mode()
def window_logits(model: SERModel, windows: Sequence[np.ndarray], batch_size: int = BATCH_SIZE) -> np.ndarray:
    """Logits of waveforms of any lengths, in batches of similar length.

    Args:
        windows: float32 waveforms, each of shape (n_samples,) with n_samples >= 1.

    Returns:
        shape = (n_windows, n_classes), in the order of `windows`.
    """
    device = next(model.parameters()).device
    order = np.argsort([len(w) for w in windows], kind="stable")
    logits = np.empty((len(windows), len(model.config.labels)), np.float32)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        waveform, n_samples = pad([windows[i] for i in chosen])
        logits[chosen] = model(waveform.to(device), n_samples.to(device)).float().cpu().numpy()
    return logits


def pad(waveforms: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Zero-pads to one batch: shape = (B, longest), and the true lengths, shape = (B,)."""
    n_samples = torch.tensor([len(w) for w in waveforms])
    batch = torch.zeros(len(waveforms), int(n_samples.max()))
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = torch.from_numpy(waveform)
    return batch, n_samples


def cut_windows(waveform: np.ndarray, window: int, hop: int) -> list[np.ndarray]:
    """The windows of a waveform (audio.window_starts), all lengths in samples."""
    return [waveform[start : start + window] for start in window_starts(len(waveform), window, hop)]


def clip_logits(model: SERModel, waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """One answer per clip: the mean over its windows, shape = (n_clips, n_classes)."""
    window = round(model.config.window_s * model.sample_rate)
    cut = [cut_windows(waveform, window, round(window * WINDOW_OVERLAP)) for waveform in waveforms]
    logits = window_logits(model, [w for windows in cut for w in windows])
    ends = np.cumsum([len(windows) for windows in cut])
    return np.stack([part.mean(0) for part in np.split(logits, ends[:-1])])

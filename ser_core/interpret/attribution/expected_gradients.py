"""Expected gradients over masks of the spectrogram: for any network, also one whose input is no spectrogram.

Erion et al. 2021, with the masked sound as the baseline: the short-time spectrum is weighted by a coarse mask, and the
gradient of the score for the mask is averaged over random masks and over the way from each to the full sound.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ser_core.audio import SAMPLE_RATE, FrontendConfig, mel_frequencies
from ser_core.inference import inference_queue
from ser_core.interpret.attribution.features import AttributionTarget, masked_sound, short_time_spectrum
from ser_core.models import SERModel
from ser_core.progress import Progress

MASKED_BANDS, MASKED_SPAN_S = 16, 0.1  # of a cell of the mask: mel bands, seconds
N_MASKS, MASKS_AT_ONCE = 16, 4


def expected_gradients(
    model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress
) -> np.ndarray:
    """The relevance of each cell of the model's spectrogram; its sum is the score minus the mean of masked sounds.

    Args:
        waveform: one window, shape = (n_samples,).

    Returns:
        shape = (n_mels, n_frames).
    """
    frontend, n_samples = model.config.frontend, len(waveform)
    n_frames, n_spans = 1 + n_samples // frontend.hop_length, max(2, round(n_samples / SAMPLE_RATE / MASKED_SPAN_S))
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(MASKED_BANDS, n_spans)
    for first in range(0, N_MASKS, MASKS_AT_ONCE):
        baseline = (torch.rand(MASKS_AT_ONCE, *total.shape, generator=generator) > 0.5).float()
        way = torch.rand(MASKS_AT_ONCE, 1, 1, generator=generator)
        mask = (baseline + way * (1 - baseline)).requires_grad_()
        with gradient_turn():
            sounds = _masked(waveform, mask, frontend).to(model.device)
            found = target.score(model.config.labels, model.classify(model.embed(sounds))).sum()
            (slope,) = torch.autograd.grad(found, mask)
        total += ((1 - baseline) * slope).sum(0) / N_MASKS
        progress((first + MASKS_AT_ONCE) / N_MASKS)
    bands, frames = _interpolation(MASKED_BANDS, frontend.n_mels), _interpolation(n_spans, n_frames)
    return (bands @ total @ frames.T).numpy() * (total.numel() / (frontend.n_mels * n_frames))


@contextmanager
def gradient_turn() -> Iterator[None]:
    """A turn of the queue, without cuDNN: its recurrent layers have no gradient in eval mode."""
    with inference_queue.turn(), torch.backends.cudnn.flags(enabled=False):
        yield


def _masked(waveform: np.ndarray, mask: Tensor, frontend: FrontendConfig) -> Tensor:
    """The sound with its short-time spectrum weighted by each mask: (B, n_bands, n_spans) -> (B, n_samples)."""
    spectrum = short_time_spectrum(waveform)
    edges_hz = mel_frequencies(mask.shape[1], fmin=frontend.fmin, fmax=frontend.fmax)
    band = np.interp(np.linspace(0, SAMPLE_RATE / 2, spectrum.shape[0]), edges_hz, np.arange(mask.shape[1]))
    weight = _matrix(band, mask.shape[1]) @ mask @ _interpolation(mask.shape[2], spectrum.shape[1]).T
    return masked_sound(spectrum, weight, len(waveform))


def _interpolation(n_own: int, n_wanted: int) -> Tensor:
    """Linear interpolation of n_own values at n_wanted places over the same range, shape = (n_wanted, n_own)."""
    return _matrix(np.linspace(0, n_own - 1, n_wanted), n_own)


def _matrix(at: np.ndarray, n_own: int) -> Tensor:
    """Linear interpolation at fractional indices, shape = (len(at), n_own)."""
    low = np.minimum(at.astype(int), n_own - 2)
    rows, found = np.arange(len(at)), np.zeros((len(at), n_own), np.float32)
    found[rows, low] = 1 - (at - low)
    found[rows, low + 1] += at - low
    return torch.from_numpy(found)

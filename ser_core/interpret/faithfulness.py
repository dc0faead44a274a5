"""Faithfulness of an attribution: sounds with the relevant cells kept or removed, and their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import zoom
from scipy.stats import rankdata

from ser_core.audio import SAMPLE_RATE, FrontendConfig, mel_frequencies
from ser_core.inference import calibrated_probabilities, run_windows
from ser_core.interpret.attribution.explain import Explanation
from ser_core.interpret.attribution.features import MASKING_HOP_LENGTH, masked_sound, short_time_spectrum
from ser_core.labels import label_index
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress

MASK_SOFTNESS = 0.05  # half the width of the border between kept and removed, in ranks; a hard border would ring
KEPT_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
RANDOM_MAP_CELLS = (8, 12)  # bands and frames of the random map before it is smoothed
N_RANDOM_MAPS = 3  # averaged
CLEAR_GAIN = 0.05  # of mean probability


def relevance_mask(relevance: np.ndarray, share: float) -> np.ndarray:
    """The weight of each cell, in [0, 1], 1 for kept; of the shape of the map.

    Args:
        relevance: shape = (n_bands, n_frames).
        share: of the cells, the most relevant ones first, in [0, 1]. Cells of equal relevance are kept together.
    """
    rank = (rankdata(relevance).reshape(relevance.shape) - 0.5) / relevance.size
    half_width = MASK_SOFTNESS * 4 * share * (1 - share) + 1e-9  # share 0 and 1 have no border
    return np.clip(0.5 + (rank - (1 - share)) / (2 * half_width), 0, 1)


def split_by_relevance(
    waveform: np.ndarray, explanation: Explanation, frontend: FrontendConfig, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The most relevant cells of a window as sound, and the rest; their sum is the window.

    The short-time spectrum is weighted and inverted with its own phase.

    Args:
        waveform: the explained window, 16 kHz, shape = (n_samples,).
        frontend: of the map's bands and frames.
        share: see relevance_mask.

    Returns:
        (kept, removed), float32, each of shape (n_samples,).
    """
    spectrum = short_time_spectrum(waveform)
    mask = _mask_on_stft(relevance_mask(explanation.relevance, share), explanation.hop_s, frontend, spectrum.shape)
    weights = (torch.from_numpy(weight) for weight in (mask, 1 - mask))
    kept, removed = (masked_sound(spectrum, weight, len(waveform)).numpy() for weight in weights)
    return kept, removed


def _mask_on_stft(mask: np.ndarray, hop_s: float, frontend: FrontendConfig, shape: Sequence[int]) -> np.ndarray:
    """The mask in bins and frames of the short-time spectrum, float32."""
    if len(mask) > 1:
        bins = np.linspace(0, SAMPLE_RATE / 2, shape[0])
        mask = _interpolate_rows(mask, mel_band_centres_hz(frontend), bins)
    else:
        mask = np.repeat(mask, shape[0], axis=0)
    own_s, wanted_s = np.arange(mask.shape[1]) * hop_s, np.arange(shape[1]) * MASKING_HOP_LENGTH / SAMPLE_RATE
    return _interpolate_rows(mask.T, own_s, wanted_s).T.astype(np.float32)


def _interpolate_rows(rows: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear interpolation of rows: (n_own, n) -> (n_wanted, n)."""
    at = np.interp(wanted, own, np.arange(len(own)))
    low = np.minimum(at.astype(int), max(len(own) - 2, 0))
    high = np.minimum(low + 1, len(own) - 1)
    part = (at - low)[:, None]
    return rows[low] * (1 - part) + rows[high] * part


def mel_band_centres_hz(frontend: FrontendConfig) -> np.ndarray:
    """Centre frequencies of the mel bands, shape = (n_mels,)."""
    return mel_frequencies(frontend.n_mels + 2, fmin=frontend.fmin, fmax=frontend.fmax)[1:-1]


@dataclass(frozen=True, eq=False)
class FaithfulnessCurves:
    """Probability of the emotion with the most relevant cells kept alone, or removed; each (n_shares,).

    After the insertion and deletion curves of Petsiuk et al. 2018. For a faithful map, `kept` is above that of a random
    map, and `removed` below.
    """

    shares: tuple[float, ...]
    kept: np.ndarray
    removed: np.ndarray
    kept_at_random: np.ndarray
    removed_at_random: np.ndarray

    @property
    def gains(self) -> tuple[float, float]:
        """How much better than random maps: with parts kept, and with parts removed; of mean probability."""
        return (
            float(self.kept.mean() - self.kept_at_random.mean()),
            float(self.removed_at_random.mean() - self.removed.mean()),
        )

    @property
    def n_passed(self) -> int:
        """In how many of the two tests it is clearly better than random maps."""
        return sum(gain > CLEAR_GAIN for gain in self.gains)


def measure_faithfulness(
    model: SERModel,
    waveform: np.ndarray,
    explanation: Explanation,
    emotion: str,
    progress: Progress = no_progress,
    at_random: FaithfulnessCurves | None = None,
) -> FaithfulnessCurves:
    """The probability of the emotion for growing shares of the cells, in the order of the map and of random maps.

    Args:
        at_random: curves of another map of this shape, for this sound and emotion: its random maps are not run again.

    Raises:
        ValueError: an emotion that is none of the model's labels.
    """
    column = label_index(model.config.labels, emotion)
    shape = explanation.relevance.shape
    random_maps = [] if at_random else [random_relevance_map(shape, seed) for seed in range(N_RANDOM_MAPS)]
    maps = [replace(explanation, relevance=relevance) for relevance in (explanation.relevance, *random_maps)]
    by_map, *random_curves = _kept_and_removed(model, waveform, maps, column, progress)
    if at_random:
        return replace(at_random, kept=by_map[:, 0], removed=by_map[:, 1])
    return FaithfulnessCurves(KEPT_SHARES, *by_map.T, *np.mean(random_curves, axis=0).T)


def _kept_and_removed(
    model: SERModel, waveform: np.ndarray, maps: Sequence[Explanation], column: int, progress: Progress
) -> np.ndarray:
    """Probability of a label with the share of the cells kept, and removed, shape = (n_maps, n_shares, 2)."""
    between = KEPT_SHARES[1:-1]  # of nothing and of all the sounds are known
    parts = [
        sound
        for one in maps
        for share in between
        for sound in split_by_relevance(waveform, one, model.config.frontend, share)
    ]
    sounds = [np.zeros_like(waveform), waveform, *parts]
    probabilities = calibrated_probabilities(model, run_windows(model, sounds, progress).logits)
    nothing, everything, *inner = probabilities[:, column]
    curves = np.array(inner).reshape(len(maps), len(between), 2)
    first, last = (np.tile(ends, (len(maps), 1, 1)) for ends in ([nothing, everything], [everything, nothing]))
    return np.concatenate([first, curves, last], axis=1)


def random_relevance_map(shape: tuple[int, int], seed: int) -> np.ndarray:
    """A smooth random map."""
    coarse = [min(size, cells) for size, cells in zip(shape, RANDOM_MAP_CELLS, strict=True)]
    hills = np.random.default_rng(seed).standard_normal(coarse)
    return zoom(hills, [size / cells for size, cells in zip(shape, coarse, strict=True)], order=1)

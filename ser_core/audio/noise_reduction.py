"""Noise reduction by spectral gating: bins of the spectrum that do not rise above the noise are taken away.

For stationary noise, after Sainburg et al. 2020. By hand: their package brings a library of charts.
"""

import numpy as np

from ser_core.audio.io import SAMPLE_RATE

N_FFT, HOP_LENGTH = 1024, 256
CHUNK_SAMPLES, CONTEXT_SAMPLES = 600_000, 30_000  # gated at once, and the sound on both sides that goes in as well
N_DEVIATIONS = 1.0  # of the noise, above its mean level, up to which a bin is noise
DYNAMIC_RANGE_DB = 80.0  # below the loudest frame of a band all levels are the same
SMOOTHED_HZ, SMOOTHED_S = 100, 0.05  # of the mask, to each side; the package says 200 Hz and does this


def gate_spectrum(waveform: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """A recording without the bins of its spectrum that are at the level of a noise.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        noise: 16 kHz, without speech, shape = (n_noise,).

    Returns:
        float32, shape = (n_samples,).
    """
    level_db = _level_db(_spectrum(noise[:CHUNK_SAMPLES]))
    threshold_db = level_db.mean(1) + N_DEVIATIONS * level_db.std(1)
    gated = np.empty(len(waveform), np.float32)
    for start in range(0, len(waveform), CHUNK_SAMPLES):
        end = min(start + CHUNK_SAMPLES, len(waveform))
        gated[start:end] = _gate_chunk(waveform, start, end, threshold_db)
    return gated


def _gate_chunk(waveform: np.ndarray, start: int, end: int, threshold_db: np.ndarray) -> np.ndarray:
    """Samples start to end, gated with their context; beyond the recording there is silence."""
    from scipy.signal import istft  # slow to import

    first, last = start - CONTEXT_SAMPLES, end + CONTEXT_SAMPLES
    inside = waveform[max(first, 0) : last].astype(np.float64)
    spectrum = _spectrum(np.pad(inside, (max(-first, 0), last - max(first, 0) - len(inside))))
    mask = _smoothed(_level_db(spectrum) > threshold_db[:, None])
    _, gated = istft(spectrum * mask, nperseg=N_FFT, noverlap=N_FFT - HOP_LENGTH)
    return gated[CONTEXT_SAMPLES : CONTEXT_SAMPLES + end - start]


def _spectrum(waveform: np.ndarray) -> np.ndarray:
    """Short-time spectrum, shape = (1 + N_FFT // 2, n_frames)."""
    from scipy.signal import stft  # slow to import

    return stft(waveform, nperseg=N_FFT, noverlap=N_FFT - HOP_LENGTH, padded=False)[2]


def _level_db(spectrum: np.ndarray) -> np.ndarray:
    level = 20 * np.log10(np.abs(spectrum) + np.finfo(np.float64).eps)
    return np.maximum(level, level.max(1, keepdims=True) - DYNAMIC_RANGE_DB)


def _smoothed(mask: np.ndarray) -> np.ndarray:
    """Mean of a mask around each bin, weighted by a triangle over bands and one over frames."""
    from scipy.ndimage import convolve1d  # slow to import

    sides = int(SMOOTHED_HZ * N_FFT / SAMPLE_RATE), int(SMOOTHED_S * SAMPLE_RATE / HOP_LENGTH)
    smoothed = mask.astype(np.float64)
    for axis, n in enumerate(sides):
        triangle = n + 1.0 - np.abs(np.arange(-n, n + 1))
        smoothed = convolve1d(smoothed, triangle / triangle.sum(), axis, mode="constant")
    return smoothed

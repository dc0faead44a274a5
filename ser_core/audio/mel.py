"""Mel scale and filters of Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above.

Written here rather than taken from librosa, whose import compiles code for seconds and takes 100 MB; equal to it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

HERTZ_PER_MEL = 200 / 3  # of the linear part
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HERTZ_PER_MEL
LOG_STEP = np.log(6.4) / 27  # 27 mels from 1 to 6.4 kHz


def hz_to_mel(hertz: ArrayLike) -> NDArray[np.float64]:
    """Position on the mel scale; same shape."""
    hertz = np.asarray(hertz, float)
    above = CORNER_MEL + np.log(np.maximum(hertz, CORNER_HZ) / CORNER_HZ) / LOG_STEP
    return np.where(hertz >= CORNER_HZ, above, hertz / HERTZ_PER_MEL)


def mel_to_hz(mel: ArrayLike) -> NDArray[np.float64]:
    """Frequency in Hz; same shape."""
    mel = np.asarray(mel, float)
    above = CORNER_HZ * np.exp(LOG_STEP * (np.maximum(mel, CORNER_MEL) - CORNER_MEL))
    return np.where(mel >= CORNER_MEL, above, mel * HERTZ_PER_MEL)


def mel_frequencies(n: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Frequencies in Hz equally spaced on the mel scale, both ends included, shape = (n,)."""
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n))


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float32]:
    """Triangular filters of equal area, shape = (n_mels, 1 + n_fft // 2).

    Args:
        sample_rate: in Hz.
        n_fft: samples of a Fourier transform.
        n_mels: number of filters; the centre of each is the edge of its neighbours.
        fmin: lower edge of the first filter in Hz.
        fmax: upper edge of the last one in Hz; None: half the sample rate.
    """
    edges = mel_frequencies(n_mels + 2, fmin, sample_rate / 2 if fmax is None else fmax)
    distance = edges[:, None] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    width = np.diff(edges)[:, None]
    rising, falling = -distance[:-2] / width[:-1], distance[2:] / width[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)

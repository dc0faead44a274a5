"""Pitch shift by a phase vocoder (Flanagan and Golden 1966; Laroche and Dolson 1999), equal to librosa's."""

import numpy as np
import soxr
import torch

from ser_core.audio.io import SAMPLE_RATE

N_FFT, HOP = 2048, 512


def change_pitch(waveform: np.ndarray, semitones: float) -> np.ndarray:
    """The sound at another pitch and the same tempo: stretched in time, then resampled; the formants move along.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        semitones: up, or down where negative.

    Returns:
        float32, shape = (n_samples,).
    """
    rate = 2.0 ** (-semitones / 12)
    shifted = soxr.resample(_stretch(waveform, rate), SAMPLE_RATE / rate, SAMPLE_RATE, quality="HQ")
    return np.pad(shifted, (0, max(0, len(waveform) - len(shifted))))[: len(waveform)].astype(np.float32)


def _stretch(waveform: np.ndarray, rate: float) -> np.ndarray:
    """The sound 1 / rate times as long, at the same pitch."""
    window = torch.hann_window(N_FFT)
    samples = torch.from_numpy(np.asarray(waveform, np.float32))
    spectrum = torch.stft(samples, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True).numpy()
    stretched = torch.from_numpy(_stretch_spectrum(spectrum, rate))
    return torch.istft(stretched, N_FFT, HOP, window=window, length=round(len(waveform) / rate)).numpy()


def _stretch_spectrum(spectrum: np.ndarray, rate: float) -> np.ndarray:
    """Spectra at every `rate`-th frame, whose phases advance as between the two frames around each.

    Args:
        spectrum: complex, shape = (1 + N_FFT // 2, n_frames).
    """
    steps = np.arange(0, spectrum.shape[1], rate)
    first, share = steps.astype(int), steps % 1
    spectrum = spectrum.astype(np.complex128)  # phases add up over all frames
    padded = np.pad(spectrum, ((0, 0), (0, 2)))
    before, after = padded[:, first], padded[:, first + 1]
    expected = np.linspace(0, np.pi * HOP, len(spectrum))[:, None]  # advance of a bin's own frequency
    deviation = np.angle(after) - np.angle(before) - expected
    advance = expected + deviation - 2 * np.pi * np.round(deviation / (2 * np.pi))
    phase = np.angle(spectrum[:, :1]) + np.cumsum(np.pad(advance, ((0, 0), (1, 0))), axis=1)[:, :-1]
    level = (1 - share) * np.abs(before) + share * np.abs(after)
    return (level * np.exp(1j * phase)).astype(np.complex64)

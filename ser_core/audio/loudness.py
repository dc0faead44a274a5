"""Integrated loudness of ITU-R BS.1770-4: K-weighting, blocks of 0.4 s, two gates."""

import numpy as np

from ser_core.audio.io import SAMPLE_RATE

HOP = SAMPLE_RATE // 10  # from one block to the next: they overlap by three quarters
HOPS_PER_BLOCK = 4
HOPS_AT_ONCE = 600  # a minute, which bounds the memory
OFFSET_LUFS = -0.691  # a full-scale sine of 997 Hz reads -3.01
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE = 0.1  # -10 dB

SHELF_HZ, SHELF_DB, SHELF_Q = 1500.0, 4.0, 0.5**0.5  # the head, as an acoustic obstacle
HIGH_PASS_HZ, HIGH_PASS_Q = 38.0, 0.5


def integrated_loudness(waveform: np.ndarray) -> float | None:
    """Loudness in LUFS; None where no block is above the absolute gate, or none is complete.

    Args:
        waveform: mono, 16 kHz, shape = (n_samples,).
    """
    power = _block_powers(waveform)
    power = power[power >= 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LUFS) / 10)]
    if not len(power):
        return None
    return OFFSET_LUFS + 10 * float(np.log10(power[power > RELATIVE_GATE * power.mean()].mean()))


def _block_powers(waveform: np.ndarray) -> np.ndarray:
    """Mean square of each block after K-weighting, shape = (n_blocks,)."""
    from scipy.signal import sosfilt  # slow to import

    n_hops = len(waveform) // HOP
    if n_hops < HOPS_PER_BLOCK:
        return np.empty(0)
    weighting = np.stack([_high_shelf(), _high_pass()])
    state, energies = np.zeros((2, 2)), []
    for first in range(0, n_hops, HOPS_AT_ONCE):
        piece = waveform[first * HOP : min(first + HOPS_AT_ONCE, n_hops) * HOP]
        weighted, state = sosfilt(weighting, piece, zi=state)
        hops = weighted.reshape(-1, HOP)
        energies.append(np.vecdot(hops, hops))
    return np.convolve(np.concatenate(energies), np.ones(HOPS_PER_BLOCK), "valid") / (HOPS_PER_BLOCK * HOP)


def _high_shelf() -> np.ndarray:
    """Second-order section of R. Bristow-Johnson's Audio EQ Cookbook, shape = (6,)."""
    gain = 10 ** (SHELF_DB / 40)
    cosine, alpha = _cosine_and_alpha(SHELF_HZ, SHELF_Q)
    root, more, less = 2 * np.sqrt(gain) * alpha, gain + 1, gain - 1
    b = gain * (more + less * cosine + root), -2 * gain * (less + more * cosine), gain * (more + less * cosine - root)
    a = more - less * cosine + root, 2 * (less - more * cosine), more - less * cosine - root
    return np.array([*b, *a]) / a[0]


def _high_pass() -> np.ndarray:
    """As _high_shelf."""
    cosine, alpha = _cosine_and_alpha(HIGH_PASS_HZ, HIGH_PASS_Q)
    b = (1 + cosine) / 2
    return np.array([b, -2 * b, b, 1 + alpha, -2 * cosine, 1 - alpha]) / (1 + alpha)


def _cosine_and_alpha(frequency_hz: float, q: float) -> tuple[float, float]:
    angle = 2 * np.pi * frequency_hz / SAMPLE_RATE
    return float(np.cos(angle)), float(np.sin(angle)) / (2 * q)

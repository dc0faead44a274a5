"""Random change of a recording's speed, room, noise, band and level, before a frozen encoder."""

import hashlib
from collections.abc import Sequence

import numpy as np
import soxr
from scipy.signal import fftconvolve

from ser_core.audio import SAMPLE_RATE

MAX_LOG_SPEED = 0.14  # tape speed, which changes pitch and tempo together: 0.87 to 1.15
ROOM_CHANCE, NOISE_CHANCE, RECORDED_NOISE_CHANCE, BAND_CHANCE, LOUD_CHANCE = 0.4, 0.5, 0.6, 0.35, 0.5
DECAY_S = (0.15, 0.6)  # of a room: time until its echo is 60 dB weaker
ECHO_ENERGY = (0.1, 1.5)  # of a room, relative to the direct sound
SNR_DB = (5.0, 35.0)
LOW_HZ, HIGH_HZ = (30.0, 400.0), (3000.0, 8000.0)  # edges of a band
GAIN_DB = (-20.0, 6.0)
LOUD_PEAK = 0.3


def perturbation_rng(number: int, utterance_id: str) -> np.random.Generator:
    """The generator of one clip in one pass, whatever the order of the clips."""
    seed = hashlib.sha256(f"{number}/{utterance_id}".encode()).hexdigest()[:16]
    return np.random.default_rng(int(seed, 16))


def perturb(waveform: np.ndarray, rng: np.random.Generator, noises: Sequence[np.ndarray]) -> np.ndarray:
    """A perturbed recording.

    Args:
        waveform: at 16 kHz, shape = (n_samples,).
        noises: recorded noises to mix in, each of shape (n_samples,); without any, noise is coloured only.

    Returns:
        float32 in [-1, 1], as long as the new speed makes it.
    """
    speed = float(np.exp(rng.uniform(-MAX_LOG_SPEED, MAX_LOG_SPEED)))
    waveform = soxr.resample(waveform, SAMPLE_RATE * speed, SAMPLE_RATE).astype(np.float32)
    if rng.random() < ROOM_CHANCE:
        waveform = _add_room(waveform, rng)
    if rng.random() < NOISE_CHANCE:
        waveform = _add_noise(waveform, rng, noises)
    if rng.random() < BAND_CHANCE:
        waveform = _limit_band(waveform, rng)
    return _change_level(waveform, rng)


def _add_room(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Echo of exponentially decaying noise."""
    n_samples = int(rng.uniform(*DECAY_S) * SAMPLE_RATE)
    echo = rng.standard_normal(n_samples) * 10 ** (-3 * np.arange(n_samples) / n_samples)
    echo *= np.sqrt(rng.uniform(*ECHO_ENERGY) / np.square(echo).sum())
    return (waveform + fftconvolve(waveform, echo)[: len(waveform)]).astype(np.float32)


def _add_noise(waveform: np.ndarray, rng: np.random.Generator, noises: Sequence[np.ndarray]) -> np.ndarray:
    """A recorded noise, or noise whose power falls with frequency at a random slope."""
    if rng.random() < RECORDED_NOISE_CHANCE and len(noises):
        noise = noises[int(rng.integers(len(noises)))]
        noise = np.resize(np.roll(noise, rng.integers(len(noise))), len(waveform))
    else:
        spectrum = np.fft.rfft(rng.standard_normal(len(waveform)))
        slope = np.maximum(np.arange(len(spectrum)), 1) ** (rng.uniform(0, 2) / 2)
        noise = np.fft.irfft(spectrum / slope, len(waveform))
    snr = 10 ** (rng.uniform(*SNR_DB) / 10)
    gain = np.sqrt(np.square(waveform).mean() / max(np.square(noise).mean(), 1e-12) / snr)
    return (waveform + noise * gain).astype(np.float32)


def _limit_band(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Butterworth slopes of fourth order below and above a random band, as of a telephone or a cheap microphone."""
    low, high = rng.uniform(*LOW_HZ), rng.uniform(*HIGH_HZ)
    frequency = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE).clip(1)
    gain = 1 / np.sqrt((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 8))
    return np.fft.irfft(np.fft.rfft(waveform) * gain, len(waveform)).astype(np.float32)


def _change_level(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random gain, on the recording's own level or on a common peak: level must not give the label away."""
    gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
    common = LOUD_PEAK / max(float(np.abs(waveform).max()), 1e-4) if rng.random() < LOUD_CHANCE else 1.0
    return np.clip(waveform * gain * common, -1, 1).astype(np.float32)

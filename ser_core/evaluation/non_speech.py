"""Synthetic non-speech signals, which a model should report as out of distribution.

Each function draws one sound from a generator: float32 at 16 kHz in [-1, 1], shape = (n_samples,).
"""

from collections.abc import Callable

import numpy as np
from scipy.signal import chirp, lfilter

from ser_core.audio import SAMPLE_RATE

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)  # semitones of a major scale
N_HARMONICS = 8

SoundGenerator = Callable[[np.random.Generator, float], np.ndarray]
"""Random generator and duration in seconds -> waveform."""


def _time_s(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _random_level(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The waveform at a random level, with its peak between -30 and 0 dBFS."""
    peak = np.abs(waveform).max(initial=1e-9)
    return (waveform / peak * 10 ** (rng.uniform(-30, 0) / 20)).astype(np.float32)


def digital_silence(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Zeros."""
    return np.zeros_like(_time_s(seconds), dtype=np.float32)


def quantisation_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise of one quantisation step, as from a 16-bit converter without a microphone."""
    return (rng.integers(-1, 2, len(_time_s(seconds))) / 32_768).astype(np.float32)


def white_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise with the same power at every frequency."""
    return _random_level(rng.standard_normal(len(_time_s(seconds))), rng)


def pink_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise whose power falls by 3 dB per octave."""
    n_samples = len(_time_s(seconds))
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    return _random_level(np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples), rng)


def brown_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Noise whose power falls by 6 dB per octave: wind, traffic."""
    return _random_level(lfilter([1], [1, -0.995], rng.standard_normal(len(_time_s(seconds)))), rng)


def clipped_noise(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """White noise that is driven far into the limit."""
    gain = rng.uniform(2, 10)
    return _random_level(np.clip(gain * rng.standard_normal(len(_time_s(seconds))), -1, 1), rng)


def sine_tone(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A steady sine."""
    return _random_level(np.sin(2 * np.pi * rng.uniform(80, 4000) * _time_s(seconds)), rng)


def sine_sweep(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A sine that glides from one frequency to another."""
    first_hz, last_hz = rng.uniform(80, 4000, 2)
    return _random_level(chirp(_time_s(seconds), first_hz, seconds, last_hz, "logarithmic"), rng)


def alarm_beeps(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """A sine that is switched on and off, like an alarm."""
    time_s = _time_s(seconds)
    on = (time_s * rng.uniform(1, 6)) % 1 < 0.5
    return _random_level(on * np.sin(2 * np.pi * rng.uniform(300, 3000) * time_s), rng)


def mains_hum(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Mains hum with its harmonics."""
    harmonics = rng.uniform(0, 1, N_HARMONICS) / np.arange(1, N_HARMONICS + 1)
    time_s = _time_s(seconds)
    return _random_level(sum(a * np.sin(2 * np.pi * 50 * (k + 1) * time_s) for k, a in enumerate(harmonics)), rng)


def random_clicks(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Short knocks at random times."""
    waveform = np.zeros_like(_time_s(seconds))
    at = rng.integers(0, len(waveform), max(1, round(4 * seconds)))
    waveform[at] = rng.uniform(-1, 1, len(at))
    return _random_level(lfilter([1], [1, -0.9], waveform), rng)


def synthetic_music(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Chords, a melody over them, and a drum on each beat."""
    beat_s, root_hz = rng.uniform(0.3, 0.7), rng.uniform(110, 220)
    waveform = np.zeros_like(_time_s(seconds))
    for start_s in np.arange(0, seconds, beat_s):
        first = round(start_s * SAMPLE_RATE)
        rest = waveform[first : first + round(2 * beat_s * SAMPLE_RATE)]
        time_s = np.arange(len(rest)) / SAMPLE_RATE
        degree = rng.integers(7)
        chord = [(root_hz, MAJOR_SCALE[(degree + third) % 7]) for third in (0, 2, 4)]
        for base_hz, semitones in (*chord, (4 * root_hz, MAJOR_SCALE[rng.integers(7)])):
            rest += _plucked_note(base_hz * 2 ** (semitones / 12), time_s)
        rest += 2 * rng.standard_normal(len(rest)) * np.exp(-40 * time_s)
    return _random_level(waveform, rng)


def _plucked_note(frequency_hz: float, time_s: np.ndarray) -> np.ndarray:
    """A plucked string: harmonics that die away, the high ones sooner."""
    order = np.arange(1, N_HARMONICS + 1)[:, None]
    return (np.sin(2 * np.pi * frequency_hz * order * time_s) * np.exp(-2 * order * time_s) / order).sum(0)


NON_SPEECH_SOUNDS: dict[str, tuple[SoundGenerator, ...]] = {
    "silence": (digital_silence, quantisation_noise),
    "noise": (white_noise, pink_noise, brown_noise),
    "clipped noise": (clipped_noise,),
    "tones": (sine_tone, sine_sweep, alarm_beeps, mains_hum),
    "clicks": (random_clicks,),
    "music": (synthetic_music,),
}
"""Kind -> its generators."""


def draw_non_speech(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Random signal of a kind, 1 to 5 s long."""
    kinds = NON_SPEECH_SOUNDS[kind]
    return kinds[rng.integers(len(kinds))](rng, rng.uniform(1, 5))

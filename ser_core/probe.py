"""How an answer changes as a recording gets worse, little by little."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ser_core.inference import calibrated, clip_logits
from ser_core.models import SERModel
from ser_core.robustness import PHONE_BAND_HZ, Change, band, coded, gain, noise, pitch, speed

SEED = 0  # the same noise at each level


@dataclass(frozen=True)
class Probe:
    """One kind of change and the values it is tried with, from one end to the other."""

    title: str  # of the axis, with the unit
    values: tuple[float, ...]
    change: Callable[[float], Change]
    about: str
    harmless: float | None = None  # the value that changes nothing, where there is one


PROBES = {
    "Noise": Probe(
        "signal to noise, dB",
        (40, 30, 25, 20, 15, 10, 5, 0),
        noise,
        "White noise; 0 dB is as loud as the voice.",
    ),
    "Gain": Probe(
        "gain, dB",
        (-40, -30, -20, -10, 0, 6, 12, 18, 24),
        gain,
        "Louder or quieter. What exceeds full scale is cut off.",
        harmless=0,
    ),
    "Pitch": Probe(
        "pitch, semitones",
        (-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6),
        pitch,
        "Higher or lower at the same tempo. The resonances of the mouth move along.",
        harmless=0,
    ),
    "Speed": Probe(
        "speed, times",
        (0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.4),
        speed,
        "As a tape that runs faster or slower: pitch and tempo together.",
        harmless=1,
    ),
    "Phone band": Probe(
        "highest frequency, Hz",
        (7000, 6000, 5000, 4000, PHONE_BAND_HZ[1], 2800, 2200, 1600),
        lambda highest_hz: band(PHONE_BAND_HZ[0], highest_hz),
        f"Nothing below {PHONE_BAND_HZ[0]:g} Hz, and less and less above. A telephone ends at {PHONE_BAND_HZ[1]:g} Hz.",
    ),
    "mp3": Probe(
        "bit rate, kbit/s",
        (64, 48, 32, 24, 16, 8),
        lambda kilobits: coded("libmp3lame", "mp3", round(1000 * kilobits)),
        "Encoded and decoded again.",
    ),
}
"""Name -> the probe."""


def changed(probe: Probe, waveform: np.ndarray, value: float) -> np.ndarray:
    """The sound with one value of a probe, float32 at 16 kHz, shape = (n_samples,).

    Args:
        waveform: shape = (n_samples,).
    """
    return probe.change(value)(waveform, np.random.default_rng(SEED))


def answers_over(
    model: SERModel, waveform: np.ndarray, probe: Probe, progress: Callable[[float], None] = lambda share: None
) -> np.ndarray:
    """Calibrated probabilities at each value, shape = (n_values, n_classes).

    A sound that a change makes longer than the model's window is heard in several windows, as any recording.
    """
    logits = []
    for i, value in enumerate(probe.values):
        logits.append(clip_logits(model, [changed(probe, waveform, value)])[0])
        progress((i + 1) / len(probe.values))
    return calibrated(model, np.stack(logits))

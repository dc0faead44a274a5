"""Perturbation probes: how a prediction changes with the strength of a change of the audio."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ser_core.audio import (
    PHONE_BAND_HZ,
    Degradation,
    add_white_noise,
    change_gain,
    change_speed,
    limit_band,
    shift_pitch,
    transcode,
)
from ser_core.inference import calibrated_probabilities, run_clips
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress

PROBE_SEED = 0  # the same noise at each value


@dataclass(frozen=True)
class PerturbationProbe:
    """One kind of change, and its values from one end to the other."""

    title: str  # of the axis, with the unit
    values: tuple[float, ...]
    degradation: Callable[[float], Degradation]
    about: str
    identity_value: float | None = None  # the value without effect, if any

    @property
    def unit(self) -> str:
        return self.title.rpartition(", ")[2]


PERTURBATION_PROBES = {
    "Noise": PerturbationProbe(
        "signal to noise, dB",
        (40, 30, 25, 20, 15, 10, 5, 0),
        add_white_noise,
        "White noise; at 0 dB its power equals that of the voice.",
    ),
    "Gain": PerturbationProbe(
        "gain, dB",
        (-40, -30, -20, -10, 0, 6, 12, 18, 24),
        change_gain,
        "Louder or quieter. Samples beyond full scale are clipped.",
        identity_value=0,
    ),
    "Pitch": PerturbationProbe(
        "pitch, semitones",
        (-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6),
        shift_pitch,
        "Higher or lower at the same tempo. The resonances of the mouth move along.",
        identity_value=0,
    ),
    "Speed": PerturbationProbe(
        "speed, times",
        (0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.4),
        change_speed,
        "As a tape played faster or slower: pitch and tempo together.",
        identity_value=1,
    ),
    "Phone band": PerturbationProbe(
        "highest frequency, Hz",
        (7000, 6000, 5000, 4000, PHONE_BAND_HZ[1], 2800, 2200, 1600),
        lambda highest_hz: limit_band(PHONE_BAND_HZ[0], highest_hz),
        f"Band-pass from {PHONE_BAND_HZ[0]:g} Hz to the value; {PHONE_BAND_HZ[1]:g} Hz for telephones.",
    ),
    "mp3": PerturbationProbe(
        "bit rate, kbit/s",
        (64, 48, 32, 24, 16, 8),
        lambda kilobits: transcode("libmp3lame", "mp3", round(1000 * kilobits)),
        "Encoded and decoded.",
    ),
}
"""Name -> the probe."""


def perturb_waveform(probe: PerturbationProbe, waveform: np.ndarray, value: float) -> np.ndarray:
    """A waveform with one value of a probe, float32 at 16 kHz, shape = (n_samples,).

    Args:
        waveform: shape = (n_samples,).
    """
    return probe.degradation(value)(waveform, np.random.default_rng(PROBE_SEED))


def perturbation_probabilities(
    model: SERModel,
    waveform: np.ndarray,
    probe: PerturbationProbe,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Calibrated probabilities at each value, shape = (n_values, n_classes).

    A perturbed waveform longer than the model's window is split into windows, as any recording.
    """
    logits = []
    for i, value in enumerate(probe.values):
        logits.append(run_clips(model, [perturb_waveform(probe, waveform, value)]).logits[0])
        progress((i + 1) / len(probe.values))
    return calibrated_probabilities(model, np.stack(logits))

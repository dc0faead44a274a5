"""Pitch and level as curves over the player's spectrogram."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from ser_core.audio import PITCH_RANGE_HZ, SAMPLE_RATE, Prosody, measure_prosody

MAX_S = 60  # a longer one has no room for a curve, and takes more than a second to measure
PITCH_MARKS_HZ = (100, 200, 400)
SMOOTHED_FRAMES = 13  # 0.2 s, a syllable: single periods and plosives would make a fence of the level
QUIETEST_DB = 60.0  # under the loudest frame: the bottom of the spectrogram
WIDTH, HEIGHT = 1000, 100  # of the drawing


@dataclass(frozen=True)
class Curves:
    """Ready for the browser."""

    pitch: str  # SVG paths in a drawing of WIDTH x HEIGHT
    level: str
    marks: tuple[tuple[str, float], ...]  # of the pitch axis: text, height in 0..1 from the bottom
    words: str


def curves(waveform: np.ndarray) -> Curves | None:
    """Measure and draw; None for a recording that is longer than MAX_S.

    Args:
        waveform: 16 kHz, shape = (n_samples,), n_samples >= 1.
    """
    if len(waveform) > MAX_S * SAMPLE_RATE:
        return None
    found = measure_prosody(waveform)
    x = WIDTH * found.time_s * SAMPLE_RATE / len(waveform)
    smooth = uniform_filter1d(found.level_dbfs, SMOOTHED_FRAMES, mode="nearest")
    level = np.clip(1 + (smooth - smooth.max()) / QUIETEST_DB, 0, 1)
    marks = tuple((f"{hertz} Hz", float(_height(hertz))) for hertz in PITCH_MARKS_HZ)
    return Curves(_path(x, _height(found.pitch_hz)), _path(x, level), marks, _words(found))


def _height(pitch_hz: np.ndarray | float) -> np.ndarray:
    """In 0..1 on an axis of musical intervals."""
    low, high = np.log(PITCH_RANGE_HZ)
    return (np.log(pitch_hz) - low) / (high - low)


def _path(x: np.ndarray, height: np.ndarray) -> str:
    """One line for each run without NaN; a run of a single point is a dot."""
    known = ~np.isnan(height)
    starts = known & ~np.append(False, known[:-1])
    points = zip(x[known], HEIGHT * (1 - height[known]), starts[known], strict=True)
    return " ".join(f"{'M' if start else 'L'}{a:.1f} {b:.1f}{'h.1' if start else ''}" for a, b, start in points)


def _words(found: Prosody) -> str:
    if not len(found.voiced_hz):
        return "No voiced sound was found."
    low, middle, high = np.percentile(found.voiced_hz, (5, 50, 95))
    return f"Pitch {middle:.0f} Hz, mostly between {low:.0f} and {high:.0f} Hz."

"""Pitch and level over time, and the curves that the player draws of them."""

import re

import numpy as np
import pytest

from pages.ui.components.curves import HEIGHT, MAX_S, WIDTH, curves
from ser_core.audio.io import FLOOR_DBFS, SAMPLE_RATE
from ser_core.audio.prosody import PROSODY_HOP, measure_prosody

TIME_S = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE


def buzz(pitch_hz: np.ndarray) -> np.ndarray:
    """A voice-like tone with ten harmonics."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 11))).astype(np.float32)


@pytest.mark.parametrize("first_hz, last_hz", [(80, 80), (120, 240), (500, 250)])
def test_the_pitch_follows_a_glide(first_hz, last_hz):
    pitch_hz = np.geomspace(first_hz, last_hz, len(TIME_S))
    found = measure_prosody(buzz(pitch_hz))
    inside = slice(5, -5)
    expected = pitch_hz[(found.time_s * SAMPLE_RATE).astype(int)[inside]]
    np.testing.assert_allclose(found.pitch_hz[inside], expected, rtol=0.02)
    assert found.time_s[1] == PROSODY_HOP / SAMPLE_RATE and len(found.time_s) == 1 + len(TIME_S) // PROSODY_HOP


def test_the_level_is_the_rms_of_each_frame():
    found = measure_prosody(np.concatenate([np.full(SAMPLE_RATE, 0.1), np.zeros(SAMPLE_RATE)]).astype(np.float32))
    assert found.level_dbfs[10] == pytest.approx(-20, abs=0.01) and found.level_dbfs[-5] == pytest.approx(FLOOR_DBFS)


@pytest.mark.parametrize("waveform", [np.zeros(8000), 0.1 * np.random.default_rng(0).normal(size=32_000)])
def test_silence_and_noise_have_no_pitch(waveform):
    assert np.isnan(measure_prosody(waveform.astype(np.float32)).pitch_hz).mean() > 0.95


def points(path: str) -> np.ndarray:
    return np.array([pair.split() for pair in re.findall(r"[ML]([\d.]+ [\d.]+)", path)], float)


def test_curves_stay_inside_and_rise_with_pitch_and_level():
    waveform = buzz(np.geomspace(120, 240, len(TIME_S))) * np.linspace(0.3, 1, len(TIME_S), dtype=np.float32)
    found = curves(waveform)
    for path in (found.pitch, found.level):
        x, y = points(path)[3:-3].T
        assert (np.diff(x) > 0).all() and y[-1] < y[0] and y.min() >= 0 and y.max() <= HEIGHT and x.max() <= WIDTH
    assert found.level.count("M") == 1
    assert re.fullmatch(r"Pitch 1[67]\d Hz, mostly between 12\d and 2[23]\d Hz\.", found.words)
    assert [text for text, _ in found.marks] == ["100 Hz", "200 Hz", "400 Hz"]


def test_a_pause_parts_the_pitch():
    tone = buzz(np.full(len(TIME_S), 150.0))
    found = curves(np.concatenate([tone, np.zeros(SAMPLE_RATE, np.float32), tone]))
    assert found.pitch.count("M") == 2


def test_without_a_voice_there_is_no_pitch_to_draw():
    found = curves(np.zeros(100, np.float32))
    assert found.pitch == "" and found.words == "No voiced sound was found."


def test_long_recordings_have_none():
    assert curves(np.zeros(MAX_S * SAMPLE_RATE + 1, np.float32)) is None

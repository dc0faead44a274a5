"""Sounds that are no speech are what their names say."""

from itertools import product

import numpy as np

from ser_core.audio.io import SAMPLE_RATE
from ser_core.evaluation.non_speech import (
    NON_SPEECH_SOUNDS,
    draw_non_speech,
    mains_hum,
    pink_noise,
    sine_sweep,
    sine_tone,
    white_noise,
)

EACH = [sound for kinds in NON_SPEECH_SOUNDS.values() for sound in kinds]


def test_each_is_a_waveform_of_its_length(subtests):
    for sound, seconds in product(EACH, [0.1, 1.234, 5]):
        with subtests.test(sound=sound, seconds=seconds):
            waveform = sound(np.random.default_rng(0), seconds)
            assert waveform.dtype == np.float32 and waveform.shape == (round(seconds * SAMPLE_RATE),)
            assert np.isfinite(waveform).all() and np.abs(waveform).max() <= 1
            np.testing.assert_array_equal(waveform, sound(np.random.default_rng(0), seconds))


def test_draws_differ(subtests):
    for kind in NON_SPEECH_SOUNDS:
        with subtests.test(kind=kind):
            rng = np.random.default_rng(0)
            drawn = [draw_non_speech(kind, rng) for _ in range(5)]
            assert len({len(waveform) for waveform in drawn}) == 5
            assert all(SAMPLE_RATE <= len(waveform) <= 5 * SAMPLE_RATE for waveform in drawn)


def power_db(waveform: np.ndarray, low_hz: float, high_hz: float) -> float:
    frequency = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    inside = (frequency >= low_hz) & (frequency < high_hz)
    return 10 * np.log10((np.abs(np.fft.rfft(waveform)) ** 2)[inside].mean())


def test_noise_falls_by_its_decibels_an_octave(subtests):
    for sound, fall_db in [(white_noise, 0), (pink_noise, 3)]:
        with subtests.test(sound=sound):
            waveform = sound(np.random.default_rng(1), 20)
            octaves = [power_db(waveform, f, 2 * f) for f in (250, 500, 1000, 2000, 4000)]
            np.testing.assert_allclose(np.diff(octaves), -fall_db, atol=0.3)


def test_a_tone_is_one_frequency_and_a_sweep_is_not():
    for seed in range(5):
        for sound, share in ((sine_tone, 0.99), (sine_sweep, 0.5)):
            spectrum = np.abs(np.fft.rfft(sound(np.random.default_rng(seed), 2) * np.hanning(2 * SAMPLE_RATE))) ** 2
            peak = spectrum[max(0, spectrum.argmax() - 4) :][:9].sum() / spectrum.sum()
            assert (peak > share) == (sound is sine_tone)


def test_hum_lies_at_multiples_of_50_hz():
    spectrum = np.abs(np.fft.rfft(mains_hum(np.random.default_rng(0), 2)))
    peaks = np.sort(np.argsort(spectrum)[-8:]) / 2
    assert set(peaks) <= set(50 * np.arange(1, 9))

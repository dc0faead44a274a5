"""Pitch, level and mel scale: against librosa, and without it."""

import subprocess
import sys

import librosa
import numpy as np
import pytest

from ser_core.audio import (
    PITCH_RANGE_HZ,
    SAMPLE_RATE,
    hz_to_mel,
    load_audio,
    measure_prosody,
    mel_filters,
    mel_frequencies,
)
from ser_core.audio.prosody import PROSODY_FRAME, PROSODY_HOP
from ser_core.audio.vocoder import change_pitch
from ser_core.paths import SAMPLES


@pytest.mark.parametrize(
    "sizes", [(16_000, 512, 64, 0, 8000), (16_000, 400, 80, 0, 8000), (22_050, 2048, 40, 50, 7600)]
)
def test_mel_filters_equal_librosa(sizes):
    sample_rate, n_fft, n_mels, fmin, fmax = sizes
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    assert np.array_equal(mel_filters(*sizes), expected)


def test_the_mel_scale_equals_librosa():
    hertz = np.linspace(0, 8000, 801)
    assert np.array_equal(hz_to_mel(hertz), librosa.hz_to_mel(hertz))
    assert np.array_equal(mel_frequencies(66), librosa.mel_frequencies(66, fmin=0, fmax=8000))


def test_the_pitch_of_voiced_frames_equals_librosa():
    low, high = PITCH_RANGE_HZ
    for name in ("even.ogg", "high_fast.ogg", "low_slow.ogg"):
        waveform = load_audio(SAMPLES / name)
        expected = librosa.yin(
            waveform, fmin=low, fmax=high, sr=SAMPLE_RATE, frame_length=PROSODY_FRAME, hop_length=PROSODY_HOP
        )
        found = measure_prosody(waveform).pitch_hz
        voiced = ~np.isnan(found)
        assert voiced.sum() > 50, name
        assert np.mean(np.abs(12 * np.log2(found / expected)[voiced]) < 0.01) > 0.99, name


@pytest.mark.parametrize("semitones", [-4, 3.5])
def test_a_pitch_shift_equals_that_of_librosa(semitones):
    waveform = load_audio(SAMPLES / "even.ogg")
    expected = librosa.effects.pitch_shift(waveform, sr=SAMPLE_RATE, n_steps=semitones)
    assert np.abs(change_pitch(waveform, semitones) - expected).max() < 0.01 * np.abs(expected).max()


def test_librosa_is_not_imported_to_predict_or_draw():
    """Its import compiles code into a cache that processes starting together damage: they crashed."""
    modules = [
        "audio.degradations",
        "audio.vocoder",
        "audio.prosody",
        "inference.prediction",
        "models.zoo.whisper",
        "plots.clip",
    ]
    imports = ", ".join(f"ser_core.{name}" for name in modules)
    code = f"import sys, {imports}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

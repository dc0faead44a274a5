"""Pitch, level and mel scale: against librosa and known sounds, and without librosa."""

import subprocess
import sys

import lazy_loader
import numpy as np
import pytest

from ser_core.audio import SAMPLE_RATE, hz_to_mel, measure_prosody, mel_filters, mel_frequencies
from ser_core.audio.vocoder import change_pitch

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds


def pulses(pitch_hz: float) -> np.ndarray:
    """Two seconds of a buzz: harmonics that become weaker."""
    time_s = np.arange(32_000) / SAMPLE_RATE
    harmonics = np.arange(1, int(4000 / pitch_hz) + 1)[:, None]
    return (0.2 * (np.sin(2 * np.pi * pitch_hz * harmonics * time_s) / harmonics).sum(0)).astype(np.float32)


@pytest.mark.parametrize(
    "sizes", [(16_000, 512, 64, 0, 8000), (16_000, 400, 80, 0, 8000), (22_050, 2048, 40, 50, 7600)]
)
@pytest.mark.slow
def test_mel_filters_equal_librosa(sizes):
    sample_rate, n_fft, n_mels, fmin, fmax = sizes
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    assert np.array_equal(mel_filters(*sizes), expected)


@pytest.mark.slow
def test_the_mel_scale_equals_librosa():
    hertz = np.linspace(0, 8000, 801)
    assert np.array_equal(hz_to_mel(hertz), librosa.hz_to_mel(hertz))
    assert np.array_equal(mel_frequencies(66, 0.0, 8000.0), librosa.mel_frequencies(66, fmin=0, fmax=8000))


@pytest.mark.parametrize("pitch_hz", [70.0, 123.4, 250.0, 512.0])
def test_the_pitch_of_a_voice_is_measured(pitch_hz):
    found = measure_prosody(pulses(pitch_hz)).pitch_hz
    assert np.nanmedian(found) == pytest.approx(pitch_hz, rel=0.005) and np.isnan(found).mean() < 0.1


def test_the_melody_of_a_lively_voice_is_kept():
    pitch_hz = 180 * 2 ** (0.6 * np.sin(2 * np.pi * 0.5 * np.arange(32_000) / SAMPLE_RATE))  # 7 semitones up and down
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    found = measure_prosody((0.2 * sum(np.sin(k * phase) / k for k in range(1, 10))).astype(np.float32)).pitch_hz
    voiced = np.flatnonzero(~np.isnan(found[:-1]))
    assert len(voiced) > 0.9 * len(found)
    np.testing.assert_allclose(found[voiced], pitch_hz[256 * voiced], rtol=0.03)


def test_the_contours_have_the_time_of_the_sound():
    voice = pulses(150.0) * (np.arange(32_000) >= 16_000)
    found = measure_prosody(voice)
    loud = found.time_s[found.level_dbfs > found.level_dbfs.max() - 3]
    assert loud.min() == pytest.approx(1.0, abs=0.02) and loud.max() == pytest.approx(2.0, abs=0.02)
    rms = np.sqrt(np.mean(np.square(voice[16_000:])))
    assert found.level_dbfs[90] == pytest.approx(20 * np.log10(rms), abs=0.5) and found.level_dbfs[0] == pytest.approx(
        -120
    )


@pytest.mark.parametrize("semitones", [-4, 0.5, 7])
def test_a_pitch_shift_keeps_the_tempo(semitones):
    voice = pulses(150.0) * (np.arange(32_000) < 16_000)  # half of it is silence
    shifted = change_pitch(voice, semitones)
    assert len(shifted) == len(voice)
    assert np.nanmedian(measure_prosody(shifted).pitch_hz) == pytest.approx(150 * 2 ** (semitones / 12), rel=0.01)
    level = np.square(shifted).reshape(20, -1).mean(1)
    assert level[11:].max() < 0.05 * level[:9].min()


@pytest.mark.slow
def test_neither_librosa_nor_transformers_is_imported_to_predict_or_draw():
    """The first compiles code into a cache that processes starting together damage; the second takes two seconds."""
    modules = [
        "audio.degradations",
        "audio.vocoder",
        "audio.prosody",
        "inference.prediction.predict",
        "models.zoo.whisper.model",
        "plots.clip.trajectory",
    ]
    imports = ", ".join(f"ser_core.{name}" for name in modules)
    encoder = "Whisper(WhisperConfig(encoder=''))"
    code = f"import sys, {imports}; from ser_core.models.zoo.whisper.model import *; {encoder}"
    code += "; print(any(name in sys.modules for name in ('numba', 'transformers')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

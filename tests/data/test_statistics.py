"""Acoustic measures of signals with known values, and the summary against values computed by hand."""

import json
from pathlib import Path

import lazy_loader
import numpy as np
import pytest

from ser_core.audio.prosody import PROSODY_FRAME, PROSODY_HOP
from ser_core.data.statistics import ACOUSTIC_MEASURES, MEASURES_BY_SEX, measure_recording, summarise_corpora
from ser_core.data.utterances import Utterance
from tests.make_corpus import voice

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds

TIME_S = np.arange(32_000) / 16_000


def tone(pitch_hz, amplitude=0.5) -> np.ndarray:
    """A sine whose pitch may change, shape = (32000,)."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch_hz, TIME_S.shape)) / 16_000
    return (amplitude * np.sin(phase)).astype(np.float32)


def noise(amplitude=0.1) -> np.ndarray:
    return (amplitude * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)


def test_a_tone():
    found = measure_recording(tone(200.0))
    assert list(found) == list(ACOUSTIC_MEASURES)
    assert found["pitch_hz"] == pytest.approx(200, rel=0.005)
    assert found["pitch_sd_semitones"] < 0.2
    assert found["level_dbfs"] == pytest.approx(-9.03, abs=0.01)
    assert found["energy_db"] == pytest.approx(-9.03, abs=0.15)
    assert found["zero_crossing_rate"] == pytest.approx(2 * 200 / 16_000, rel=0.02)
    assert found["centroid_hz"] == pytest.approx(200, rel=0.05)
    assert found["bandwidth_hz"] < 100 and found["flatness"] < 1e-4
    assert found["duration_s"] == 2.0


def test_noise_has_no_pitch_and_a_flat_spectrum():
    found = measure_recording(noise())
    assert np.isnan(found["pitch_hz"]) and np.isnan(found["pitch_sd_semitones"])
    assert found["zero_crossing_rate"] == pytest.approx(0.5, abs=0.01)
    assert found["centroid_hz"] == pytest.approx(4000, rel=0.02)
    assert found["flatness"] > 0.5


def test_spread_is_in_semitones():
    vibrato = tone(200 * 2 ** (2 * np.sin(2 * np.pi * TIME_S) / 12))
    found = measure_recording(vibrato)
    assert found["pitch_sd_semitones"] == pytest.approx(2 / np.sqrt(2), rel=0.05)
    assert found["pitch_hz"] == pytest.approx(200, rel=0.01)


def test_pauses_change_the_level_but_not_the_voice_measures():
    alone = voice(180, 0, duration_s=2)
    paused = np.concatenate([np.zeros(16_000, np.float32), alone, np.zeros(16_000, np.float32)])
    with_pauses, without = measure_recording(paused), measure_recording(alone)
    assert with_pauses["level_dbfs"] == pytest.approx(without["level_dbfs"] + 10 * np.log10(2 / 4), abs=0.01)
    for name in set(ACOUSTIC_MEASURES) - {"level_dbfs", "duration_s"}:
        assert with_pauses[name] == pytest.approx(without[name], rel=0.06), name


def test_unvoiced_segments_do_not_change_the_pitch():
    alone = voice(180, 0, duration_s=1)
    found, expected = measure_recording(np.concatenate([alone, noise(0.05)[:16_000]])), measure_recording(alone)
    for name in MEASURES_BY_SEX:
        assert found[name] == pytest.approx(expected[name], rel=0.02)


def test_octave_jumps_are_left_out():
    found = measure_recording(np.concatenate([tone(150), tone(300)[:8000]]))
    assert found["pitch_hz"] == pytest.approx(150, rel=0.01) and found["pitch_sd_semitones"] < 0.7


def test_louder_changes_level_and_energy_only():
    quiet, loud = measure_recording(0.1 * voice(180, 0)), measure_recording(voice(180, 0))
    for name in ACOUSTIC_MEASURES:
        expected = quiet[name] + (20 if name in ("energy_db", "level_dbfs") else 0)
        assert loud[name] == pytest.approx(expected, rel=1e-3), name


@pytest.mark.slow
def test_spectral_measures_equal_librosa():
    waveform = np.concatenate([voice(180, 0, duration_s=2), noise()])  # never silent: every frame is active
    options = {"y": waveform, "sr": 16_000, "n_fft": PROSODY_FRAME, "hop_length": PROSODY_HOP, "pad_mode": "constant"}
    found = measure_recording(waveform)
    for name, feature in (("centroid_hz", "spectral_centroid"), ("bandwidth_hz", "spectral_bandwidth")):
        assert found[name] == pytest.approx(getattr(librosa.feature, feature)(**options).mean(), rel=1e-3)


@pytest.mark.parametrize("waveform", [np.zeros(16_000, np.float32), np.ones(1, np.float32), np.zeros(1, np.float32)])
@pytest.mark.filterwarnings("error")
def test_silence_and_a_single_sample_have_values_too(waveform):
    found = measure_recording(waveform)
    assert all(np.isfinite(value) for name, value in found.items() if name not in MEASURES_BY_SEX)
    assert np.isnan(found["pitch_hz"])


# --- summary ---------------------------------------------------------------------------------------------------------


def utterance(corpus: str, emotion: str, sex: str, speaker: str) -> Utterance:
    return Utterance(f"{corpus}/{speaker}", Path("x.wav"), corpus, speaker, sex, emotion)


UTTERANCES = [
    *(utterance("savee", "sad", "male", "DC") for _ in range(4)),
    utterance("savee", "angry", "male", "KL"),
    utterance("ravdess", "sad", "female", "02"),
    utterance("ravdess", "sad", "male", "01"),
]
VALUES = [dict.fromkeys(ACOUSTIC_MEASURES, float(value)) for value in (1, 2, 3, 10, 5, 6, 8)]


def groups(summary: dict, **wanted) -> list[dict]:
    return [g for g in summary["groups"] if wanted.items() <= g.items()]


def test_quartiles_by_hand():
    (group,) = groups(summarise_corpora(UTTERANCES, VALUES), measure="flatness", corpus="savee", emotion="sad")
    assert group["sex"] == "all" and group["n_clips"] == 4
    assert (group["mean"], group["q1"], group["median"], group["q3"]) == (4.0, 1.75, 2.5, 4.75)
    assert group["sd"] == pytest.approx(3.5355, rel=1e-4)
    assert (group["p5"], group["p95"]) == (1.15, 8.95)


def test_only_pitch_is_grouped_by_sex():
    summary = summarise_corpora(UTTERANCES, VALUES)
    found = groups(summary, measure="pitch_hz", corpus="ravdess", emotion="sad")
    assert {g["sex"]: g["mean"] for g in found} == {"all": 7.0, "female": 6.0, "male": 8.0}
    assert {g["measure"] for g in summary["groups"] if g["sex"] != "all"} == set(MEASURES_BY_SEX)


def test_clips_without_pitch_are_not_counted_in_it():
    values = [*VALUES[:3], VALUES[3] | {"pitch_hz": np.nan}, *VALUES[4:]]
    summary = summarise_corpora(UTTERANCES, values)
    pitch, energy = (groups(summary, measure=m, corpus="savee", emotion="sad")[0] for m in ("pitch_hz", "energy_db"))
    assert (pitch["n_clips"], pitch["mean"]) == (3, 2.0) and energy["n_clips"] == 4


@pytest.mark.filterwarnings("error")
def test_a_group_without_any_pitch_has_no_box():
    values = [v | {"pitch_hz": np.nan} if u.emotion == "angry" else v for u, v in zip(UTTERANCES, VALUES, strict=True)]
    summary = summarise_corpora(UTTERANCES, values)
    assert not groups(summary, measure="pitch_hz", emotion="angry") and groups(summary, emotion="angry")


def test_counts_are_in_the_order_of_the_program():
    summary = summarise_corpora(UTTERANCES, VALUES)
    assert list(summary["clips"].items()) == [("ravdess", {"sad": 2}), ("savee", {"sad": 4, "angry": 1})]
    assert summary["speakers"] == {"ravdess": {"female": 1, "male": 1}, "savee": {"male": 2}}
    json.dumps(summary, allow_nan=False)

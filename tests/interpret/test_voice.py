"""The voice in numbers, and its place among those of unseen speakers."""

import sys

import numpy as np
import pytest

from ser_core.audio import speech_segments
from ser_core.data import Utterance
from ser_core.interpret import (
    ANY_VOICE,
    VOICE_MEASURES,
    VoiceRange,
    VoiceRanges,
    describe_voice,
    load_voice_ranges,
    measure_voice,
    summarise_voices,
    write_voice_ranges,
)
from tests.make_corpus import voice

WHOLE = ((0.0, 2.4),)


def test_measures_of_a_known_voice():
    found = measure_voice(voice(150, 0, 2.4), WHOLE)
    assert list(found) == list(VOICE_MEASURES)
    assert found["f0_hz"] == pytest.approx(150, rel=0.03) and found["pause_percent"] == 0
    higher = measure_voice(voice(300, 0, 2.4), WHOLE)
    assert higher["f0_hz"] == pytest.approx(300, rel=0.03)


def test_gain_changes_the_level_alone(speech):
    segments = speech_segments(speech)
    loud, soft = (measure_voice(gain * speech, segments) for gain in (1.0, 0.1))
    assert loud.pop("level_dbfs") - soft.pop("level_dbfs") == pytest.approx(20, abs=0.1)
    assert soft == pytest.approx(loud, rel=0.02)


def test_pauses_count_between_the_first_and_the_last_speech():
    found = measure_voice(voice(150, 0, 4.0), ((0.5, 1.5), (1.6, 2.0), (2.5, 3.0)))
    assert found["pause_percent"] == pytest.approx(100 * 0.5 / 2.5)  # 0.1 s is no pause


def test_nothing_is_made_up(monkeypatch):
    assert measure_voice(voice(150, 0), ()) == {}
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    assert "f0_hz" not in measure_voice(noise, ((0.0, 1.0),))
    monkeypatch.setattr("ser_core.interpret.voice.functional_names", _not_installed)
    found = measure_voice(voice(150, 0), ((0.0, 0.6),))
    assert "f0_hz" in found and "jitter_percent" not in found


def _not_installed():
    raise ImportError("opensmile")


def test_ranges_are_read_as_written(tmp_path, monkeypatch):
    utterances = [
        Utterance(f"tess/{i}", tmp_path, "tess", f"tess-{i % 10}", ("female", "male")[i % 2], "sad") for i in range(100)
    ]
    groups = summarise_voices(
        utterances, [{"f0_hz": 100.0 + i, "pause_percent": 5.0 * (i < 3)} for i in range(100)], min_speakers=6
    )
    assert {(g.sex, g.emotion) for g in groups} == {(ANY_VOICE, ANY_VOICE), (ANY_VOICE, "sad")}  # five of each sex
    assert set(groups[0].ranges) == {"f0_hz"}  # without variation there is no range
    assert "only 3 of 100 contain a pause" in groups[0].pauses
    written = VoiceRanges("command", "Speakers.", {"tess": {"female": 5, "male": 5}}, 10, groups)
    path = tmp_path / "new" / "voice_ranges.json"
    write_voice_ranges(written, path)
    monkeypatch.setattr("ser_core.interpret.voice_ranges.VOICE_RANGES", path)
    assert load_voice_ranges() == written and "100 clips of 10 speakers" in written.source
    path.write_text("{")
    assert load_voice_ranges() is None


def test_what_is_outside_the_range_is_said():
    found = VoiceRange((1, 5, 10, 25, 50, 75, 90, 95, 99))
    assert [found.place(value) for value in (4, 5, 95, 96)] == ["below", "within", "within", "above"]
    assert found.percentile_of(50) == 50 and found.percentile_of(sys.maxsize) == 99
    shipped = load_voice_ranges().group("female")
    middle = {name: r.at(50) for name, r in shipped.ranges.items()}
    assert shipped.n_speakers >= 15 and set(middle) == set(VOICE_MEASURES) - {"pause_percent"}
    assert 0 < shipped.n_with_pauses < 0.05 * shipped.n_clips
    assert "within" in describe_voice(middle, shipped)
    low = describe_voice(middle | {"f0_hz": 60.0, "jitter_percent": 99.0}, shipped)
    assert "low pitch; pitch range, speech rate, HNR within the normal range" in low  # and not "the rest": the jitter
    assert describe_voice({"rate_hz": middle["rate_hz"]}, shipped).endswith(": speech rate within the normal range.")
    assert describe_voice({}, shipped) == ""

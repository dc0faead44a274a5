"""The voice in numbers, and its place among those of unseen speakers."""

import re
import sys

import numpy as np
import pytest

from ser_core.audio import speech_segments
from ser_core.data import Utterance
from ser_core.interpret import (
    ANY_VOICE,
    VOICE_MEASURES,
    VoiceGroup,
    VoiceRange,
    VoiceRanges,
    describe_voice,
    load_voice_ranges,
    measure_voice,
    summarise_voices,
    write_voice_ranges,
)
from ser_core.interpret.voice import _spread
from ser_core.models import egemaps_functionals, functional_names
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


def test_functionals_are_in_the_units_of_their_measures():
    waveform = voice(150, 0, 2.4)
    found = measure_voice(waveform, WHOLE)
    values = dict(zip(functional_names(), egemaps_functionals(waveform), strict=True))
    assert found["jitter_percent"] == pytest.approx(100 * values["jitterLocal_sma3nz_amean"])
    for n in (1, 2, 3):
        assert found[f"f{n}_hz"] == pytest.approx(values[f"F{n}frequency_sma3nz_amean"])


def test_a_pause_does_not_lower_the_level():
    once, pause = voice(150, 0, 1.0), np.zeros(16_000, np.float32)
    apart = measure_voice(np.concatenate([once, pause, once]), ((0.0, 1.0), (2.0, 3.0)))
    assert apart["level_dbfs"] == pytest.approx(measure_voice(once, ((0.0, 1.0),))["level_dbfs"], abs=0.5)


def test_a_long_recording_is_measured_by_its_first_minute(monkeypatch):
    monkeypatch.setattr("ser_core.interpret.voice.MAX_VOICE_S", 1.0)
    sound = np.concatenate([voice(150, 0, 1.0), voice(300, 0, 2.0)])
    found = measure_voice(sound, ((0.0, 0.5), (0.7, 3.0)))
    assert found["f0_hz"] == pytest.approx(150, rel=0.03) and found["pause_percent"] == pytest.approx(20)


def test_a_range_is_from_the_5th_to_the_95th_percentile():
    assert _spread(np.arange(101)) == 90


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
    assert groups[0].ranges["f0_hz"].normal == pytest.approx((104.95, 194.05))
    assert written.group(ANY_VOICE) is written.groups[0] and written.group("female") is None
    path.write_text(path.read_text().replace(" 99", " 98", 1))  # of another version
    assert load_voice_ranges() is None
    path.write_text("{")
    assert load_voice_ranges() is None


def test_what_is_outside_the_range_is_said():
    found = VoiceRange((1, 5, 10, 25, 50, 75, 90, 95, 99))
    assert [found.place(value) for value in (4, 5, 95, 96)] == ["below", "within", "within", "above"]
    assert found.percentile_of(50) == 50 and found.percentile_of(sys.maxsize) == 99
    other = VoiceRange(tuple(range(100, 190, 10)))
    assert other.percentile_of(140) == 50 and other.at(50) == 140 and other.percentile_of(105) == 3
    shipped = load_voice_ranges().group("female")
    middle = {name: r.at(50) for name, r in shipped.ranges.items()}
    assert shipped.n_speakers >= 15 and set(middle) == set(VOICE_MEASURES) - {"pause_percent"}
    assert 0 < shipped.n_with_pauses < 0.05 * shipped.n_clips
    assert "within" in describe_voice(middle, shipped)
    low = describe_voice(middle | {"f0_hz": 60.0, "jitter_percent": 99.0}, shipped)
    assert "low pitch; pitch range, speech rate, HNR within the normal range" in low  # and not "the rest": the jitter
    assert describe_voice({"rate_hz": middle["rate_hz"]}, shipped).endswith(": speech rate within the normal range.")
    assert describe_voice({}, shipped) == ""


def test_every_unusual_measure_is_named_with_its_direction():
    group = VoiceGroup("male", ANY_VOICE, 9, 90, 0, {name: VoiceRange(tuple(range(9))) for name in VOICE_MEASURES})
    for name, low, high in (
        ("f0_hz", "low pitch", "high pitch"),
        ("f0_range_semitones", "narrow pitch range", "wide pitch range"),
        ("rate_hz", "slow speech", "fast speech"),
        ("hnr_db", "low HNR (a rough", "high HNR (a clear"),
    ):
        for value, words in ((-1, low), (99, high)):
            found = describe_voice({name: value}, group)
            assert re.match(rf"Compared with clips of 9 unseen men: (an )?unusually {re.escape(words)}", found)

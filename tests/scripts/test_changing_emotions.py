"""Joined recordings in which the emotion changes, and how predictions over time are scored on them."""

import json
from itertools import pairwise

import numpy as np
import pytest

from scripts import changing_emotions
from ser_core.audio.vad import speech_segments
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.corpora import read_corpora
from ser_core.evaluation.changing_emotions import (
    JoinedClips,
    join_clips,
    score_live,
    score_segments,
    score_timeline,
)
from ser_core.inference.results import Trajectory
from tests.make_corpus import decoded, write_crema_d

LABELS = ("angry", "happy", "sad")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """(folder of the recordings, cache) of two speakers."""
    corpora, cache = (tmp_path_factory.mktemp(name) for name in ("corpora", "cache"))
    decoded(write_crema_d(corpora, ("1001", "1002")), cache)
    return corpora, cache


def trajectory(*leads: str) -> Trajectory:
    """Windows of 2 s every second, each with 80 % for one emotion."""
    start_s = np.arange(len(leads), dtype=float)
    probabilities = np.array([[0.8 if label == lead else 0.1 for label in LABELS] for lead in leads])
    return Trajectory("m", LABELS, start_s, start_s + 2, probabilities, np.full(len(leads), 2.0), 2.0, 1.0)


def test_the_emotion_changes_and_the_clips_follow_each_other(corpus):
    store = AudioStore(corpus[1])
    clips = [one for one in read_corpora(corpus[0]).utterances if one.speaker.endswith("1001")]
    joined = join_clips(clips, store, np.random.default_rng(1), 4, 1)
    emotions = [emotion for _, _, emotion in joined.clips]
    assert len(emotions) == 4 and all(a != b for a, b in pairwise(emotions))
    pauses_s = np.array([one[0] for one in joined.clips]) - [0, *(one[1] for one in joined.clips[:-1])]
    assert ((pauses_s > 0.249) & (pauses_s < 0.751)).all()
    assert joined.clips[-1][1] == len(joined.waveform) / 16_000
    again = join_clips(clips, store, np.random.default_rng(1), 4, 1)
    np.testing.assert_array_equal(joined.waveform, again.waveform)
    with pytest.raises(ValueError, match="need as many of two emotions"):
        join_clips(clips, store, np.random.default_rng(1), 4, 1000)


def test_a_timeline_is_scored_at_the_middle_of_its_windows():
    recording = JoinedClips(np.zeros(1), ((0.5, 2.5, "happy"), (2.5, 4.5, "sad"), (4.5, 9.0, "calm")), [(0.0, 9.0)])
    right = score_timeline([trajectory("happy", "happy", "sad", "sad")], [recording], 0.5)
    assert (right.uar, right.answered, right.right) == (1.0, 1.0, 1.0)
    late = score_timeline([trajectory("happy", "happy", "happy", "sad")], [recording], 0.5)
    assert (late.uar, late.right) == (0.75, 0.75)  # half of the second emotion; "calm" is not one of its labels
    paused = JoinedClips(np.zeros(1), recording.clips, [(0.0, 3.5)])
    assert score_timeline([trajectory("happy", "happy", "sad", "angry")], [paused], 0.5).uar == 1.0
    unsure = score_timeline([trajectory("happy", "happy", "sad", "sad")], [recording], 0.9)
    assert (unsure.uar, unsure.answered, unsure.right) == (1.0, 0.0, None)


def test_segments_are_scored_by_their_labels(speech):
    """Two phrases of speech, and what lies between them."""
    waveform = np.concatenate([speech, np.zeros(8_000, np.float32), speech])
    duration_s, half_s = len(waveform) / 16_000, len(speech) / 16_000
    clips = ((0.3, half_s - 0.3, "happy"), (half_s + 0.8, duration_s - 0.3, "sad"))
    n_first, n_all = round(half_s), round(duration_s) - 1
    windows = trajectory(*["happy"] * n_first, *["sad"] * (n_all - n_first))
    scores = score_segments([windows], [JoinedClips(waveform, clips, speech_segments(waveform))], 0.5)
    assert scores.uar > 0.85 and scores.answered > 0.85


def test_live_only_windows_that_have_ended_count_and_smoothing_delays():
    recording = JoinedClips(np.zeros(1), ((0.0, 2.0, "happy"), (2.0, 5.0, "sad")), [(0.0, 5.0)])
    windows = trajectory("happy", "sad", "sad", "sad")
    plain = score_live([windows], [recording], 0.5, 0.0)
    assert plain.uar == pytest.approx((1 + 2 / 3) / 2)  # until 3 s the last window that ended is the first
    smooth = score_live([windows], [recording], 0.5, 2.0)
    assert smooth.uar < plain.uar


def test_the_command_writes_each_window_and_way(corpus, tmp_path, monkeypatch, new_model, speech, capsys):
    corpora, cache = corpus
    monkeypatch.setenv("SER_CORPORA", str(corpora))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.setattr(changing_emotions, "RESULT", tmp_path / "found.json")
    monkeypatch.setattr(changing_emotions, "check_complete", lambda *_: None)
    monkeypatch.setattr(changing_emotions, "protocol_folds", lambda _: ["crema_d"])
    monkeypatch.setattr(changing_emotions, "fold_model", lambda *_: new_model())
    monkeypatch.setattr(changing_emotions, "IN_A_ROW", (1,))
    clips = [one for one in read_corpora(corpora).utterances if one.corpus == "crema_d"]
    assert len(changing_emotions.join_corpus(clips, 3, 1)) == 3
    spoken = JoinedClips(speech, ((0.0, len(speech) / 16_000, "sad"),), speech_segments(speech))
    monkeypatch.setattr(changing_emotions, "join_corpus", lambda *_: [spoken, spoken])
    assert changing_emotions.main(["whisper-light", "--recordings", "2"]) == 0
    found = json.loads((tmp_path / "found.json").read_text())["whisper-light"]
    assert found["command"] == "python -m scripts.changing_emotions whisper-light --recordings 2"
    assert set(found["in_a_row"]["1"]) == {"2", "2.5", "4"}
    ways = found["in_a_row"]["1"]["2.5"]["crema_d"]
    assert set(ways) == {"timeline", "segments", "live 0", "live 0.75", "live 1.5"}
    assert all(0 <= scores["uar"] <= 1 and 0 <= scores["answered"] <= 1 for scores in ways.values())

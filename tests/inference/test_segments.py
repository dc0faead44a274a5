"""Segments of trajectories made by hand: no label where nobody speaks, and cuts at pauses."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ser_core.audio.windows import speech_overlap_s
from ser_core.inference.results import Trajectory
from ser_core.inference.segments import (
    MIN_PAUSE_S,
    MIN_SEGMENT_SPEECH_S,
    NOT_ANALYSED,
    Segment,
    _join,
    label_segments,
)
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.labels import EMOTIONS


def trajectory_of(letters: str, speech, certain: float = 0.6, first_s: float = 0.0) -> Trajectory:
    """s: sad, a: angry, h: happy. Windows of 2 s, one each second."""
    where = {"s": "sad", "a": "angry", "h": "happy"}
    probabilities = np.full((len(letters), len(EMOTIONS)), (1 - certain) / (len(EMOTIONS) - 1))
    for row, letter in zip(probabilities, letters, strict=True):
        row[EMOTIONS.index(where[letter])] = certain
    start_s = first_s + np.arange(float(len(letters)))
    speech_s = speech_overlap_s(speech, start_s, start_s + 2)
    return Trajectory("m", EMOTIONS, start_s, start_s + 2, probabilities, speech_s, 2.0, 1.0)


def cut(letters: str, speech, duration_s: float, certain: float = 0.6, first_s: float = 0.0, **options):
    trajectory = trajectory_of(letters, speech, certain, first_s)
    return label_segments(trajectory, trajectory.probabilities.argmax(1), speech, duration_s, **options)


def short(segments: tuple[Segment, ...]) -> list[tuple[float, float, str]]:
    return [(segment.start_s, segment.end_s, segment.label) for segment in segments]


def test_a_label_changes_halfway_between_the_middles_of_windows():
    found = cut("sssaaa", [(0.5, 6.5)], 7.0)
    assert short(found) == [(0, 0.5, NO_SPEECH), (0.5, 3.5, "sad"), (3.5, 6.5, "angry"), (6.5, 7.0, NO_SPEECH)]
    sad = found[1]
    assert sad.confidence == pytest.approx(0.6) and sum(sad.probabilities) == pytest.approx(1)
    assert sad.speech_s == pytest.approx(3.0) and sad.emotion == "sad"


def test_a_label_changes_in_the_pause_between_the_middles():
    found = cut("sssaaa", [(0, 3.1), (3.2, 3.6), (3.8, 7.0)], 7.0)
    assert short(found) == [(0, pytest.approx(3.7), "sad"), (pytest.approx(3.7), 7.0, "angry")]


def test_a_label_changes_in_a_pause_that_begins_before_the_middles():
    found = cut("sssaaa", [(0, 2.8), (3.05, 7.0)], 7.0)
    assert short(found) == [(0, pytest.approx(3.025), "sad"), (pytest.approx(3.025), 7.0, "angry")]


def test_the_windows_of_a_phrase_vote():
    (angry,) = cut("saa", [(0, 4.0)], 4.0)
    assert angry.label == angry.emotion == "angry" and angry.speech_s == 4.0
    chances = trajectory_of("saa", [(0, 4.0)]).probabilities.mean(0)
    assert angry.probabilities == pytest.approx(chances) and angry.confidence == max(angry.probabilities)
    (unsure,) = cut("saa", [(0, 4.0)], 4.0, min_confidence=0.5)
    assert (unsure.label, unsure.emotion) == (NOT_SURE, "angry")


def test_a_window_that_a_phrase_fills_counts_most():
    assert short(cut("sas", [(1.0, 3.0)], 4.0))[1] == (1.0, 3.0, "angry")  # the others reach into it by half


def test_each_phrase_has_its_own_label():
    found = cut("ssaaa", [(0, 2.4), (2.8, 6.0)], 6.0)
    assert short(found) == [(0, 2.4, "sad"), (2.4, 2.8, NO_SPEECH), (2.8, 6.0, "angry")]


def test_a_held_label_has_its_own_probability():
    """Hysteresis keeps a label through windows that another one leads."""
    trajectory = trajectory_of("saa", [(0, 4.0)])
    (held,) = label_segments(trajectory, np.full(3, EMOTIONS.index("sad")), [(0, 4.0)], 4.0)
    mean = trajectory.probabilities.mean(0)
    assert held.emotion == held.label == "sad" and held.confidence == pytest.approx(mean[EMOTIONS.index("sad")])


def test_a_long_pause_has_no_label():
    found = cut("ssssss", [(0, 2.0), (2.2, 3.0), (4.0, 7.0)], 7.0)
    assert short(found) == [(0, 3.0, "sad"), (3.0, 4.0, NO_SPEECH), (4.0, 7.0, "sad")]
    assert found[0].speech_s == pytest.approx(2.8)


def test_a_short_part_joins_its_neighbour():
    joined = cut("ssaa", [(0.0, 2.6)], 5.0)
    assert short(joined) == [(0, 2.6, "sad"), (2.6, 5.0, NO_SPEECH)] and joined[0].speech_s == pytest.approx(2.6)
    assert short(cut("ssaa", [(2.4, 4.0)], 5.0)) == [(0, 2.4, NO_SPEECH), (2.4, 4.0, "angry"), (4.0, 5.0, NO_SPEECH)]


def test_what_is_joined_has_the_emotion_rather_than_no_speech():
    assert _join(Segment(0, 4, NO_SPEECH, 0.5), Segment(4, 6, "sad", 0.25)) == Segment(0, 6, "sad", 0.75)
    assert _join(Segment(0, 2, "sad", 0.25), Segment(2, 6, NO_SPEECH, 0.5)) == Segment(0, 6, "sad", 0.75)


def test_too_little_speech_has_no_label():
    assert short(cut("ss", [(0.5, 0.7)], 3.0)) == [(0, 3.0, NO_SPEECH)]
    assert short(cut("ss", [], 3.0)) == [(0, 3.0, NO_SPEECH)]


def test_an_unsure_model_gives_no_answer():
    (unsure,) = cut("sss", [(0.0, 4.0)], 4.0, min_confidence=0.7)
    assert unsure.label == NOT_SURE and unsure.emotion == "sad" and unsure.confidence == pytest.approx(0.6)


def test_the_rest_of_an_unfinished_analysis_is_not_called_silence():
    assert short(cut("ss", [(0, 60.0)], 60.0, complete=False)) == [(0, 3, "sad"), (3, 60, NOT_ANALYSED)]
    assert short(cut("ss", [(0, 2.5)], 60.0)) == [(0, 2.5, "sad"), (2.5, 60, NO_SPEECH)]
    assert short(cut("ss", [(4, 6.0)], 60.0, first_s=4.0))[0] == (0, 4, NO_SPEECH)


speech_lists = st.lists(st.floats(0.01, 3.0), max_size=24).map(
    lambda steps: tuple(tuple(pair) for pair in np.cumsum(steps)[: len(steps) // 2 * 2].reshape(-1, 2).tolist())
)


@given(
    st.text("sah", min_size=1, max_size=30),
    speech_lists,
    st.floats(0, 5),
    st.floats(0.01, 20),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_segments_follow_each_other_and_name_nothing_without_speech(
    letters, speech, first_s, rest_s, min_confidence, complete
):
    trajectory = trajectory_of(letters, speech, first_s=first_s)
    duration_s = float(trajectory.end_s[-1]) + rest_s
    speech = tuple(pair for pair in speech if pair[1] <= duration_s)
    lead = trajectory.probabilities.argmax(1)
    found = label_segments(trajectory, lead, speech, duration_s, min_confidence, complete)
    assert found[0].start_s == 0 and found[-1].end_s == duration_s
    for one, next_one in pairwise(found):
        assert one.end_s == next_one.start_s and one.label != next_one.label
    for segment in found:
        assert segment.end_s > segment.start_s
        if segment.label not in (NO_SPEECH, NOT_ANALYSED):
            assert segment.speech_s >= MIN_SEGMENT_SPEECH_S
            inside = [pair for pair in speech if pair[1] > segment.start_s and pair[0] < segment.end_s]
            assert all(later[0] - pair[1] < MIN_PAUSE_S for pair, later in pairwise(inside))

"""Smoothing and segments on trajectories made by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ser_core.inference.results import Trajectory
from ser_core.inference.smoothing import (
    EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING,
    NO_SMOOTHING,
    NO_SPEECH,
    NOT_ANALYSED,
    NOT_SURE,
    Smoothing,
    hysteresis_labels,
    label_segments,
    smooth_ema,
    smooth_median,
    smooth_trajectory,
    window_edges_s,
)
from ser_core.labels import EMOTIONS

SAD, ANGRY = EMOTIONS.index("sad"), EMOTIONS.index("angry")


def made(letters: str, hop_s: float = 1.0, certain: float = 0.6, first_s: float = 0.0) -> Trajectory:
    """s: sad, a: angry, h: happy; _: nobody speaks, and the model says angry. Windows of 2 s."""
    where = {"s": SAD, "a": ANGRY, "h": EMOTIONS.index("happy"), "_": ANGRY}
    probabilities = np.full((len(letters), len(EMOTIONS)), (1 - certain) / (len(EMOTIONS) - 1))
    for row, letter in zip(probabilities, letters, strict=True):
        row[where[letter]] = certain
    start_s = first_s + hop_s * np.arange(len(letters))
    speech_s = np.array([0.0 if letter == "_" else 2.0 for letter in letters])
    return Trajectory("m", EMOTIONS, start_s, start_s + 2, probabilities, speech_s, 2.0, hop_s)


def letters_of(lead: np.ndarray) -> str:
    return "".join(EMOTIONS[k][0] for k in lead)


# --- smoothing -------------------------------------------------------------------------------------------------------

rows = st.text("sah_", min_size=1, max_size=30)


@given(
    rows,
    st.sampled_from(
        [Smoothing(), Smoothing(EMA_SMOOTHING, 3), Smoothing(MEDIAN_SMOOTHING, 5), Smoothing(HYSTERESIS_SMOOTHING, 3)]
    ),
)
@settings(max_examples=60, deadline=None)
def test_smoothing_keeps_probabilities_and_touches_no_silence(letters, smoothing):
    before = made(letters)
    after, lead = smooth_trajectory(before, smoothing)
    np.testing.assert_allclose(after.probabilities.sum(1), 1)
    silent = before.speech_s == 0
    np.testing.assert_array_equal(after.probabilities[silent], before.probabilities[silent])
    assert lead.shape == (len(letters),) and set(lead) <= set(range(len(EMOTIONS)))


@given(st.sampled_from("sah"), st.integers(1, 20))
@settings(deadline=None)
def test_what_never_changes_is_left_alone(letter, n_windows):
    before = made(letter * n_windows)
    for smoothing in (Smoothing(EMA_SMOOTHING, 5), Smoothing(MEDIAN_SMOOTHING, 9), Smoothing(HYSTERESIS_SMOOTHING, 10)):
        after, lead = smooth_trajectory(before, smoothing)
        np.testing.assert_allclose(after.probabilities, before.probabilities)
        assert letters_of(lead) == letter * n_windows


def test_the_moving_average_is_left_by_one_part_in_e_after_its_time_constant():
    found = smooth_ema(made("s" + "a" * 10), time_constant_s=4.0).probabilities[:, SAD]
    floor = 0.4 / 7
    assert (found[4] - floor) / (found[0] - floor) == pytest.approx(np.exp(-1))


def test_the_moving_average_does_not_depend_on_the_hop():
    coarse, fine = smooth_ema(made("saaa"), 3.0), smooth_ema(made("ssaaaaaa"[1:], hop_s=0.5), 3.0)
    assert fine.probabilities[-1, SAD] == pytest.approx(coarse.probabilities[-1, SAD], abs=0.02)


def test_the_median_removes_a_single_window_and_no_step():
    assert letters_of(smooth_median(made("sssasss"), 3).probabilities.argmax(1)) == "sssssss"
    assert letters_of(smooth_median(made("sssaaa"), 3).probabilities.argmax(1)) == "sssaaa"


def test_the_median_asks_no_window_without_speech():
    found = smooth_median(made("s__a"), 3)
    assert found.emotions[0] == "sad" and found.emotions[3] == "angry"


def test_a_new_emotion_counts_from_its_start_once_it_led_long_enough(subtests):
    for hold_s, before, after in [
        (3, "ssssaassss", "ssssssssss"),
        (2, "ssssaassss", "ssssaassss"),
        (3, "ssssaaahss", "ssssaaaaaa"),
        (3, "ssss_aa_aass", "ssssaaaaaaaa"),  # a pause does not interrupt; the last two s do not last
        (3, "asssss", "asssss"),
    ]:
        with subtests.test(hold_s=hold_s, before=before, after=after):
            trajectory = made(before)
            lead = hysteresis_labels(trajectory, hold_s)
            heard = trajectory.speech_s > 0
            assert letters_of(lead[heard]) == "".join(c for c, h in zip(after, heard, strict=True) if h)


def test_silence_alone_is_held_without_complaint():
    assert len(hysteresis_labels(made("___"), 5)) == 3


def test_an_unknown_smoothing_is_named():
    with pytest.raises(ValueError, match=r"Unknown smoothing .mean."):
        smooth_trajectory(made("s"), Smoothing("mean", 3))


# --- segments --------------------------------------------------------------------------------------------------------


def cut(letters: str, duration_s: float, **options):
    trajectory = made(letters, **{k: options.pop(k) for k in ("certain", "first_s") if k in options})
    return label_segments(
        trajectory, smooth_trajectory(trajectory, Smoothing(NO_SMOOTHING))[1], [(0.5, 3.5)], duration_s, **options
    )


def test_segments_change_halfway_between_the_middles():
    first, second = cut("ssaa", 5.0)
    assert (first.start_s, first.end_s, first.label) == (0, 2.5, "sad")
    assert (second.start_s, second.end_s, second.label) == (2.5, 5, "angry")
    assert first.confidence == pytest.approx(0.6) and sum(first.probabilities) == pytest.approx(1)
    assert first.speech_s == pytest.approx(2.0) and second.speech_s == pytest.approx(1.0)


def test_silence_has_no_emotion_and_an_unsure_model_no_answer():
    names = [segment.label for segment in cut("s__ss", 6.0, min_confidence=0.5)]
    assert names == ["sad", NO_SPEECH, "sad"]
    (unsure,) = cut("sss", 4.0, min_confidence=0.7)
    assert unsure.label == NOT_SURE and unsure.emotion == "sad" and unsure.confidence == pytest.approx(0.6)


def test_what_was_not_heard_yet_is_not_called_silence():
    assert [s.label for s in cut("ss", 60.0, complete=False)] == ["sad", NOT_ANALYSED]
    assert [s.label for s in cut("ss", 60.0)] == ["sad", NO_SPEECH]
    assert [(s.label, s.start_s) for s in cut("_ss_", 60.0, first_s=4.0)] == [
        (NO_SPEECH, 0),
        ("sad", 5.5),
        (NO_SPEECH, 7.5),
    ]


@given(rows, st.floats(0, 5), st.floats(0.01, 20), st.sampled_from([0.0, 0.5, 0.9]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_segments_follow_each_other_without_gaps(letters, first_s, rest_s, min_confidence, complete):
    trajectory = made(letters, first_s=first_s)
    duration_s = trajectory.end_s[-1] + rest_s
    lead = trajectory.probabilities.argmax(1)
    found = label_segments(trajectory, lead, [], duration_s, min_confidence, complete)
    assert found[0].start_s == 0 and found[-1].end_s == duration_s
    for one, next_one in pairwise(found):
        assert one.end_s == next_one.start_s and one.label != next_one.label
    assert all(segment.end_s > segment.start_s for segment in found)


def test_every_window_reaches_to_its_neighbours():
    np.testing.assert_allclose(window_edges_s(made("sas", first_s=1.0)), [1, 2.5, 3.5, 5])

"""Smoothing on trajectories made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Prediction, Trajectory
from ser_core.inference.smoothing import (
    EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING,
    NO_SPEECH,
    NOT_SURE,
    Smoothing,
    hysteresis_labels,
    label_in_words,
    prediction_label,
    smooth_ema,
    smooth_median,
    smooth_trajectory,
    window_edges_s,
    window_labels,
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


def test_an_emotion_is_held_for_seconds_not_for_windows():
    assert letters_of(hysteresis_labels(made("ssssaaassss", hop_s=0.5), 2)) == "sssssssssss"
    assert letters_of(hysteresis_labels(made("ssssaaaasss", hop_s=0.5), 2)) == "ssssaaaasss"


def test_silence_alone_is_held_without_complaint():
    assert len(hysteresis_labels(made("___"), 5)) == 3


@pytest.mark.parametrize("amount", [-1, np.nan, np.inf])
def test_an_amount_that_would_leave_the_probabilities_is_refused(amount):
    for kind in (EMA_SMOOTHING, MEDIAN_SMOOTHING, HYSTERESIS_SMOOTHING):
        with pytest.raises(ValueError, match="0 or more"):
            Smoothing(kind, amount)


def test_smoothing_by_nothing_changes_nothing(recwarn):
    trajectory = made("sash")
    for kind in (EMA_SMOOTHING, MEDIAN_SMOOTHING):
        smoothed, _ = smooth_trajectory(trajectory, Smoothing(kind, 0))
        np.testing.assert_allclose(smoothed.probabilities, trajectory.probabilities)
    assert not recwarn.list


def test_an_unknown_smoothing_is_named():
    with pytest.raises(ValueError, match=r"Unknown smoothing .mean."):
        smooth_trajectory(made("s"), Smoothing("mean", 3))


# --- labels -------------------------------------------------------------------------------------------------------


def test_a_window_at_the_limits_has_its_emotion():
    """Confidence and speech are enough from their thresholds on, as for the prediction for a recording."""
    for speech_s, certain, label in (
        (MIN_SPEECH_TO_PREDICT_S, 0.6, "sad"),
        (MIN_SPEECH_TO_PREDICT_S, 0.59, NOT_SURE),
        (MIN_SPEECH_TO_PREDICT_S - 0.01, 0.6, NO_SPEECH),
    ):
        trajectory = replace(made("s", certain=certain), speech_s=np.array([speech_s]))
        assert window_labels(trajectory, np.array([SAD]), min_confidence=0.6).tolist() == [label]


def test_a_recording_at_the_limit_of_speech_has_its_emotion():
    prediction = Prediction("m", "sad", 0.6, {"sad": 0.6}, (), False, "", 2.5, MIN_SPEECH_TO_PREDICT_S, 0.0, 2.5)
    assert prediction_label(prediction) == "sad"
    assert prediction_label(replace(prediction, abstain=True)) == NOT_SURE
    assert prediction_label(replace(prediction, speech_s=MIN_SPEECH_TO_PREDICT_S - 0.01)) == NO_SPEECH


def test_a_label_is_written_in_the_words_for_its_emotion():
    assert label_in_words("sad", "▼ sad") == "▼ sad" and label_in_words(NOT_SURE, "▼ sad") == "not sure (▼ sad)"


# --- edges --------------------------------------------------------------------------------------------------------


def test_every_window_reaches_to_its_neighbours():
    np.testing.assert_allclose(window_edges_s(made("sas", first_s=1.0)), [1, 2.5, 3.5, 5])

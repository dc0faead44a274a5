"""The grid a model hears on: what is made of it is what the model would have said itself."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ser_core.audio.io import SAMPLE_RATE
from ser_core.audio.vad import speech_segments
from ser_core.audio.windows import analysed_bounds, speech_overlap_s
from ser_core.inference.prediction.predict import predict, predict_windows
from ser_core.inference.progressive import (
    PartialTrajectory,
    _passes,
    extend_trajectory,
    pool_trajectory,
    start_trajectory,
)
from ser_core.models.checkpoint import Calibration


def run(model, waveform: np.ndarray, hop_s: float = 0.5, n_windows: int = 16) -> tuple[PartialTrajectory, tuple]:
    speech = speech_segments(waveform)
    known = start_trajectory(model, analysed_bounds(waveform, speech), speech, hop_s)
    while known.share < 1:
        known = extend_trajectory(model, waveform, known, n_windows)
    return known, speech


@pytest.fixture(scope="module")
def long(speech) -> np.ndarray:
    """Speech, a pause of four seconds, speech at half the level."""
    return np.concatenate([speech, np.zeros(4 * SAMPLE_RATE, np.float32), 0.5 * speech[::-1]])


@pytest.mark.parametrize("hop_s", [0.5, 1.0, 2.0])
def test_the_models_own_windows_are_what_the_model_says(new_model, long, hop_s):
    model = new_model()
    model.calibration = Calibration(temperature=0.5)
    known, speech = run(model, long)
    found, expected = pool_trajectory(known, speech, 1, hop_s), predict_windows(model, long, hop_s=hop_s, speech=speech)
    np.testing.assert_array_equal(found.start_s, expected.start_s)
    np.testing.assert_array_equal(found.end_s, expected.end_s)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    np.testing.assert_array_equal(found.speech_s, expected.speech_s)


def test_a_window_over_everything_is_the_answer_to_the_recording(new_model, long):
    model = new_model(window_s=1.0)
    known, speech = run(model, long, hop_s=model.trajectory_window_s / 2)
    whole = pool_trajectory(known, speech, n_model_windows=100)
    assert len(whole.start_s) == 1 and whole.window_s == 100 * model.trajectory_window_s
    expected = list(predict(model, long, speech).probabilities.values())
    np.testing.assert_allclose(whole.probabilities[0], expected, atol=1e-5)


def test_a_longer_window_weighs_what_lies_in_it_by_its_speech(new_model, long):
    known, speech = run(new_model(), long)
    found = pool_trajectory(known, speech, 2, 1.0)
    for start_s, end_s, row in zip(found.start_s, found.end_s, np.log(found.probabilities), strict=True):
        inside = (known.grid.starts >= start_s * SAMPLE_RATE - 1) & (known.grid.ends <= end_s * SAMPLE_RATE + 1)
        weight = known.speech_s[inside] if known.speech_s[inside].any() else np.ones(inside.sum())
        expected = weight @ known.logits[inside] / weight.sum()
        np.testing.assert_allclose(np.diff(row), np.diff(expected), atol=1e-3)


def test_piece_by_piece_is_the_same_and_every_piece_can_be_looked_at(new_model, long):
    model = new_model()
    at_once, speech = run(model, long, n_windows=10_000)
    known = start_trajectory(model, analysed_bounds(long, speech), speech)
    shares = [known.share]
    while known.share < 1:
        known = extend_trajectory(model, long, known, 5)
        shares.append(known.share)
        partial = pool_trajectory(known, speech, 4, 2.0)
        assert partial.end_s[-1] == known.until_s and np.all(np.isfinite(partial.probabilities))
    assert shares[0] == 0 and shares[-1] == 1 and len(shares) > 3 and np.all(np.diff(shares) > 0)
    np.testing.assert_allclose(known.logits, at_once.logits, atol=1e-5)


def test_the_first_pass_knows_the_whole_recording_and_each_one_halves_the_hop(new_model, long):
    model = new_model()
    speech = speech_segments(long)
    known, hops_s = start_trajectory(model, analysed_bounds(long, speech), speech), []
    while known.share < 1:
        known = extend_trajectory(model, long, known, 1)
        if known.n_passes > len(hops_s):
            found = pool_trajectory(known, speech, 1, 0.5)
            expected = predict_windows(model, long, hop_s=known.predicted_hop_s, speech=speech)
            np.testing.assert_array_equal(found.start_s, expected.start_s)
            np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
            hops_s.append(found.hop_s)
    assert hops_s == [2.0, 1.0, 0.5]


def test_every_window_is_heard_once(subtests):
    for n_windows, stride in product([1, 2, 5, 8, 9], [1, 2, 4]):
        with subtests.test(n_windows=n_windows, stride=stride):
            passes = _passes(n_windows, stride)
            assert sorted(np.concatenate(passes)) == list(range(n_windows))
            assert passes[0][-1] == n_windows - 1 and np.diff(passes[0]).max(initial=0) <= stride


def test_a_hop_that_is_not_known_yet_is_made_of_the_one_that_is(new_model, long):
    model = new_model()
    speech = speech_segments(long)
    known = extend_trajectory(model, long, start_trajectory(model, analysed_bounds(long, speech), speech), 3)
    assert pool_trajectory(known, speech, 2, 5.0).hop_s == 4.0 and pool_trajectory(known, speech, 1, 0.5).hop_s == 2.0


def test_no_model_is_asked_by_another_look(new_model, long, monkeypatch):
    known, speech = run(new_model(), long)
    monkeypatch.setattr("ser_core.inference.progressive.run_windows", lambda *_: pytest.fail("asked again"))
    assert len(pool_trajectory(known, speech, 4, 5.0).start_s) < len(pool_trajectory(known, speech, 1, 0.5).start_s)


def test_the_temperature_makes_the_answer_milder(new_model, long):
    known, speech = run(new_model(), long)
    assert np.all(
        pool_trajectory(replace(known, temperature=3.0), speech).confidence
        < pool_trajectory(known, speech).confidence + 1e-12
    )


def test_a_recording_shorter_than_a_window_is_one_window(new_model, subtests):
    for n_samples in [1, 400, SAMPLE_RATE]:
        with subtests.test(n_samples=n_samples):
            known, speech = run(new_model(), np.full(n_samples, 0.1, np.float32))
            found = pool_trajectory(known, speech, 8, 0.5)
            assert len(found.start_s) == 1 and found.end_s[0] == n_samples / SAMPLE_RATE and found.speech_s[0] == 0


def test_a_hop_of_the_grid_is_available_despite_rounding(new_model, long):
    partial, speech = run(new_model(), long, hop_s=0.1)  # 0.3 / 0.1 is a little below 3
    assert pool_trajectory(partial, speech, 1, 0.3).hop_s == pytest.approx(0.3)


def test_hops_that_would_guess_or_leave_out_are_refused(new_model, long, subtests):
    for n_model_windows, hop_s in [(1, 0.75), (1, 3.0), (2, 5.5)]:
        with subtests.test(n_model_windows=n_model_windows, hop_s=hop_s):
            known, speech = run(new_model(), long)
            with pytest.raises(ValueError, match="hop"):
                pool_trajectory(known, speech, n_model_windows, hop_s)


def test_speech_between_counts_what_overlaps():
    found = speech_overlap_s([(1.0, 2.0), (3.0, 5.0)], np.array([0.0, 1.5, 2.0]), np.array([1.0, 3.5, 3.0]))
    np.testing.assert_allclose(found, [0, 1, 0])

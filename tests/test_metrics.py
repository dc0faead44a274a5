"""Every measure against scikit-learn or a case that can be worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from ser_core.metrics import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    macro_f1,
    nll,
    score,
    softmax,
    uar,
)

N_CLASSES = 8


@pytest.fixture(params=range(5))
def answers(request) -> tuple[np.ndarray, np.ndarray]:
    """(y_true, y_pred) of 300 clips; on odd seeds two classes never occur, as on CREMA-D."""
    rng = np.random.default_rng(request.param)
    occurring = [0, 2, 3, 4, 5, 6] if request.param % 2 else list(range(N_CLASSES))
    y_true = rng.choice(occurring, 300)
    y_pred = np.where(rng.random(300) < 0.5, y_true, rng.integers(N_CLASSES, size=300))
    return y_true, y_pred


# --- scores ----------------------------------------------------------------------------------------------------------


def test_confusion_matrix_equals_scikit_learn(answers):
    expected = sklearn.confusion_matrix(*answers, labels=range(N_CLASSES))
    np.testing.assert_array_equal(confusion_matrix(*answers, N_CLASSES), expected)


def test_scores_equal_scikit_learn(answers):
    y_true, y_pred = answers
    confusion = confusion_matrix(y_true, y_pred, N_CLASSES)
    assert uar(confusion) == pytest.approx(
        sklearn.recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    )
    assert macro_f1(confusion) == pytest.approx(
        sklearn.f1_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    )
    assert accuracy(confusion) == pytest.approx(sklearn.accuracy_score(y_true, y_pred))


def test_scores_of_a_stack_are_the_scores_of_each(answers):
    one = confusion_matrix(*answers, N_CLASSES)
    stack = np.stack([one, one.T, np.eye(N_CLASSES, dtype=int)])
    for measure in (uar, macro_f1, accuracy):
        np.testing.assert_allclose(measure(stack), [measure(matrix) for matrix in stack])
        assert measure(stack)[2] == 1


def test_always_the_same_answer_is_chance():
    y_true = np.repeat(np.arange(4), [70, 10, 10, 10])
    confusion = confusion_matrix(y_true, np.zeros(100, int), 4)
    assert (uar(confusion), accuracy(confusion)) == (0.25, 0.7)


# --- intervals -------------------------------------------------------------------------------------------------------


def test_score_holds_the_plain_values_and_counts(answers):
    speakers = np.arange(300) % 12
    found = score(*answers, speakers, N_CLASSES)
    confusion = confusion_matrix(*answers, N_CLASSES)
    assert (found.n_clips, found.n_speakers) == (300, 12)
    assert (found.uar, found.macro_f1, found.accuracy) == (uar(confusion), macro_f1(confusion), accuracy(confusion))
    for name in ("uar", "macro_f1", "accuracy"):
        low, high = getattr(found, f"{name}_ci")
        assert 0 <= low < getattr(found, name) < high <= 1
    assert found == score(*answers, speakers, N_CLASSES)


def test_intervals_are_over_speakers_not_clips():
    """Ten speakers, each all right or all wrong: what is uncertain is the speaker, however many clips each has."""
    widths = {}
    for n_clips in (10, 100):
        speakers = np.repeat(np.arange(10), n_clips)
        y_true = np.tile([0, 1], 5 * n_clips)
        y_pred = np.where(speakers % 2, y_true, 1 - y_true)
        low, high = score(y_true, y_pred, speakers, 2).accuracy_ci
        widths[n_clips] = high - low
    assert widths[10] == widths[100] > 0.4
    speakers = np.arange(1000)  # the same answers, each from a speaker of its own
    low, high = score(y_true, y_pred, speakers, 2).accuracy_ci
    assert high - low < 0.08


def test_the_interval_of_accuracy_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 30)
    right = rng.random(600) < rng.uniform(0.3, 0.9, 20)[speakers]
    low, high = score(np.ones(600, int), right.astype(int), speakers, 2).accuracy_ci
    share = right.reshape(20, 30).mean(1)
    expected = np.percentile([rng.choice(share, 20).mean() for _ in range(4000)], (2.5, 97.5))
    np.testing.assert_allclose((low, high), expected, atol=0.015)


def test_a_single_speaker_gives_no_interval(answers):
    found = score(*answers, np.zeros(300), N_CLASSES)
    assert found.uar_ci is None


def test_the_order_of_clips_changes_nothing(answers):
    y_true, y_pred = answers
    speakers = np.arange(300) % 12
    order = np.random.default_rng(1).permutation(300)
    assert score(y_true[order], y_pred[order], speakers[order], N_CLASSES) == score(*answers, speakers, N_CLASSES)


# --- probabilities ---------------------------------------------------------------------------------------------------


def test_softmax():
    logits = np.random.default_rng(0).normal(0, 3, (5, 8))
    np.testing.assert_allclose(softmax(logits), np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_allclose(softmax(logits + 1000), softmax(logits))
    assert softmax(np.array([0.0, 1e4]))[1] == 1


def test_nll_equals_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities, y_true = softmax(rng.normal(0, 2, (200, N_CLASSES))), rng.integers(N_CLASSES, size=200)
    expected = sklearn.log_loss(y_true, probabilities, labels=range(N_CLASSES))
    assert nll(probabilities, y_true) == pytest.approx(expected)
    assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1])))


@pytest.mark.parametrize(("n_right", "expected"), [(8, 0.0), (10, 0.2), (3, 0.5)])
def test_calibration_error_of_ten_clips_at_eighty_percent(n_right, expected):
    probabilities = np.tile([0.8, 0.1, 0.1], (10, 1))
    y_true = np.where(np.arange(10) < n_right, 0, 1)
    assert expected_calibration_error(probabilities, y_true) == pytest.approx(expected)


def test_calibration_error_weighs_its_bins_by_clips():
    sure, unsure = np.tile([1.0, 0.0], (30, 1)), np.tile([0.6, 0.4], (10, 1))
    y_true = np.concatenate([np.zeros(30, int), np.ones(10, int)])
    found = expected_calibration_error(np.concatenate([sure, unsure]), y_true)
    assert found == pytest.approx(0.25 * 0.6)


def test_errors_in_two_bins_do_not_cancel():
    probabilities = np.array([[0.95, 0.05], [0.55, 0.45]])
    assert expected_calibration_error(probabilities, np.array([1, 0])) == pytest.approx((0.95 + 0.45) / 2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (5000, N_CLASSES))
    cumulated = softmax(honest).cumsum(1)
    y_true = (rng.random(len(honest))[:, None] > cumulated).sum(1).clip(max=N_CLASSES - 1)
    found = fit_temperature(temperature * honest, y_true)
    assert found == pytest.approx(temperature, rel=0.06)
    assert expected_calibration_error(softmax(temperature * honest / found), y_true) < 0.025


def test_the_temperature_stays_in_its_range():
    always_right = 5 * np.eye(3)
    assert fit_temperature(always_right, np.arange(3)) == pytest.approx(0.25)
    assert fit_temperature(always_right, (np.arange(3) + 1) % 3) == pytest.approx(4.0, rel=0.02)

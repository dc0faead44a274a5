"""Every measure against scikit-learn or a case that can be worked out by hand."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax
from sklearn import metrics as sklearn

from ser_core.metrics import (
    accuracy,
    auroc,
    brier,
    class_scores,
    compute_scores,
    confusion_matrix,
    cross_entropy,
    entropy,
    fit_temperature,
    holm,
    macro_f1,
    macro_precision,
    mcnemar,
    nll,
    pareto_front,
    precision_recall_curves,
    reliability,
    risk_coverage,
    roc_curves,
    uar,
    weighted_f1,
)

N_CLASSES = 8


@pytest.fixture(params=range(5))
def predictions(request) -> tuple[np.ndarray, np.ndarray]:
    """(y_true, y_pred) of 300 clips; on odd seeds two classes never occur, as on CREMA-D."""
    rng = np.random.default_rng(request.param)
    occurring = [0, 2, 3, 4, 5, 6] if request.param % 2 else list(range(N_CLASSES))
    y_true = rng.choice(occurring, 300)
    y_pred = np.where(rng.random(300) < 0.5, y_true, rng.integers(N_CLASSES, size=300))
    return y_true, y_pred


# --- scores ----------------------------------------------------------------------------------------------------------


def test_confusion_matrix_equals_scikit_learn(predictions):
    expected = sklearn.confusion_matrix(*predictions, labels=range(N_CLASSES))
    np.testing.assert_array_equal(confusion_matrix(*predictions, N_CLASSES), expected)


@pytest.mark.parametrize("kind", [list, np.uint8, np.int8])
def test_a_confusion_matrix_counts_classes_of_any_integer_type(predictions, kind):
    y_true, y_pred = (y * 3 for y in predictions)  # 21 * 24 + 21 is no number of 8 bits
    given = (y.tolist() if kind is list else y.astype(kind) for y in (y_true, y_pred))
    np.testing.assert_array_equal(confusion_matrix(*given, 24), confusion_matrix(y_true, y_pred, 24))


@pytest.mark.parametrize("y_true, y_pred", [([0], [9]), ([1], [-1]), ([8], [0]), ([0, 1, 2], [1])])
def test_a_class_counts_in_no_other_cell(y_true, y_pred):
    with pytest.raises(ValueError, match=r"none of 0 to 7|cannot belong to the same clips"):
        confusion_matrix(np.array(y_true), np.array(y_pred), N_CLASSES)


def test_scores_of_no_clip_are_an_error():
    none = np.zeros(0, int)
    with pytest.raises(ValueError, match="No clip"):
        compute_scores(none, none, none.astype(str), N_CLASSES)


@pytest.mark.parametrize("logits", [np.zeros((0, 2)), np.array([[np.nan, 1.0]])])
def test_no_temperature_is_fitted_without_logits(logits):
    with pytest.raises(ValueError, match="cannot be fitted"):
        fit_temperature(logits, np.zeros(len(logits), int))


def test_scores_equal_scikit_learn(predictions):
    y_true, y_pred = predictions
    confusion = confusion_matrix(y_true, y_pred, N_CLASSES)
    assert uar(confusion) == pytest.approx(
        sklearn.recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    )
    assert macro_f1(confusion) == pytest.approx(
        sklearn.f1_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    )
    assert accuracy(confusion) == pytest.approx(sklearn.accuracy_score(y_true, y_pred))
    assert weighted_f1(confusion) == pytest.approx(sklearn.f1_score(y_true, y_pred, average="weighted"))
    assert macro_precision(confusion) == pytest.approx(
        sklearn.precision_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    )


def test_scores_of_a_stack_are_the_scores_of_each(predictions):
    one = confusion_matrix(*predictions, N_CLASSES)
    stack = np.stack([one, one.T, np.eye(N_CLASSES, dtype=int)])
    for measure in (uar, macro_f1, accuracy, weighted_f1, macro_precision):
        np.testing.assert_allclose(measure(stack), [measure(matrix) for matrix in stack])
        assert measure(stack)[2] == 1


def test_always_the_same_answer_is_chance():
    y_true = np.repeat(np.arange(4), [70, 10, 10, 10])
    confusion = confusion_matrix(y_true, np.zeros(100, int), 4)
    assert (uar(confusion), accuracy(confusion)) == (0.25, 0.7)


# --- intervals -------------------------------------------------------------------------------------------------------


def test_score_holds_the_plain_values_and_counts(predictions):
    speakers = np.arange(300) % 12
    found = compute_scores(*predictions, speakers, N_CLASSES)
    confusion = confusion_matrix(*predictions, N_CLASSES)
    assert (found.n_clips, found.n_speakers) == (300, 12)
    assert (found.uar, found.macro_f1, found.accuracy) == (uar(confusion), macro_f1(confusion), accuracy(confusion))
    for name in ("uar", "macro_f1", "accuracy"):
        low, high = getattr(found, f"{name}_ci")
        assert 0 <= low < getattr(found, name) < high <= 1
        low, high = getattr(found, f"{name}_ci_clips")
        assert 0 <= low < getattr(found, name) < high <= 1
    assert (found.weighted_f1, found.macro_precision) == (weighted_f1(confusion), macro_precision(confusion))
    assert found.macro_recall == found.uar
    assert found == compute_scores(*predictions, speakers, N_CLASSES)


def test_intervals_are_over_speakers_not_clips():
    """Ten speakers, each all right or all wrong: what is uncertain is the speaker, however many clips each has."""
    widths = {}
    for n_clips in (10, 100):
        speakers = np.repeat(np.arange(10), n_clips)
        y_true = np.tile([0, 1], 5 * n_clips)
        y_pred = np.where(speakers % 2, y_true, 1 - y_true)
        low, high = compute_scores(y_true, y_pred, speakers, 2).accuracy_ci
        widths[n_clips] = high - low
    assert widths[10] == pytest.approx(widths[100]) and widths[10] > 0.4
    speakers = np.arange(1000)  # the same answers, each from a speaker of its own
    low, high = compute_scores(y_true, y_pred, speakers, 2).accuracy_ci
    assert high - low < 0.08


def test_the_interval_of_accuracy_is_the_t_interval_of_the_speakers():
    """With equally many clips of each speaker, accuracy is the mean of the speakers."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 30)
    right = rng.random(600) < rng.uniform(0.3, 0.9, 20)[speakers]
    found = compute_scores(np.ones(600, int), right.astype(int), speakers, 2).accuracy_ci
    share = right.reshape(20, 30).mean(1)
    expected = stats.t.interval(0.95, 19, share.mean(), stats.sem(share))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_interval_of_several_corpora_is_that_of_a_stratified_sample():
    """Its variance is the sum over corpora of their squared share times the squared standard error in them."""
    rng, sizes = np.random.default_rng(0), (8, 30)
    speakers = np.repeat(np.arange(38), 20)
    corpora = np.where(speakers < sizes[0], "small", "large")
    right = rng.random(760) < rng.uniform(0.3, 0.9, 38)[speakers]
    found = compute_scores(np.ones(760, int), right.astype(int), speakers, 2, corpora=corpora).accuracy_ci
    parts = np.split(right.reshape(38, 20).mean(1), [sizes[0]])
    error = np.hypot(*(n / 38 * stats.sem(part) for n, part in zip(sizes, parts, strict=True)))
    expected = stats.t.interval(0.95, sum(sizes) - 2, right.mean(), error)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_interval_covers_the_true_value():
    """Speakers differ as those of the corpora do (standard deviation 0.12)."""
    rng = np.random.default_rng(0)
    for n_speakers in (8, 18):
        inside = 0
        for _ in range(400):
            right = rng.random((n_speakers, 60)) < np.clip(rng.normal(0.6, 0.12, n_speakers), 0, 1)[:, None]
            speakers = np.repeat(np.arange(n_speakers), 60)
            low, high = compute_scores(np.ones(right.size, int), right.ravel().astype(int), speakers, 2).accuracy_ci
            inside += low <= 0.6 <= high
        assert 0.92 <= inside / 400 <= 0.98


def test_fewer_than_eight_speakers_of_a_corpus_give_no_interval(predictions):
    for n_speakers in (1, 2, 7):
        found = compute_scores(*predictions, np.arange(300) % n_speakers, N_CLASSES)
        assert found.uar_ci is None and found.uar_ci_clips[0] < found.uar < found.uar_ci_clips[1]
    speakers = np.arange(300) % 20
    corpora = np.where(speakers < 4, "small", "large")
    assert compute_scores(*predictions, speakers, N_CLASSES).uar_ci
    assert compute_scores(*predictions, speakers, N_CLASSES, corpora=corpora).uar_ci is None


def test_speakers_are_resampled_within_their_corpus():
    """Two corpora, each with equal speakers: the difference between corpora is no uncertainty over speakers."""
    speakers = np.repeat(np.arange(20), 10)
    y_true = np.ones(200, int)
    y_pred = np.where(speakers < 10, 1, np.tile([1, 0], 100))
    corpora = np.where(speakers < 10, "easy", "hard")
    assert compute_scores(y_true, y_pred, speakers, 2, corpora=corpora).accuracy_ci == pytest.approx((0.75, 0.75))
    low, high = compute_scores(y_true, y_pred, speakers, 2).accuracy_ci
    assert high - low > 0.2


def test_the_order_of_clips_changes_nothing(predictions):
    y_true, y_pred = predictions
    speakers = np.arange(300) % 12
    order = np.random.default_rng(1).permutation(300)
    assert compute_scores(y_true[order], y_pred[order], speakers[order], N_CLASSES) == compute_scores(
        *predictions, speakers, N_CLASSES
    )


@pytest.mark.parametrize("measure", [uar, macro_f1, accuracy], ids=lambda m: m.__name__)
def test_the_interval_over_clips_is_that_of_a_plain_bootstrap(predictions, measure):
    y_true, y_pred = predictions
    found = getattr(compute_scores(y_true, y_pred, np.arange(300) % 3, N_CLASSES), f"{measure.__name__}_ci_clips")
    rng = np.random.default_rng(7)
    drawn = (rng.integers(300, size=300) for _ in range(2000))
    values = [measure(confusion_matrix(y_true[i], y_pred[i], N_CLASSES)) for i in drawn]
    np.testing.assert_allclose(found, np.percentile(values, (2.5, 97.5)), atol=0.012)


# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def likely(predictions) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities, y_true), better than chance, with many equal values."""
    y_true, _ = predictions
    logits = np.random.default_rng(3).normal(0, 1, (300, N_CLASSES)) + 1.5 * np.eye(N_CLASSES)[y_true]
    return softmax(logits, axis=-1).round(2), y_true


def test_class_scores_equal_scikit_learn(likely):
    probabilities, y_true = likely
    found, occurring = class_scores(probabilities, y_true), np.unique(y_true)
    table = sklearn.precision_recall_fscore_support(y_true, probabilities.argmax(1), labels=occurring, zero_division=0)
    assert list(found) == occurring.tolist()
    for k, expected in zip(occurring, np.transpose(table), strict=True):
        c = found[k]
        np.testing.assert_allclose((c.precision, c.recall, c.f1, c.support), expected)
        assert c.roc_auc == pytest.approx(sklearn.roc_auc_score(y_true == k, probabilities[:, k]))
        assert c.average_precision == pytest.approx(sklearn.average_precision_score(y_true == k, probabilities[:, k]))


def test_curves_of_three_clips():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    roc, pr = (
        roc_curves(probabilities, np.array([0, 0, 1])),
        precision_recall_curves(probabilities, np.array([0, 0, 1])),
    )
    assert roc[0].area == roc[1].area == 0.5 and (roc[0].x[[0, -1]] == [0, 1]).all()
    assert pr[0].area == pytest.approx((1 + 2 / 3) / 2) and (pr[0].x[[0, -1]] == [1, 0]).all()


def test_a_class_without_another_has_no_roc():
    probabilities = np.tile([0.6, 0.4], (3, 1))
    found = class_scores(probabilities, np.zeros(3, int))
    assert set(found) == {0} and found[0].roc_auc is None and found[0].average_precision == 1


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_mcnemar_counts_what_only_one_got_right():
    right_a, right_b = (
        np.repeat([True, True, False, False], (40, 9, 1, 50)),
        np.repeat([True, False, True, False], (40, 9, 1, 50)),
    )
    found = mcnemar(right_a, right_b)
    assert (found.n_only_a, found.n_only_b) == (9, 1)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)  # two-sided binomial, 9 or more of 10
    assert mcnemar(right_b, right_a).p_value == found.p_value


def test_models_that_never_differ_do_not_differ():
    right = np.array([True, False])
    assert mcnemar(right, right).p_value == 1


def test_answers_to_other_clips_are_no_pair():
    with pytest.raises(ValueError, match="clips"):
        mcnemar(np.ones(3, bool), np.ones(1, bool))


def test_holm():
    """The worked example of Holm's procedure: 0.01 x 4, 0.03 x 2 and 0.04 raised to its predecessor."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1, 1])
    assert len(holm([])) == 0


# --- probabilities ---------------------------------------------------------------------------------------------------


def test_nll_equals_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities, y_true = softmax(rng.normal(0, 2, (200, N_CLASSES)), axis=-1), rng.integers(N_CLASSES, size=200)
    expected = sklearn.log_loss(y_true, probabilities, labels=range(N_CLASSES))
    assert nll(probabilities, y_true) == pytest.approx(expected)
    assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1])))


@pytest.mark.parametrize("score", [nll, brier, reliability, risk_coverage])
@pytest.mark.parametrize(
    ("probabilities", "y_true", "fault"),
    [
        ([[0.5, np.nan], [0.5, 0.5]], [0, 1], "not finite"),
        (np.zeros((0, 2)), [], "at least one clip"),
        ([[0.5, 0.5]], [0, 1], "cannot be scored"),
        ([0.5, 0.5], [0, 1], "cannot be scored"),
        ([[0.5, 0.5]], [-1], "none of 0 to 1"),
        ([[0.5, 0.5]], [2], "none of 0 to 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(score, probabilities, y_true, fault):
    with pytest.raises(ValueError, match=fault):
        score(np.array(probabilities), np.array(y_true, int))


def test_cross_entropy_with_one_hot_targets_is_the_nll():
    rng = np.random.default_rng(0)
    probabilities, y_true = softmax(rng.normal(0, 2, (200, N_CLASSES)), axis=-1), rng.integers(N_CLASSES, size=200)
    assert cross_entropy(probabilities, np.eye(N_CLASSES)[y_true]) == pytest.approx(nll(probabilities, y_true))


def test_nothing_goes_below_the_entropy():
    votes = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert entropy(votes) == pytest.approx(np.log(2) / 2) == cross_entropy(votes, votes)
    assert cross_entropy(np.array([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0]]), votes) > entropy(votes)


def test_brier_score_of_three_clips():
    probabilities = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.3, 0.2]])
    assert brier(probabilities, np.zeros(3, int)) == pytest.approx((0 + 2 + 0.25 + 0.09 + 0.04) / 3)


def test_reliability_of_four_clips():
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95], [1.0, 0.0], [0.55, 0.45]])
    found = reliability(probabilities, np.array([0, 0, 0, 1]))
    assert len(found.n_clips) == 15 and (found.n_clips[14], found.n_clips[8], sum(found.n_clips)) == (3, 1, 4)
    assert found.confidence[14] == pytest.approx(2.9 / 3) and found.accuracy[14] == pytest.approx(2 / 3)
    assert found.ece == pytest.approx((3 * (2.9 / 3 - 2 / 3) + 0.55) / 4)


def test_risk_grows_with_coverage_when_certainty_is_earned():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    found = risk_coverage(probabilities, np.array([0, 0, 1, 0]))
    np.testing.assert_allclose(found.x, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.y, [0, 0, 1 / 3, 1 / 4])
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


def test_clips_of_one_certainty_share_their_risk(likely):
    probabilities, y_true = likely
    order = np.random.default_rng(0).permutation(300)
    whole = risk_coverage(probabilities, y_true)
    assert whole.area == pytest.approx(risk_coverage(probabilities[order], y_true[order]).area)
    assert whole.y[-1] == pytest.approx((probabilities.argmax(1) != y_true).mean())
    flat = risk_coverage(np.tile([0.6, 0.4], (4, 1)), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(flat.y, 0.25)


def test_calibration_error_of_ten_clips_at_eighty_percent(subtests):
    for n_right, expected in [(8, 0.0), (10, 0.2), (3, 0.5)]:
        with subtests.test(n_right=n_right, expected=expected):
            probabilities = np.tile([0.8, 0.1, 0.1], (10, 1))
            y_true = np.where(np.arange(10) < n_right, 0, 1)
            assert reliability(probabilities, y_true).ece == pytest.approx(expected)


def test_calibration_error_weighs_its_bins_by_clips():
    sure, unsure = np.tile([1.0, 0.0], (30, 1)), np.tile([0.6, 0.4], (10, 1))
    y_true = np.concatenate([np.zeros(30, int), np.ones(10, int)])
    found = reliability(np.concatenate([sure, unsure]), y_true).ece
    assert found == pytest.approx(0.25 * 0.6)


def test_errors_in_two_bins_do_not_cancel():
    probabilities = np.array([[0.95, 0.05], [0.55, 0.45]])
    assert reliability(probabilities, np.array([1, 0])).ece == pytest.approx((0.95 + 0.45) / 2)


def test_the_temperature_that_was_put_in_is_found(subtests):
    for temperature in [0.5, 1.0, 2.5]:
        with subtests.test(temperature=temperature):
            rng = np.random.default_rng(0)
            honest = rng.normal(0, 2, (5000, N_CLASSES))
            cumulated = softmax(honest, axis=-1).cumsum(1)
            y_true = (rng.random(len(honest))[:, None] > cumulated).sum(1).clip(max=N_CLASSES - 1)
            found = fit_temperature(temperature * honest, y_true)
            assert found == pytest.approx(temperature, rel=0.06)
            assert reliability(softmax(temperature * honest / found, axis=-1), y_true).ece < 0.025


def test_the_temperature_stays_in_its_range():
    always_right = 5 * np.eye(3)
    assert fit_temperature(always_right, np.arange(3)) == pytest.approx(0.25)
    assert fit_temperature(always_right, (np.arange(3) + 1) % 3) == pytest.approx(4.0, rel=0.02)


def test_auroc_is_the_probability_of_a_larger_value():
    rng = np.random.default_rng(0)
    negatives, positives = rng.integers(0, 20, 50), rng.integers(5, 25, 70)  # with ties
    truth = np.r_[np.zeros(50), np.ones(70)]
    assert auroc(negatives, positives) == pytest.approx(sklearn.roc_auc_score(truth, np.r_[negatives, positives]))
    assert auroc(np.array([]), positives) == auroc(negatives, np.array([])) == 0.5


def test_of_equally_fast_models_the_better_one_is_on_the_front():
    models = {"fast": (1.0, 0.5), "worse": (2.0, 0.6), "better": (2.0, 0.7), "as good": (2.0, 0.7), "slow": (3.0, 0.7)}
    assert pareto_front(models) == {"fast", "better", "as good"}

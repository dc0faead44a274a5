"""Measures of predictions: scores, confidence intervals over speakers and over clips, calibration, tests of pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax, stdtrit

N_BOOTSTRAP = 1000
MIN_SPEAKERS = 8  # of a corpus, for an interval over speakers
N_ECE_BINS = 15

ConfidenceInterval = tuple[float, float]


@dataclass(frozen=True)
class Scores:
    """Scores of the predictions for one set of clips; every value in [0, 1], means are over the classes that occur.

    The intervals are 95 %. `_ci` is over speakers (t, jackknife within corpora); None where a corpus has fewer than
    MIN_SPEAKERS: so few do not represent others. `_ci_clips` resamples clips, as published tables do: too narrow,
    because clips of one voice are alike.
    """

    n_clips: int
    n_speakers: int
    uar: float
    macro_f1: float
    accuracy: float
    weighted_f1: float
    macro_precision: float
    macro_recall: float  # the UAR, under the name that published tables give it
    uar_ci: ConfidenceInterval | None
    macro_f1_ci: ConfidenceInterval | None
    accuracy_ci: ConfidenceInterval | None
    uar_ci_clips: ConfidenceInterval
    macro_f1_ci_clips: ConfidenceInterval
    accuracy_ci_clips: ConfidenceInterval


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class against all others; every value but support in [0, 1]."""

    precision: float  # 0 when it was never predicted
    recall: float
    f1: float
    support: int  # clips of this class
    roc_auc: float | None  # None when there is no clip of another class
    average_precision: float


@dataclass(frozen=True, eq=False)
class Curve:
    """The points of a curve and its area."""

    x: np.ndarray  # (n_points,)
    y: np.ndarray  # (n_points,)
    area: float


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in equally wide bins of confidence; 0 in an empty bin."""

    n_clips: tuple[int, ...]
    confidence: tuple[float, ...]  # mean of the bin
    accuracy: tuple[float, ...]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy (Guo et al. 2017)."""
        gap = np.abs(np.subtract(self.confidence, self.accuracy))
        return float(gap @ np.array(self.n_clips) / max(sum(self.n_clips), 1))


@dataclass(frozen=True)
class McNemar:
    """Do two models differ on the same clips?"""

    n_only_a: int  # clips that only the first one got right
    n_only_b: int
    p_value: float  # two-sided, exact


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts, shape = (n_classes, n_classes): row is the true class, column the prediction."""
    return np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_where(_diagonal(confusion) / np.maximum(confusion.sum(-1), 1), confusion.sum(-1) > 0)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_where(_f1(confusion), confusion.sum(-1) > 0)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of correct predictions; works on a stack, shape = (..., n, n)."""
    return _diagonal(confusion).sum(-1) / np.maximum(confusion.sum((-1, -2)), 1)


def _diagonal(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _f1(confusion: np.ndarray) -> np.ndarray:
    """Of each class, shape = (..., n)."""
    return 2 * _diagonal(confusion) / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)


def _mean_where(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    return (values * used).sum(-1) / np.maximum(used.sum(-1), 1)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 weighted by the clips of each class; works on a stack, shape = (..., n, n)."""
    support = confusion.sum(-1)
    return (_f1(confusion) * support).sum(-1) / np.maximum(support.sum(-1), 1)


def macro_precision(confusion: np.ndarray) -> np.ndarray:
    """Mean precision over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_where(_diagonal(confusion) / np.maximum(confusion.sum(-2), 1), confusion.sum(-1) > 0)


def compute_scores(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    speakers: np.ndarray,
    n_classes: int,
    seed: int = 0,
    corpora: np.ndarray | None = None,
) -> Scores:
    """Scores with 95 % confidence intervals, over speakers by a t distribution and over clips by bootstrap.

    Args:
        y_true, y_pred: class indices, shape = (n_clips,).
        speakers: speaker of each clip, shape = (n_clips,).
        seed: of the bootstrap.
        corpora: whose speaker it is, shape = (n_clips,); None: all of one corpus.
    """
    names, first = np.unique(speakers, return_index=True)
    per_speaker = np.stack(
        [confusion_matrix(y_true[speakers == name], y_pred[speakers == name], n_classes) for name in names]
    )
    strata = np.zeros(len(names)) if corpora is None else corpora[first]
    confusion = per_speaker.sum(0)
    by_clip = _bootstrap_clips(confusion, seed)
    intervals: dict = {}
    for measure in (uar, macro_f1, accuracy):
        intervals[f"{measure.__name__}_ci"] = _speaker_interval(per_speaker, strata, measure)
        intervals[f"{measure.__name__}_ci_clips"] = _confidence_interval(measure(by_clip))
    return Scores(
        n_clips=len(y_true),
        n_speakers=len(names),
        uar=float(uar(confusion)),
        macro_f1=float(macro_f1(confusion)),
        accuracy=float(accuracy(confusion)),
        weighted_f1=float(weighted_f1(confusion)),
        macro_precision=float(macro_precision(confusion)),
        macro_recall=float(uar(confusion)),
        **intervals,
    )


def _speaker_interval(
    per_speaker: np.ndarray, strata: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]
) -> ConfidenceInterval | None:
    """t interval from the jackknife over speakers within each corpus; None below MIN_SPEAKERS of a corpus.

    A percentile bootstrap over n speakers is too narrow by about the ratio of normal and t quantiles and by
    sqrt(1 - 1/n): it covers 85 % with 5 speakers and 90 % with 18.

    Args:
        per_speaker: confusion matrices, shape = (n_speakers, n, n).
        strata: corpus of each speaker, shape = (n_speakers,).
        measure: of a stack of confusion matrices.
    """
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    if sizes.min() < MIN_SPEAKERS:
        return None
    confusion = per_speaker.sum(0)
    without = measure(confusion - per_speaker)
    deviation = without - (np.bincount(stratum, without) / sizes)[stratum]
    variance = float((np.square(deviation) * (1 - 1 / sizes)[stratum]).sum())
    half = float(stdtrit((sizes - 1).sum(), 0.975)) * variance**0.5
    value = float(measure(confusion))
    return max(value - half, 0.0), min(value + half, 1.0)


def _bootstrap_clips(confusion: np.ndarray, seed: int) -> np.ndarray:
    """Confusion matrices of drawn clips, shape = (N_BOOTSTRAP, n, n): to draw clips is to draw cells of the matrix."""
    n_clips = confusion.sum()
    drawn = np.random.default_rng(seed).multinomial(n_clips, confusion.ravel() / n_clips, size=N_BOOTSTRAP)
    return drawn.reshape(-1, *confusion.shape)


def _confidence_interval(values: np.ndarray) -> ConfidenceInterval:
    low, high = np.percentile(values, (2.5, 97.5)).tolist()
    return low, high


def class_scores(probabilities: np.ndarray, y_true: np.ndarray) -> dict[int, ClassScores]:
    """Every class that occurs, by index; probabilities has shape (n_clips, n_classes)."""
    confusion = confusion_matrix(y_true, probabilities.argmax(1), probabilities.shape[1])
    precision = _diagonal(confusion) / np.maximum(confusion.sum(0), 1)
    recall, f1 = _diagonal(confusion) / np.maximum(confusion.sum(1), 1), _f1(confusion)
    roc, average = roc_curves(probabilities, y_true), precision_recall_curves(probabilities, y_true)
    return {
        k: ClassScores(
            precision=float(precision[k]),
            recall=float(recall[k]),
            f1=float(f1[k]),
            support=int(confusion[k].sum()),
            roc_auc=roc[k].area if k in roc else None,
            average_precision=average[k].area,
        )
        for k in np.unique(y_true).tolist()
    }


def roc_curves(probabilities: np.ndarray, y_true: np.ndarray) -> dict[int, Curve]:
    """Receiver operating characteristic of each class against the rest: x false, y true positive rate, area AUC.

    Classes without clips, or without clips of another class, have none.
    """
    from sklearn.metrics import auc, roc_curve  # here: it takes a second, and the app's start needs none of it

    curves = {}
    for k in np.unique(y_true).tolist():
        if (y_true != k).any():
            false_rate, true_rate, _ = roc_curve(y_true == k, probabilities[:, k])
            curves[k] = Curve(false_rate, true_rate, float(auc(false_rate, true_rate)))
    return curves


def precision_recall_curves(probabilities: np.ndarray, y_true: np.ndarray) -> dict[int, Curve]:
    """Of each class that occurs, against the rest: x recall, y precision, area average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve  # here: as in roc_curves

    curves = {}
    for k in np.unique(y_true).tolist():
        precision, recall, _ = precision_recall_curve(y_true == k, probabilities[:, k])
        curves[k] = Curve(recall, precision, float(average_precision_score(y_true == k, probabilities[:, k])))
    return curves


def auroc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a positive has the larger value; 0.5 without one of the two."""
    from scipy.stats import rankdata  # here: as in roc_curves

    if not len(negatives) or not len(positives):
        return 0.5
    ranks = rankdata(np.concatenate([positives, negatives]))[: len(positives)]
    return float((ranks.sum() - len(positives) * (len(positives) + 1) / 2) / (len(positives) * len(negatives)))


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> McNemar:
    """McNemar's test, exact (binomial), of two models on the same clips.

    Args:
        correct_a, correct_b: whether each prediction is correct, bool, shape = (n_clips,), in the same order of clips.

    Raises:
        ValueError: not the same number of clips.
    """
    from scipy.stats import binomtest  # here: as in roc_curves

    if len(correct_a) != len(correct_b):
        raise ValueError(f"{len(correct_a)} and {len(correct_b)} predictions cannot belong to the same clips.")
    n_only_a, n_only_b = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    n_differ = n_only_a + n_only_b
    return McNemar(n_only_a, n_only_b, float(binomtest(n_only_a, n_differ).pvalue) if n_differ else 1.0)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number (Holm 1979), in the order given, shape = (n,)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


def format_percent(value: float, interval: tuple[float, float] | None) -> str:
    """A score as "62.2 [56.7, 68.0]", in percent."""
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def round_floats(value, rule: Callable[[float], float] = lambda number: round(number, 4)):
    """The same dicts and lists (tuples become lists) with every float rounded, by default to 4 places."""
    if isinstance(value, float):
        return rule(value)
    if isinstance(value, dict):
        return {key: round_floats(item, rule) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [round_floats(item, rule) for item in value]
    return value


def nll(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; probabilities has shape (n_clips, n_classes)."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(y_true)), y_true], 1e-12)).mean())


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean over clips, in nats, against distributions over the classes; both of shape (n_clips, n_classes)."""
    return float(-(targets * np.log(np.maximum(probabilities, 1e-12))).sum(1).mean())


def entropy(distributions: np.ndarray) -> float:
    """Mean over rows, in nats: the cross entropy that no prediction can go below."""
    return cross_entropy(distributions, distributions)


def brier(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """Brier score over all classes, in [0, 2]: mean squared distance from the truth (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[y_true]  # by hand: scikit-learn's warns of rows that rounding leaves off 1
    return float(np.square(probabilities - truth).sum(1).mean())


def reliability(probabilities: np.ndarray, y_true: np.ndarray, n_bins: int = N_ECE_BINS) -> Reliability:
    """Confidence against accuracy; probabilities has shape (n_clips, n_classes)."""
    confidence = probabilities.max(1)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    n_clips = np.bincount(bins, minlength=n_bins)
    sums = (np.bincount(bins, values, n_bins) for values in (confidence, probabilities.argmax(1) == y_true))
    means = (tuple((values / np.maximum(n_clips, 1)).tolist()) for values in sums)
    return Reliability(tuple(n_clips.tolist()), *means)


def risk_coverage(probabilities: np.ndarray, y_true: np.ndarray) -> Curve:
    """Share of wrong predictions (y) among the most confident share of the clips (x); area AURC, lower is better.

    Geifman & El-Yaniv, "Selective classification for deep neural networks", 2017. Clips of the same confidence count
    as their mean, so that their order decides nothing.
    """
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != y_true
    _, level = np.unique(-confidence, return_inverse=True)
    n_equal = np.bincount(level)
    risk_of_level = np.bincount(level, wrong) / n_equal
    kept = np.arange(1, len(wrong) + 1)
    risk = np.cumsum(np.repeat(risk_of_level, n_equal)) / kept
    return Curve(kept / len(wrong), risk, float(risk.mean()))


def fit_temperature(logits: np.ndarray, y_true: np.ndarray) -> float:
    """The temperature in [0.25, 4] with the lowest NLL (Guo et al. 2017), to 1 %.

    Args:
        logits: shape = (n_clips, n_classes), of speakers that the model has not been trained on.
        y_true: class indices, shape = (n_clips,).
    """
    candidates = np.exp(np.arange(np.log(0.25), np.log(4.0), 0.01))
    return float(min(candidates, key=lambda temperature: nll(softmax(logits / temperature, axis=-1), y_true)))

"""Curves over the decision threshold, each with its area, and the Pareto front of latency and UAR."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ser_core.metrics.calibration import check_probabilities


@dataclass(frozen=True, eq=False)
class Curve:
    """The points of a curve and its area."""

    x: np.ndarray  # (n_points,)
    y: np.ndarray  # (n_points,)
    area: float


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


def risk_coverage(probabilities: np.ndarray, y_true: np.ndarray) -> Curve:
    """Share of wrong predictions (y) among the most confident share of the clips (x); area AURC, lower is better.

    Geifman & El-Yaniv, "Selective classification for deep neural networks", 2017. Clips of the same confidence count
    as their mean, so that their order decides nothing. Arguments and errors as check_probabilities.
    """
    check_probabilities(probabilities, y_true)
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != y_true
    _, level = np.unique(-confidence, return_inverse=True)
    n_equal = np.bincount(level)
    risk_of_level = np.bincount(level, wrong) / n_equal
    kept = np.arange(1, len(wrong) + 1)
    risk = np.cumsum(np.repeat(risk_of_level, n_equal)) / kept
    return Curve(kept / len(wrong), risk, float(risk.mean()))


def pareto_front(models: Mapping[str, tuple[float, float]]) -> set[str]:
    """The models that no other one beats: by being at least as fast and as good, and better in one of them.

    Args:
        models: name -> (latency in ms, UAR).
    """

    def is_beaten(latency_ms: float, uar: float) -> bool:
        others = (other for other in models.values() if other != (latency_ms, uar))
        return any(other_ms <= latency_ms and other_uar >= uar for other_ms, other_uar in others)

    return {name for name, own in models.items() if not is_beaten(*own)}

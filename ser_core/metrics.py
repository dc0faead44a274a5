"""Numbers from answers: UAR, macro-F1, accuracy, confidence intervals over speakers, calibration."""

from dataclasses import dataclass

import numpy as np

N_BOOTSTRAP = 1000
N_ECE_BINS = 15


@dataclass(frozen=True)
class Scores:
    """How well one set of clips was answered; every value in [0, 1].

    The intervals are 95 %, by resampling speakers; None for a single speaker, who says nothing about others.
    """

    n_clips: int
    n_speakers: int
    uar: float
    macro_f1: float
    accuracy: float
    uar_ci: tuple[float, float] | None
    macro_f1_ci: tuple[float, float] | None
    accuracy_ci: tuple[float, float] | None


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts, shape = (n_classes, n_classes): row is the true class, column the answer."""
    return np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that occur; works on a stack, shape = (..., n, n)."""
    return _mean_where(_diagonal(confusion) / np.maximum(confusion.sum(-1), 1), confusion.sum(-1) > 0)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur; works on a stack, shape = (..., n, n)."""
    f1 = 2 * _diagonal(confusion) / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)
    return _mean_where(f1, confusion.sum(-1) > 0)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of right answers; works on a stack, shape = (..., n, n)."""
    return _diagonal(confusion).sum(-1) / np.maximum(confusion.sum((-1, -2)), 1)


def _diagonal(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _mean_where(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    return (values * used).sum(-1) / np.maximum(used.sum(-1), 1)


def score(y_true: np.ndarray, y_pred: np.ndarray, speakers: np.ndarray, n_classes: int, seed: int = 0) -> Scores:
    """Scores with 95 % confidence intervals by bootstrap over speakers, not clips: clips of one voice are alike.

    Args:
        y_true, y_pred: class indices, shape = (n_clips,).
        speakers: speaker of each clip, shape = (n_clips,).
    """
    names = np.unique(speakers)
    per_speaker = np.stack(
        [confusion_matrix(y_true[speakers == name], y_pred[speakers == name], n_classes) for name in names]
    )
    drawn = np.random.default_rng(seed).integers(len(names), size=(N_BOOTSTRAP, len(names)))
    resampled = per_speaker[drawn].sum(1)
    found: dict = {}
    for name, measure in (("uar", uar), ("macro_f1", macro_f1), ("accuracy", accuracy)):
        found[name] = float(measure(per_speaker.sum(0)))
        low, high = np.percentile(measure(resampled), (2.5, 97.5)).tolist()
        found[f"{name}_ci"] = (low, high) if len(names) > 1 else None
    return Scores(n_clips=len(y_true), n_speakers=len(names), **found)


def percent(value: float, interval: tuple[float, float] | None) -> str:
    """A score as "62.2 [56.7, 68.0]", in percent."""
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def nll(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; probabilities has shape (n_clips, n_classes)."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(y_true)), y_true], 1e-12)).mean())


def expected_calibration_error(probabilities: np.ndarray, y_true: np.ndarray, n_bins: int = N_ECE_BINS) -> float:
    """Mean gap between certainty and accuracy over equally wide bins (Guo et al. 2017)."""
    confidence = probabilities.max(1)
    gap = (probabilities.argmax(1) == y_true) - confidence
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, gap, n_bins)).sum() / len(y_true))


def fit_temperature(logits: np.ndarray, y_true: np.ndarray) -> float:
    """The temperature in [0.25, 4] with the lowest NLL (Guo et al. 2017), to 1 %.

    Args:
        logits: shape = (n_clips, n_classes), of speakers that the model has not been trained on.
        y_true: class indices, shape = (n_clips,).
    """
    candidates = np.exp(np.arange(np.log(0.25), np.log(4.0), 0.01))
    return float(min(candidates, key=lambda temperature: nll(softmax(logits / temperature), y_true)))

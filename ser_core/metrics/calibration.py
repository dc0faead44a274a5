"""Calibration of probabilities: likelihood, Brier score, reliability, temperature."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

N_ECE_BINS = 15


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


def check_probabilities(probabilities: np.ndarray, y_true: np.ndarray) -> None:
    """Checks what a score is computed from.

    Args:
        probabilities: shape = (n_clips, n_classes).
        y_true: class indices, shape = (n_clips,).

    Raises:
        ValueError: no clip, not one class of 0..n_classes - 1 for each, or probabilities that are not finite.
    """
    if probabilities.ndim != 2 or not len(probabilities) or np.shape(y_true) != probabilities.shape[:1]:
        raise ValueError(
            f"Probabilities of shape {probabilities.shape} and classes of shape {np.shape(y_true)} cannot be scored: "
            "give (n_clips, n_classes) and (n_clips,) of at least one clip."
        )
    if not np.isfinite(probabilities).all():
        raise ValueError("Some probabilities are not finite: predict these clips again.")
    if np.min(y_true) < 0 or np.max(y_true) >= probabilities.shape[1]:
        raise ValueError(f"A class is none of 0 to {probabilities.shape[1] - 1}.")


def nll(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; arguments and errors as check_probabilities."""
    check_probabilities(probabilities, y_true)
    return float(-np.log(np.maximum(probabilities[np.arange(len(y_true)), y_true], 1e-12)).mean())


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean over clips, in nats, against distributions over the classes; both of shape (n_clips, n_classes)."""
    return float(-(targets * np.log(np.maximum(probabilities, 1e-12))).sum(1).mean())


def entropy(distributions: np.ndarray) -> float:
    """Mean over rows, in nats: the cross entropy that no prediction can go below."""
    return cross_entropy(distributions, distributions)


def brier(probabilities: np.ndarray, y_true: np.ndarray) -> float:
    """Brier score over all classes, in [0, 2]: mean squared distance from the truth (Brier 1950).

    Arguments and errors as check_probabilities.
    """
    check_probabilities(probabilities, y_true)
    truth = np.eye(probabilities.shape[1])[y_true]  # by hand: scikit-learn's warns of rows that rounding leaves off 1
    return float(np.square(probabilities - truth).sum(1).mean())


def reliability(probabilities: np.ndarray, y_true: np.ndarray) -> Reliability:
    """Confidence against accuracy; arguments and errors as check_probabilities."""
    check_probabilities(probabilities, y_true)
    confidence = probabilities.max(1)
    bins = np.minimum((confidence * N_ECE_BINS).astype(int), N_ECE_BINS - 1)
    n_clips = np.bincount(bins, minlength=N_ECE_BINS)
    sums = (np.bincount(bins, values, N_ECE_BINS) for values in (confidence, probabilities.argmax(1) == y_true))
    means = (tuple((values / np.maximum(n_clips, 1)).tolist()) for values in sums)
    return Reliability(tuple(n_clips.tolist()), *means)


def fit_temperature(logits: np.ndarray, y_true: np.ndarray) -> float:
    """The temperature in [0.25, 4] with the lowest NLL (Guo et al. 2017), to 1 %.

    Args:
        logits: shape = (n_clips, n_classes), of speakers that the model has not been trained on.
        y_true: class indices, shape = (n_clips,).

    Raises:
        ValueError: no clip, or logits that are not finite: every temperature would be as good.
    """
    if not len(logits) or not np.isfinite(logits).all():
        raise ValueError(f"A temperature cannot be fitted to {len(logits)} clips unless their logits are finite.")
    candidates = np.exp(np.arange(np.log(0.25), np.log(4.0), 0.01))
    return float(min(candidates, key=lambda temperature: nll(softmax(logits / temperature, axis=-1), y_true)))

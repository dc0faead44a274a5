"""Confounds of a labelled collection: does the sentence, the speaker or the level alone give the label away?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.metrics import confusion_matrix, uar

N_FOLDS = 5
N_PERMUTATIONS = 200
N_BINS = 8  # of a quantity
SIGNIFICANCE_LEVEL = 0.01
MIN_CLIPS = 10


@dataclass(frozen=True)
class Confound:
    """How well one property predicts the label by itself; UAR in [0, 1]."""

    name: str
    uar: float
    chance: float  # mean with permuted labels
    p_value: float  # one-sided permutation test

    @property
    def gives_away(self) -> bool:
        return self.p_value < SIGNIFICANCE_LEVEL


def measure_confounds(
    labels: Sequence[str],
    groups: Mapping[str, Sequence[str | None]],
    quantities: Mapping[str, Sequence[float]],
    rng: np.random.Generator,
) -> list[Confound]:
    """Cross-validated UAR of the most frequent label of clips with the same value; the strongest confound first.

    Args:
        labels: emotion of each clip.
        groups: property -> value of each clip, None where it is unknown; left out where there are not two values.
        quantities: property -> number of each clip, taken in bins of equally many clips.

    Returns:
        Nothing below MIN_CLIPS, or with a single emotion.
    """
    _, y = np.unique(np.array(labels, str), return_inverse=True)
    if len(y) < MIN_CLIPS or y.max(initial=0) == 0:
        return []
    values = {name: np.array([str(v) for v in found]) for name, found in groups.items()}
    values |= {name: _bins(np.array(found, float)) for name, found in quantities.items()}
    found = [_measure(name, column, y, rng) for name, column in values.items() if len(np.unique(column)) > 1]
    return sorted(found, key=lambda confound: confound.chance - confound.uar)


def _bins(values: np.ndarray) -> np.ndarray:
    n_bins = max(min(N_BINS, len(values) // N_FOLDS), 2)
    return np.digitize(values, np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))


def _measure(name: str, values: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Confound:
    _, group = np.unique(values, return_inverse=True)
    fold = rng.permutation(len(y)) % N_FOLDS
    observed = _cross_validated_uar(group, y, fold)
    permuted = np.array([_cross_validated_uar(group, rng.permutation(y), fold) for _ in range(N_PERMUTATIONS)])
    p_value = (1 + int((permuted >= observed).sum())) / (1 + N_PERMUTATIONS)
    return Confound(name, observed, float(permuted.mean()), p_value)


def _cross_validated_uar(group: np.ndarray, y: np.ndarray, fold: np.ndarray) -> float:
    """Of the most frequent label of the same group in the other folds; of all groups where it has none there."""
    n_classes = int(y.max()) + 1
    predicted = np.empty_like(y)
    for k in range(N_FOLDS):
        test = fold == k
        counts = np.zeros((int(group.max()) + 1, n_classes))
        np.add.at(counts, (group[~test], y[~test]), 1)
        overall = counts.sum(0) / counts.sum()
        predicted[test] = (counts + 0.1 * overall)[group[test]].argmax(1)
    return float(uar(confusion_matrix(y, predicted, n_classes)))

"""Tests of pairs of models on the same clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class McNemar:
    """Do two models differ on the same clips?"""

    n_only_a: int  # clips that only the first one got right
    n_only_b: int
    p_value: float  # two-sided, exact


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> McNemar:
    """McNemar's test, exact (binomial), of two models on the same clips.

    Args:
        correct_a, correct_b: whether each prediction is correct, bool, shape = (n_clips,), in the same order of clips.

    Raises:
        ValueError: not the same number of clips.
    """
    from scipy.stats import binomtest  # here: it takes a second, and the start of the app needs none of it

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

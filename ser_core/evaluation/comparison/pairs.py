"""Pairwise tests of the models of a ranking."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ser_core.evaluation.results import EvaluationResult
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.metrics import holm, mcnemar

SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class PairwiseTest:
    """McNemar's exact test of two models; the first one ranks higher."""

    first: str
    second: str
    n_only_first: int  # clips that only the first one predicts correctly
    n_only_second: int
    p_value: float
    p_holm: float  # corrected for the number of pairs

    @property
    def significant(self) -> bool:
        return self.p_holm < SIGNIFICANCE_LEVEL


def pooled_predictions(result: EvaluationResult) -> PredictionTable:
    """Predictions on the pooled corpora."""
    return result.predictions.select(lambda u: u.corpus in result.metrics["pooled_corpora"])


def pairwise_tests(ranked: Sequence[EvaluationResult]) -> tuple[PairwiseTest, ...]:
    right = {result.model: pooled_predictions(result).correct for result in ranked}
    couples = list(combinations(right, 2))
    tests = [mcnemar(right[a], right[b]) for a, b in couples]
    corrected = holm([test.p_value for test in tests])
    return tuple(
        PairwiseTest(a, b, test.n_only_a, test.n_only_b, test.p_value, float(p))
        for (a, b), test, p in zip(couples, tests, corrected, strict=True)
    )

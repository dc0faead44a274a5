"""A model in a ranking: its scores, and their differences to published ones."""

from dataclasses import dataclass

import numpy as np

from ser_core.evaluation.cross_validation import FOLD_METRICS, mean_over_corpora
from ser_core.evaluation.results import EvaluationResult, is_shipped
from ser_core.evaluation.scoring.metrics import calibration_metrics

SUMMARY_METRICS = ("accuracy", "macro_f1", "weighted_f1", "macro_precision", "macro_recall")


@dataclass(frozen=True)
class RankedModel:
    """One model of a ranking; every value in [0, 1]."""

    model: str
    family: str
    left_out: float | None  # UAR averaged over left-out corpora, of the same recipe; None: not evaluated on all
    means: dict[str, float]  # uar, macro_f1 and accuracy, averaged over the corpora of the test part
    shipped: bool  # the weights are part of the repository
    pooled: dict  # metrics.Scores, as the result file holds it
    corpora: dict[str, dict]  # the same for each corpus
    per_class: dict[str, dict]  # emotion -> metrics.ClassScores, pooled
    confusion: list[list[int]]  # pooled, rows true, columns predicted, in label order
    ece: float  # mean over the corpora
    nll: float  # nats
    aurc: float  # area under the risk-coverage curve
    cost: dict
    published: dict | None  # the published row; None without one
    difference: dict | None  # ours minus published: accuracy, ..., corpora
    reached: bool | None  # whether every published pooled figure was reached; None without one


def ranked_model(result: EvaluationResult, row: dict | None, left_out: float | None) -> RankedModel:
    metrics = result.metrics
    difference = _published_difference(metrics, row) if row else None
    return RankedModel(
        model=result.model,
        family=result.family,
        left_out=left_out,
        means={measure: mean_over_corpora(metrics, measure) for measure in FOLD_METRICS},
        shipped=is_shipped(result),
        pooled=metrics["pooled"],
        corpora=metrics["corpora"],
        per_class=metrics["per_class"]["pooled"],
        confusion=metrics["confusion"]["pooled"],
        ece=_mean_ece(result),
        **{name: metrics["calibration"]["after"][name] for name in ("nll", "aurc")},
        cost=result.cost,
        published=row,
        difference=difference,
        reached=_is_reached(difference or {}),
    )


def _is_reached(difference: dict) -> bool | None:
    figures = [difference[name] for name in SUMMARY_METRICS if name in difference]
    return min(figures) >= 0 if figures else None


def _mean_ece(result: EvaluationResult) -> float:
    parts = (result.predictions.of_corpus(corpus) for corpus in result.metrics["pooled_corpora"])
    return float(np.mean([calibration_metrics(part.probabilities, part.y_true).ece for part in parts]))


def _published_difference(metrics: dict, row: dict) -> dict:
    """Ours minus published, for each figure that was published."""
    difference: dict = {name: round(metrics["pooled"][name] - row[name], 4) for name in SUMMARY_METRICS if name in row}
    corpora = {name: accuracy for name, accuracy in row.get("corpora", {}).items() if name in metrics["corpora"]}
    difference["corpora"] = {n: round(metrics["corpora"][n]["accuracy"] - value, 4) for n, value in corpora.items()}
    return difference

"""One recipe under all folds of a protocol: every speaker is tested once, by the model that has never heard them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_core.data import protocol_folds, split_name
from ser_core.evaluation.evaluator import PredictionTable, calibration_metrics, compute_metrics
from ser_core.evaluation.results import EvaluationResult, list_results, load_result
from ser_core.metrics import Scores

FOLD_METRICS = ("uar", "macro_f1", "accuracy")


@dataclass(frozen=True)
class FoldSpread:
    """One measure over the folds that test a corpus; in [0, 1]."""

    mean: float
    lowest: float
    highest: float
    n_folds: int


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """A model under the folds that were measured."""

    model: str
    protocol: str
    measured_folds: tuple[str, ...]  # folds
    missing: tuple[str, ...]
    corpora: dict[str, dict[str, FoldSpread]]  # corpus -> measure -> over folds
    common_accuracy_mean: float | None  # six emotions, mean over folds of the mean over corpora
    pooled_by_corpus: dict[str, Scores]  # corpus -> all its test clips of all folds together
    pooled: Scores
    ece: float  # of all speech clips together, each by the temperature of its fold
    coverage: float  # share of speech clips that were answered
    accuracy_when_answered: float


def summarise_folds(results: Sequence[EvaluationResult]) -> CrossValidationResult:
    """Joins the results of one model.

    Args:
        results: one for each measured fold of a protocol.

    Raises:
        ValueError: none, of several models or protocols, or a fold twice.
    """
    if not results or len({(r.model, r.protocol) for r in results}) > 1:
        raise ValueError("All folds of one model under one protocol are wanted.")
    measured = tuple(str(r.fold) for r in results)
    if len(set(measured)) < len(measured):
        raise ValueError(f"A fold twice: {', '.join(measured)}.")
    metrics = [r.metrics for r in results]
    joined = concatenate_predictions([r.answers for r in results])
    together = compute_metrics(joined)
    common = [m["common_accuracy_mean"] for m in metrics if m["common_accuracy_mean"] is not None]
    speech = joined.select(lambda u: u.corpus in together.pooled_corpora)
    return CrossValidationResult(
        model=results[0].model,
        protocol=results[0].protocol,
        measured_folds=measured,
        missing=tuple(fold for fold in protocol_folds(results[0].protocol) if fold not in measured),
        corpora={c: _fold_spreads([m["corpora"][c] for m in metrics if c in m["corpora"]]) for c in together.corpora},
        common_accuracy_mean=float(np.mean(common)) if common else None,
        pooled_by_corpus=together.corpora,
        pooled=together.pooled,
        ece=calibration_metrics(speech.probabilities, speech.y_true).ece,
        coverage=together.coverage,
        accuracy_when_answered=together.accuracy_when_answered,
    )


def concatenate_predictions(answers: Sequence[PredictionTable]) -> PredictionTable:
    """The answers of several models to clips of their own as if of one."""
    return replace(
        answers[0],
        utterances=tuple(u for part in answers for u in part.utterances),
        probabilities=np.concatenate([part.probabilities for part in answers]),
        abstained=np.concatenate([part.abstained for part in answers]),
    )


def load_cross_validation(protocol: str, folder: Path | None = None) -> dict[str, CrossValidationResult]:
    """Every model that was measured under more than one fold, by name. Errors as in load_result."""
    found: dict[str, list[EvaluationResult]] = {}
    for fold in protocol_folds(protocol):
        for path in list_results(split_name(protocol, fold), folder):
            found.setdefault(path.stem, []).append(load_result(path))
    honest = {model: [r for r in results if not r.leak] for model, results in found.items()}
    return {model: summarise_folds(results) for model, results in honest.items() if len(results) > 1}


def _fold_spreads(scores: Sequence[dict]) -> dict[str, FoldSpread]:
    values = {measure: [s[measure] for s in scores] for measure in FOLD_METRICS}
    return {name: FoldSpread(float(np.mean(v)), min(v), max(v), len(v)) for name, v in values.items()}

"""Cross-validation: one recipe under all folds of a protocol, so that every speaker is tested once as unseen."""

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
    """Spread of a metric over the folds that test a corpus; in [0, 1]."""

    mean: float
    lowest: float
    highest: float
    n_folds: int


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """Results of a model over its evaluated folds."""

    model: str
    protocol: str
    measured_folds: tuple[str, ...]
    missing: tuple[str, ...]
    corpora: dict[str, dict[str, FoldSpread]]  # corpus -> measure -> over folds
    common_accuracy_mean: float | None  # six emotions, mean over folds of the mean over corpora
    pooled_by_corpus: dict[str, Scores]  # corpus -> all its test clips of all folds together
    pooled: Scores
    ece: float  # of all speech clips together, each with the temperature of its fold
    coverage: float  # share of speech clips without abstention
    accuracy_when_answered: float


def summarise_folds(results: Sequence[EvaluationResult]) -> CrossValidationResult:
    """Summarises the folds of one model.

    Args:
        results: one per evaluated fold of a protocol.

    Raises:
        ValueError: no result, several models or protocols, or a repeated fold.
    """
    if not results or len({(r.model, r.protocol) for r in results}) > 1:
        raise ValueError("The results must be of one model under one protocol.")
    measured = tuple(str(r.fold) for r in results)
    if len(set(measured)) < len(measured):
        raise ValueError(f"Repeated folds: {', '.join(measured)}.")
    metrics = [r.metrics for r in results]
    joined = concatenate_predictions([r.predictions for r in results])
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


def concatenate_predictions(predictions: Sequence[PredictionTable]) -> PredictionTable:
    """Predictions of several models, each for its own clips, as one table."""
    return replace(
        predictions[0],
        utterances=tuple(u for part in predictions for u in part.utterances),
        probabilities=np.concatenate([part.probabilities for part in predictions]),
        abstained=np.concatenate([part.abstained for part in predictions]),
    )


def load_cross_validation(protocol: str, folder: Path | None = None) -> dict[str, CrossValidationResult]:
    """Cross-validation of every model with more than one evaluated fold, by name. Errors as in load_result."""
    found: dict[str, list[EvaluationResult]] = {}
    for fold in protocol_folds(protocol):
        for path in list_results(split_name(protocol, fold), folder):
            found.setdefault(path.stem, []).append(load_result(path))
    honest = {model: [r for r in results if not r.leak] for model, results in found.items()}
    return {model: summarise_folds(results) for model, results in honest.items() if len(results) > 1}


def _fold_spreads(scores: Sequence[dict]) -> dict[str, FoldSpread]:
    values = {measure: [s[measure] for s in scores] for measure in FOLD_METRICS}
    return {name: FoldSpread(float(np.mean(v)), min(v), max(v), len(v)) for name, v in values.items()}

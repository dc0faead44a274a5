"""Cross-validation: one recipe under all folds of a protocol, and the rule by which all models are ranked.

The ranking: by the UAR on left-out corpora, for the models that have it; then by the mean over corpora of the UAR on
the test part. Figures pooled over corpora rank nothing: the largest corpus would decide.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from scipy.special import softmax

from ser_core import paths
from ser_core.data import LEAVE_ONE_CORPUS_OUT, is_speech, protocol_folds, protocol_split, split_name
from ser_core.evaluation.results import EvaluationResult, list_results, load_result
from ser_core.evaluation.scoring.metrics import calibration_metrics, compute_metrics
from ser_core.evaluation.scoring.predictions import PROBABILITY_FLOOR, PredictionTable
from ser_core.metrics import Scores, auroc
from ser_core.models import CONFIG_FILE, Calibration

FOLD_METRICS = ("uar", "macro_f1", "accuracy")


@dataclass(frozen=True)
class FoldSpread:
    """Spread of a metric over the folds that test a corpus; in [0, 1]."""

    mean: float
    lowest: float
    highest: float
    n_folds: int


@dataclass(frozen=True)
class Confidence:
    """What the confidence of a model is worth on one corpus, or on average; values in [0, 1]."""

    ece: float
    auroc: float  # probability that a correct prediction is more confident than a wrong one
    coverage: float  # share of clips without abstention
    accuracy_when_answered: float


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """Results of a model over its evaluated folds."""

    model: str
    protocol: str
    measured_folds: tuple[str, ...]
    missing: tuple[str, ...]
    corpora: dict[str, dict[str, FoldSpread]]  # corpus -> measure -> over folds
    common_accuracy_mean: float | None  # six emotions, mean over corpora of all their clips
    mean_uar: float  # mean over the speech corpora of all their clips
    pooled_by_corpus: dict[str, Scores]  # corpus -> all its test clips of all folds together
    pooled: Scores
    confidence: dict[str, Confidence]  # by speech corpus; empty without a calibration
    mean_confidence: Confidence | None  # over these corpora
    calibrated: bool  # on development speakers of the folds; False: the calibration of the shipped checkpoint is used


def summarise_folds(results: Sequence[EvaluationResult]) -> CrossValidationResult:
    """Summarises the folds of one model.

    Args:
        results: one per evaluated fold of a protocol.

    Raises:
        ValueError: no result, several models or protocols, or a repeated fold.
    """
    measured = _measured_folds(results)
    metrics = [r.metrics for r in results]
    joined = concatenate_predictions([r.predictions for r in results])
    together = compute_metrics(joined)
    calibrated = all(protocol_split(r.protocol, r.fold).dev for r in results)
    confidence = _confidence(joined if calibrated else _as_shipped(joined, results[0].model), together.pooled_corpora)
    return CrossValidationResult(
        model=results[0].model,
        protocol=results[0].protocol,
        measured_folds=measured,
        missing=tuple(fold for fold in protocol_folds(results[0].protocol) if fold not in measured),
        corpora={c: _fold_spreads([m["corpora"][c] for m in metrics if c in m["corpora"]]) for c in together.corpora},
        common_accuracy_mean=together.common_accuracy_mean,
        mean_uar=float(np.mean([together.corpora[corpus].uar for corpus in together.pooled_corpora])),
        pooled_by_corpus=together.corpora,
        pooled=together.pooled,
        confidence=confidence,
        mean_confidence=_mean_confidence(confidence),
        calibrated=calibrated,
    )


def _measured_folds(results: Sequence[EvaluationResult]) -> tuple[str, ...]:
    if not results or len({(r.model, r.protocol) for r in results}) > 1:
        raise ValueError("The results must be of one model under one protocol.")
    measured = tuple(str(r.fold) for r in results)
    if len(set(measured)) < len(measured):
        raise ValueError(f"Repeated folds: {', '.join(measured)}.")
    return measured


def _as_shipped(joined: PredictionTable, model: str) -> PredictionTable | None:
    """Predictions with temperature and threshold of the shipped checkpoint of that name; None without one.

    A protocol without a development part leaves its models uncalibrated: they answer every clip.
    """
    config = paths.CHECKPOINTS / model / CONFIG_FILE
    if not config.is_file():
        return None
    calibration = Calibration(**json.loads(config.read_text())["calibration"])
    logits = np.log(np.maximum(joined.uncalibrated, PROBABILITY_FLOOR))
    probabilities = softmax(logits / calibration.temperature, axis=-1)
    unsure = joined.abstained | (probabilities.max(1) < calibration.min_confidence)
    return replace(joined, probabilities=probabilities, abstained=unsure, temperature=calibration.temperature)


def _confidence(predictions: PredictionTable | None, corpora: Sequence[str]) -> dict[str, Confidence]:
    if predictions is None:
        return {}
    return {corpus: _corpus_confidence(predictions.of_corpus(corpus)) for corpus in corpora}


def _corpus_confidence(predictions: PredictionTable) -> Confidence:
    right, certainty = predictions.correct, predictions.probabilities.max(1)
    return Confidence(
        ece=calibration_metrics(predictions.probabilities, predictions.y_true).ece,
        auroc=auroc(certainty[~right], certainty[right]),
        coverage=float((~predictions.abstained).mean()),
        accuracy_when_answered=predictions.accuracy_when_answered,
    )


def _mean_confidence(found: Mapping[str, Confidence]) -> Confidence | None:
    if not found:
        return None
    rows = [asdict(confidence) for confidence in found.values()]
    return Confidence(**{field.name: float(np.mean([r[field.name] for r in rows])) for field in fields(Confidence)})


def mean_over_corpora(metrics: Mapping, measure: str) -> float:
    """A measure of a result file's metrics, averaged over the corpora of speech; over those of song without any."""
    corpora = metrics["corpora"]
    chosen = [name for name in corpora if is_speech(name)] or list(corpora)
    return float(np.mean([corpora[name][measure] for name in chosen]))


def left_out_uars() -> dict[str, float]:
    """Model -> UAR averaged over the left-out corpora, of the models that were tested on each. Errors as load_result.

    Each corpus is tested by a model of the same recipe, trained on the other corpora.
    """
    parts = [split_name(LEAVE_ONE_CORPUS_OUT, fold) for fold in protocol_folds(LEAVE_ONE_CORPUS_OUT)]
    found: dict[str, list[float]] = {}
    for path in (path for part in parts for path in list_results(part)):
        result = load_result(path)
        if not result.leak:
            found.setdefault(result.model, []).append(mean_over_corpora(result.metrics, "uar"))
    return {model: float(np.mean(uars)) for model, uars in found.items() if len(uars) == len(parts)}


def ranking_key(left_out: float | None, mean_uar: float, model: str) -> tuple:
    """Sort key of the ranking, the best first: left-out corpora where a model has them, then the mean over corpora."""
    return left_out is None, -(left_out or 0.0), -mean_uar, model


def concatenate_predictions(predictions: Sequence[PredictionTable]) -> PredictionTable:
    """Predictions of several models, each for its own clips, as one table."""
    return replace(
        predictions[0],
        utterances=tuple(u for part in predictions for u in part.utterances),
        probabilities=np.concatenate([part.probabilities for part in predictions]),
        abstained=np.concatenate([part.abstained for part in predictions]),
    )


def load_cross_validation(protocol: str) -> dict[str, CrossValidationResult]:
    """Cross-validation of every model with more than one evaluated fold, by name. Errors as in load_result."""
    found: dict[str, list[EvaluationResult]] = {}
    for fold in protocol_folds(protocol):
        for path in list_results(split_name(protocol, fold)):
            found.setdefault(path.stem, []).append(load_result(path))
    valid = {model: [r for r in results if not r.leak] for model, results in found.items()}
    return {model: summarise_folds(results) for model, results in valid.items() if len(results) > 1}


def _fold_spreads(scores: Sequence[dict]) -> dict[str, FoldSpread]:
    values = {measure: [s[measure] for s in scores] for measure in FOLD_METRICS}
    return {name: FoldSpread(float(np.mean(v)), min(v), max(v), len(v)) for name, v in values.items()}

"""All scores of a table of predictions, per corpus and pooled."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ser_core.data import ALL_SPEECH_CORPORA, ListenerVotes
from ser_core.evaluation.scoring.listeners import ListenerVoteScores, score_against_votes
from ser_core.evaluation.scoring.predictions import PROBABILITY_FLOOR, PredictionTable
from ser_core.labels import COMMON_EMOTIONS
from ser_core.metrics import ClassScores, Reliability, Scores, brier, nll, reliability, risk_coverage, round_floats


@dataclass(frozen=True)
class CalibrationMetrics:
    """Calibration of probabilities."""

    nll: float  # nats
    brier: float  # over all classes, in [0, 2]
    ece: float  # 15 bins
    aurc: float  # area under the risk-coverage curve
    reliability: Reliability


@dataclass(frozen=True)
class CalibrationScores:
    """Calibration without and with the temperature of the checkpoint."""

    temperature: float
    before: CalibrationMetrics
    after: CalibrationMetrics


@dataclass(frozen=True)
class Metrics:
    """Scores of one model on a set of utterances; figures without a corpus are of the pooled corpora."""

    pooled_corpora: tuple[str, ...]  # all but song; with song if RAVDESS is alone, as published
    corpora: dict[str, Scores]
    pooled: Scores
    common_pooled: Scores | None  # clips of the six emotions that all corpora have; None without any
    common_accuracy_mean: float | None  # averaged over corpora; None if one has no clip
    calibration: CalibrationScores
    votes: ListenerVoteScores | None  # None without CREMA-D, or without the file of the votes
    coverage: float  # share of clips without abstention
    accuracy_when_answered: float
    per_class: dict[str, dict[str, ClassScores]]  # by corpus and "pooled", of the classes that occur
    confusion: dict[str, list[list[int]]]  # by corpus and "pooled", rows true, columns predicted, in label order

    def to_dict(self) -> dict:
        """JSON-serialisable, floats rounded to 4 places, but for the temperature."""
        values = round_floats(asdict(self))
        values["calibration"]["temperature"] = self.calibration.temperature
        return values


def compute_metrics(predictions: PredictionTable, votes: ListenerVotes | None = None) -> Metrics:
    """All scores of a table of predictions.

    Each corpus is scored by itself, also one that is not among CORPUS_NAMES.

    Raises:
        ValueError: no clip.
    """
    predictions = predictions.rounded()
    names = _corpora_in_order(predictions)
    pooled_corpora = _pooled_corpora(names)
    per_corpus = {name: predictions.of_corpus(name) for name in names}
    pooled = predictions.select(lambda u: u.corpus in pooled_corpora)
    common = pooled.select(lambda u: u.emotion in COMMON_EMOTIONS)
    parts = per_corpus | {"pooled": pooled}
    return Metrics(
        pooled_corpora=pooled_corpora,
        corpora={name: part.scores() for name, part in per_corpus.items()},
        pooled=pooled.scores(),
        common_pooled=common.scores() if common.utterances else None,
        common_accuracy_mean=_mean_corpus_accuracy(common, pooled_corpora),
        calibration=_calibration_scores(pooled),
        votes=score_against_votes(pooled, votes or {}),
        coverage=float((~pooled.abstained).mean()),
        accuracy_when_answered=pooled.accuracy_when_answered,
        per_class={name: part.class_scores() for name, part in parts.items()},
        confusion={name: part.confusion().tolist() for name, part in parts.items()},
    )


def _corpora_in_order(predictions: PredictionTable) -> list[str]:
    """Corpora of the clips: the known ones in their usual order, then the others by name."""
    if not predictions.utterances:
        raise ValueError("No clip to evaluate.")
    known, there = (*ALL_SPEECH_CORPORA, "ravdess_song"), set(predictions.corpora)
    return [*(name for name in known if name in there), *sorted(there - {*known})]


def _pooled_corpora(names: Sequence[str]) -> tuple[str, ...]:
    """Corpora to pool: song only where the published table pools it, on RAVDESS alone."""
    alone = set(names) <= {"ravdess", "ravdess_song"}
    return tuple(name for name in names if alone or name != "ravdess_song")


def _mean_corpus_accuracy(predictions: PredictionTable, names: Sequence[str]) -> float | None:
    parts = [predictions.correct[predictions.corpora == name] for name in names]
    return float(np.mean([part.mean() for part in parts])) if all(len(part) for part in parts) else None


def _calibration_scores(predictions: PredictionTable) -> CalibrationScores:
    return CalibrationScores(
        temperature=predictions.temperature,
        before=calibration_metrics(predictions.uncalibrated, predictions.y_true),
        after=calibration_metrics(predictions.probabilities, predictions.y_true),
    )


def calibration_metrics(probabilities: np.ndarray, y_true: np.ndarray) -> CalibrationMetrics:
    """Calibration of probabilities of shape (n_clips, n_classes)."""
    bins = reliability(probabilities, y_true)
    return CalibrationMetrics(
        nll=nll(np.maximum(probabilities, PROBABILITY_FLOOR), y_true),
        brier=brier(probabilities, y_true),
        ece=bins.ece,
        aurc=risk_coverage(probabilities, y_true).area,
        reliability=bins,
    )

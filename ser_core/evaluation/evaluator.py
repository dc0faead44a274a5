"""Evaluation of models: the predictions of the app, scored per corpus and pooled."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from ser_core.data import ALL_SPEECH_CORPORA, ListenerVotes, Utterance
from ser_core.labels import COMMON_EMOTIONS
from ser_core.metrics import (
    ClassScores,
    Reliability,
    Scores,
    brier,
    class_scores,
    compute_scores,
    confusion_matrix,
    cross_entropy,
    entropy,
    nll,
    reliability,
    risk_coverage,
    round_floats,
)

if TYPE_CHECKING:  # with torch: tables of predictions are read without
    from ser_core.inference import Reference
    from ser_core.models import SERModel

BOOTSTRAP_SEED = 0
N_PROBABILITY_DECIMALS = 5  # of the probabilities in result files
PROBABILITY_FLOOR = 0.5 * 10**-N_PROBABILITY_DECIMALS  # smaller ones are zero in these decimals


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """Predictions of a model for a list of utterances."""

    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    probabilities: np.ndarray  # calibrated, (n_clips, n_classes)
    abstained: np.ndarray  # (n_clips,) bool
    temperature: float = 1.0  # by which the logits were divided

    @property
    def y_true(self) -> np.ndarray:
        """Class indices, shape = (n_clips,)."""
        return np.array([self.labels.index(u.emotion) for u in self.utterances], int)

    @property
    def y_pred(self) -> np.ndarray:
        """Class indices, shape = (n_clips,); all classes are possible, also those that a corpus does not have."""
        return self.probabilities.argmax(1)

    @property
    def correct(self) -> np.ndarray:
        """Bool, shape = (n_clips,)."""
        return self.y_true == self.y_pred

    @property
    def speakers(self) -> np.ndarray:
        """Names, shape = (n_clips,)."""
        return np.array([u.speaker for u in self.utterances], str)

    @property
    def corpora(self) -> np.ndarray:
        """Names, shape = (n_clips,)."""
        return np.array([u.corpus for u in self.utterances], str)

    @property
    def uncalibrated(self) -> np.ndarray:
        """The probabilities at temperature 1, shape = (n_clips, n_classes)."""
        return softmax(self.temperature * np.log(np.maximum(self.probabilities, PROBABILITY_FLOOR)), axis=-1)

    def rounded(self) -> "PredictionTable":
        """The table with the decimals of the result files, from which every figure is computed."""
        return replace(self, probabilities=self.probabilities.round(N_PROBABILITY_DECIMALS))

    def select(self, wanted: Callable[[Utterance], bool]) -> "PredictionTable":
        """The predictions for some of the utterances."""
        rows = np.array([wanted(u) for u in self.utterances], bool)
        kept = tuple(u for u, keep in zip(self.utterances, rows, strict=True) if keep)
        return replace(self, utterances=kept, probabilities=self.probabilities[rows], abstained=self.abstained[rows])

    def of_corpus(self, corpus: str) -> "PredictionTable":
        """The predictions for the utterances of one corpus."""
        return self.select(lambda utterance: utterance.corpus == corpus)

    def scores(self) -> Scores:
        """Scores with confidence intervals over speakers and over clips."""
        speakers = self.speakers
        home = np.array([name.partition("-")[0] for name in speakers], str)  # song has the speakers of its corpus
        return compute_scores(self.y_true, self.y_pred, speakers, len(self.labels), BOOTSTRAP_SEED, home)

    def confusion(self) -> np.ndarray:
        """Counts, shape = (n_classes, n_classes): rows are true classes, columns predicted ones."""
        return confusion_matrix(self.y_true, self.y_pred, len(self.labels))

    def class_scores(self) -> dict[str, ClassScores]:
        """Scores of every class that occurs."""
        found = class_scores(self.probabilities, self.y_true)
        return {self.labels[k]: scores for k, scores in found.items()}


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
class ListenerVoteScores:
    """Probabilities against the votes of CREMA-D's listeners on the audio alone."""

    n_clips: int
    nll: float  # cross entropy with the votes, nats
    entropy_floor: float  # entropy of the votes, nats: the lower bound of nll


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


def predict_utterances(
    model: "SERModel", utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> PredictionTable:
    """Predictions of one model, see predict_utterances_per_model."""
    return predict_utterances_per_model([model], utterances, progress)[0]


def predict_utterances_per_model(
    models: Sequence["SERModel"],
    utterances: Sequence[Utterance],
    progress: Callable[[int], None] = lambda n_done: None,
    degrade: Callable[[np.ndarray, Utterance], np.ndarray] = lambda waveform, utterance: waveform,
    reference: "Callable[[SERModel, Utterance], Reference | None]" = lambda model, utterance: None,
) -> list[PredictionTable]:
    """Predictions of every model for every utterance; each recording is decoded once for all models.

    Args:
        progress: called with the number of utterances done.
        degrade: applied to each waveform before prediction.
        reference: for a model and an utterance, see predict.

    Raises:
        AudioError: a recording cannot be read; nothing is skipped.
    """
    from ser_core.audio import load_audio, speech_segments  # here: these need torch, and tables are read without
    from ser_core.inference import predict
    from ser_core.models import functionals_cache

    predictions = []
    for utterance in utterances:
        waveform = degrade(load_audio(utterance.path), utterance)
        speech = speech_segments(waveform)
        with functionals_cache():
            predictions.append([predict(model, waveform, speech, reference(model, utterance)) for model in models])
        progress(len(predictions))
    return [
        PredictionTable(
            labels=model.config.labels,
            utterances=tuple(utterances),
            probabilities=np.array([[p[i].probabilities[label] for label in model.config.labels] for p in predictions]),
            abstained=np.array([p[i].abstain for p in predictions], bool),
            temperature=model.calibration.temperature,
        )
        for i, model in enumerate(models)
    ]


def compute_metrics(predictions: PredictionTable, votes: ListenerVotes | None = None) -> Metrics:
    """All scores of a table of predictions.

    Each corpus is scored by itself, also one that is not among CORPUS_NAMES.

    Raises:
        ValueError: no clip.
    """
    predictions = predictions.rounded()
    if not (names := _corpora_in_order(predictions)):
        raise ValueError("No clip to evaluate.")
    pooled_corpora = _pooled_corpora(names)
    per_corpus = {name: predictions.of_corpus(name) for name in names}
    pooled = predictions.select(lambda u: u.corpus in pooled_corpora)
    common = pooled.select(lambda u: u.emotion in COMMON_EMOTIONS)
    predicted, parts = ~pooled.abstained, per_corpus | {"pooled": pooled}
    return Metrics(
        pooled_corpora=pooled_corpora,
        corpora={name: part.scores() for name, part in per_corpus.items()},
        pooled=pooled.scores(),
        common_pooled=common.scores() if common.utterances else None,
        common_accuracy_mean=_mean_corpus_accuracy(common, pooled_corpora),
        calibration=CalibrationScores(
            temperature=predictions.temperature,
            before=calibration_metrics(pooled.uncalibrated, pooled.y_true),
            after=calibration_metrics(pooled.probabilities, pooled.y_true),
        ),
        votes=score_against_votes(pooled, votes or {}),
        coverage=float(predicted.mean()),
        accuracy_when_answered=float(pooled.correct[predicted].mean()) if predicted.any() else 0.0,
        per_class={name: part.class_scores() for name, part in parts.items()},
        confusion={name: part.confusion().tolist() for name, part in parts.items()},
    )


def _corpora_in_order(predictions: PredictionTable) -> list[str]:
    """Corpora of the clips: the known ones in their usual order, then the others by name."""
    known, there = (*ALL_SPEECH_CORPORA, "ravdess_song"), set(predictions.corpora)
    return [*(name for name in known if name in there), *sorted(there - {*known})]


def _pooled_corpora(names: Sequence[str]) -> tuple[str, ...]:
    """Corpora to pool: song only where the published table pools it, on RAVDESS alone."""
    alone = set(names) <= {"ravdess", "ravdess_song"}
    return tuple(name for name in names if alone or name != "ravdess_song")


def _mean_corpus_accuracy(predictions: PredictionTable, names: Sequence[str]) -> float | None:
    parts = [predictions.correct[predictions.corpora == name] for name in names]
    return float(np.mean([part.mean() for part in parts])) if all(len(part) for part in parts) else None


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


def score_against_votes(predictions: PredictionTable, votes: ListenerVotes) -> ListenerVoteScores | None:
    """Probabilities against the votes of listeners, on the clips with votes; None without any."""
    voted = predictions.select(lambda u: u.id in votes)
    if not voted.utterances:
        return None
    targets = np.stack([votes[u.id] for u in voted.utterances])
    found = cross_entropy(np.maximum(voted.probabilities, PROBABILITY_FLOOR), targets)
    return ListenerVoteScores(len(targets), found, entropy(targets))


def score_listeners(votes: ListenerVotes, utterances: Sequence[Utterance], labels: Sequence[str]) -> dict[str, float]:
    """UAR of listeners of the voice alone against the intended emotion, on the utterances with votes; in [0, 1].

    Returns:
        n_clips; single_listener: of one listener drawn at random; plurality: of the most frequent vote (ties drawn).
    """
    voted = [u for u in utterances if u.id in votes]
    y_true = np.array([labels.index(u.emotion) for u in voted])
    shares = np.stack([votes[u.id] for u in voted])
    most = shares == shares.max(1, keepdims=True)
    own_share, own_most = (part[np.arange(len(voted)), y_true] for part in (shares, most / most.sum(1, keepdims=True)))

    def mean_over_emotions(values: np.ndarray) -> float:
        return float(np.mean([values[y_true == k].mean() for k in np.unique(y_true)]))

    return {
        "n_clips": len(voted),
        "single_listener": mean_over_emotions(own_share),
        "plurality": mean_over_emotions(own_most),
    }


def evaluate(
    model: "SERModel", utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> Metrics:
    """Metrics of a model on recordings.

    Args:
        progress: called with the number of clips done.

    Raises:
        AudioError: a recording cannot be read.
        ValueError: no clip.
    """
    return compute_metrics(predict_utterances(model, utterances, progress))

"""One evaluation for every model: the answers that the app would give, scored per corpus and pooled."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.special import softmax

from ser_core.audio import load_audio, speech_segments
from ser_core.data import SPEECH_CORPORA, ListenerVotes, Utterance
from ser_core.inference import predict
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
from ser_core.models import SERModel, functionals_cache

BOOTSTRAP_SEED = 0
N_PROBABILITY_DECIMALS = 5  # of the probabilities that are kept
PROBABILITY_FLOOR = 0.5 * 10**-N_PROBABILITY_DECIMALS  # what these decimals cannot tell from zero


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """What a model answered to a list of utterances."""

    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    probabilities: np.ndarray  # calibrated, (n_clips, n_classes)
    abstained: np.ndarray  # (n_clips,) bool
    temperature: float = 1.0  # that the logits were divided by

    @property
    def y_true(self) -> np.ndarray:
        """Class indices, shape = (n_clips,)."""
        return np.array([self.labels.index(u.emotion) for u in self.utterances], int)

    @property
    def y_pred(self) -> np.ndarray:
        """Class indices, shape = (n_clips,); all classes compete, also those that a corpus does not have."""
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
        """With the decimals that result files keep: every figure is computed from these, here and there."""
        return replace(self, probabilities=self.probabilities.round(N_PROBABILITY_DECIMALS))

    def select(self, wanted: Callable[[Utterance], bool]) -> "PredictionTable":
        """The answers to some of the utterances."""
        rows = np.array([wanted(u) for u in self.utterances], bool)
        kept = tuple(u for u, keep in zip(self.utterances, rows, strict=True) if keep)
        return replace(self, utterances=kept, probabilities=self.probabilities[rows], abstained=self.abstained[rows])

    def of_corpus(self, corpus: str) -> "PredictionTable":
        """The answers to the utterances of one corpus."""
        return self.select(lambda utterance: utterance.corpus == corpus)

    def scores(self) -> Scores:
        """With confidence intervals over speakers and over clips."""
        return compute_scores(self.y_true, self.y_pred, self.speakers, len(self.labels), BOOTSTRAP_SEED)

    def confusion(self) -> np.ndarray:
        """Counts, shape = (n_classes, n_classes): row is the true class, column the answer."""
        return confusion_matrix(self.y_true, self.y_pred, len(self.labels))

    def class_scores(self) -> dict[str, ClassScores]:
        """Of every class that occurs."""
        found = class_scores(self.probabilities, self.y_true)
        return {self.labels[k]: scores for k, scores in found.items()}


@dataclass(frozen=True)
class CalibrationMetrics:
    """How far probabilities can be believed."""

    nll: float  # nats
    brier: float  # over all classes, in [0, 2]
    ece: float  # 15 bins
    aurc: float  # area under the risk-coverage curve
    reliability: Reliability


@dataclass(frozen=True)
class CalibrationScores:
    """Certainty without and with the temperature of the checkpoint."""

    temperature: float
    before: CalibrationMetrics
    after: CalibrationMetrics


@dataclass(frozen=True)
class ListenerVoteScores:
    """The probabilities against the votes of CREMA-D's listeners, who heard the voice alone."""

    n_clips: int
    nll: float  # cross entropy with the votes, nats
    entropy_floor: float  # of the votes themselves, nats: nothing can go below it


@dataclass(frozen=True)
class Metrics:
    """Scores of one model on one set of utterances; what is said of no corpus is about the pooled ones."""

    pooled_corpora: tuple[str, ...]  # the speech corpora; song too where RAVDESS stands alone, as it was published
    corpora: dict[str, Scores]
    pooled: Scores
    common_pooled: Scores | None  # clips of the six emotions that all corpora have; None without any
    common_accuracy_mean: float | None  # averaged over corpora, so that no large one decides; None if one has no clip
    calibration: CalibrationScores
    votes: ListenerVoteScores | None  # None without CREMA-D, or without the file of the votes
    coverage: float  # share of clips that were answered, not abstained from
    accuracy_when_answered: float
    per_class: dict[str, dict[str, ClassScores]]  # by corpus and "pooled", of the classes that occur
    confusion: dict[str, list[list[int]]]  # by corpus and "pooled", rows true, columns answered, in label order

    def to_dict(self) -> dict:
        """JSON-serialisable, floats rounded to 4 places, but for the temperature."""
        values = round_floats(asdict(self))
        values["calibration"]["temperature"] = self.calibration.temperature
        return values


def predict_utterances(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> PredictionTable:
    """answer_all for one model."""
    return predict_utterances_per_model([model], utterances, progress)[0]


def predict_utterances_per_model(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    progress: Callable[[int], None] = lambda n_done: None,
    degrade: Callable[[np.ndarray, Utterance], np.ndarray] = lambda waveform, utterance: waveform,
) -> list[PredictionTable]:
    """Asks every model about every utterance, through inference.predict; a recording is decoded once for all.

    Args:
        progress: gets the number of utterances done.
        change: what is done to a recording before it is heard, as a worse microphone would.

    Raises:
        AudioError: a recording cannot be read; nothing is skipped.
    """
    predictions = []
    for utterance in utterances:
        waveform = degrade(load_audio(utterance.path), utterance)
        speech = speech_segments(waveform)
        with functionals_cache():
            predictions.append([predict(model, waveform, speech) for model in models])
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


def compute_metrics(answers: PredictionTable, votes: ListenerVotes | None = None) -> Metrics:
    """All scores of a set of answers.

    Raises:
        ValueError: no clip among them, or a corpus that is none of ours.
    """
    answers = answers.rounded()
    names = [c for c in (*SPEECH_CORPORA, "ravdess_song") if c in answers.corpora]
    if not names or set(names) != set(answers.corpora):
        raise ValueError(f"No clip to evaluate on, or of a corpus that is not known: {sorted(set(answers.corpora))}.")
    pooled_corpora = _pooled_corpora(names)
    per_corpus = {name: answers.of_corpus(name) for name in names}
    pooled = answers.select(lambda u: u.corpus in pooled_corpora)
    common = pooled.select(lambda u: u.emotion in COMMON_EMOTIONS)
    answered, parts = ~pooled.abstained, per_corpus | {"pooled": pooled}
    return Metrics(
        pooled_corpora=pooled_corpora,
        corpora={name: part.scores() for name, part in per_corpus.items()},
        pooled=pooled.scores(),
        common_pooled=common.scores() if common.utterances else None,
        common_accuracy_mean=_mean_corpus_accuracy(common, pooled_corpora),
        calibration=CalibrationScores(
            temperature=answers.temperature,
            before=calibration_metrics(pooled.uncalibrated, pooled.y_true),
            after=calibration_metrics(pooled.probabilities, pooled.y_true),
        ),
        votes=score_against_votes(pooled, votes or {}),
        coverage=float(answered.mean()),
        accuracy_when_answered=float(pooled.correct[answered].mean()) if answered.any() else 0.0,
        per_class={name: part.class_scores() for name, part in parts.items()},
        confusion={name: part.confusion().tolist() for name, part in parts.items()},
    )


def _pooled_corpora(names: Sequence[str]) -> tuple[str, ...]:
    """Song is not speech, and pooled with it only where the published table does so: on RAVDESS alone."""
    alone = set(names) <= {"ravdess", "ravdess_song"}
    return tuple(name for name in names if alone or name in SPEECH_CORPORA)


def _mean_corpus_accuracy(answers: PredictionTable, names: Sequence[str]) -> float | None:
    parts = [answers.correct[answers.corpora == name] for name in names]
    return float(np.mean([part.mean() for part in parts])) if all(len(part) for part in parts) else None


def calibration_metrics(probabilities: np.ndarray, y_true: np.ndarray) -> CalibrationMetrics:
    """How far probabilities of shape (n_clips, n_classes) can be believed."""
    bins = reliability(probabilities, y_true)
    return CalibrationMetrics(
        nll=nll(np.maximum(probabilities, PROBABILITY_FLOOR), y_true),
        brier=brier(probabilities, y_true),
        ece=bins.ece,
        aurc=risk_coverage(probabilities, y_true).area,
        reliability=bins,
    )


def score_against_votes(answers: PredictionTable, votes: ListenerVotes) -> ListenerVoteScores | None:
    """The answers against the votes of listeners, on the clips that have some; None where no clip has."""
    voted = answers.select(lambda u: u.id in votes)
    if not voted.utterances:
        return None
    targets = np.stack([votes[u.id] for u in voted.utterances])
    found = cross_entropy(np.maximum(voted.probabilities, PROBABILITY_FLOOR), targets)
    return ListenerVoteScores(len(targets), found, entropy(targets))


def evaluate(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> Metrics:
    """Scores a model on recordings; `progress` gets the number of clips done. Errors as in answer_all and measure."""
    return compute_metrics(predict_utterances(model, utterances, progress))

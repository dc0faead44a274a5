"""One evaluation for every model: the answers that the app would give, scored per corpus and pooled."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ser_core.audio import load_audio
from ser_core.checkpoint import Calibration
from ser_core.corpora import SPEECH_CORPORA, Utterance
from ser_core.inference import predict
from ser_core.labels import COMMON_EMOTIONS
from ser_core.metrics import Scores, confusion_matrix, expected_calibration_error, fit_temperature, nll, score, softmax
from ser_core.models import SERModel

DEV_COVERAGE = 0.85  # the "not sure" threshold leaves this share of development clips answered


@dataclass(frozen=True)
class Answers:
    """What a model answered to a list of utterances."""

    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    probabilities: np.ndarray  # (n_clips, n_classes)
    abstained: np.ndarray  # (n_clips,) bool

    @property
    def y_true(self) -> np.ndarray:
        """Class indices, shape = (n_clips,)."""
        return np.array([self.labels.index(u.emotion) for u in self.utterances])

    @property
    def y_pred(self) -> np.ndarray:
        """Class indices, shape = (n_clips,); all classes compete, also those that a corpus does not have."""
        return self.probabilities.argmax(1)

    def where(self, wanted: Callable[[Utterance], bool]) -> "Answers":
        """The answers to some of the utterances."""
        rows = np.array([wanted(u) for u in self.utterances], bool)
        kept = tuple(u for u, keep in zip(self.utterances, rows, strict=True) if keep)
        return Answers(self.labels, kept, self.probabilities[rows], self.abstained[rows])

    def scores(self) -> Scores:
        """With confidence intervals over speakers."""
        speakers = np.array([u.speaker for u in self.utterances])
        return score(self.y_true, self.y_pred, speakers, len(self.labels))


@dataclass(frozen=True)
class Metrics:
    """Scores of one model on one set of utterances. Pooled values are over the speech corpora, song apart."""

    corpora: dict[str, Scores]
    pooled: Scores
    common_pooled: Scores  # clips of the six emotions that all corpora have
    common_accuracy_mean: float  # their accuracy, averaged over corpora so that no large one decides
    nll: float  # nats
    ece: float  # 15 bins
    coverage: float  # share of clips that were answered, not abstained from
    accuracy_when_answered: float
    confusion: dict[str, list[list[int]]]  # per corpus, rows true, columns answered, in the order of the labels

    def to_dict(self) -> dict:
        """JSON-serialisable, floats rounded to 4 places."""
        return _rounded(asdict(self))


def answer(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> Answers:
    """Asks the model about every utterance, through inference.predict.

    Raises:
        AudioError: a recording cannot be read; nothing is skipped.
    """
    predictions = []
    for utterance in utterances:
        predictions.append(predict(model, load_audio(utterance.path)))
        progress(len(predictions))
    labels = model.config.labels
    probabilities = np.array([[p.probabilities[label] for label in labels] for p in predictions])
    return Answers(labels, tuple(utterances), probabilities, np.array([p.abstain for p in predictions]))


def measure(answers: Answers) -> Metrics:
    """All scores of a set of answers.

    Raises:
        ValueError: no clip of a speech corpus among them.
    """
    names = [c for c in (*SPEECH_CORPORA, "ravdess_song") if any(u.corpus == c for u in answers.utterances)]
    per_corpus = {name: answers.where(lambda u, name=name: u.corpus == name) for name in names}
    speech = answers.where(lambda u: u.corpus in SPEECH_CORPORA)
    if not speech.utterances:
        raise ValueError("No clip of a speech corpus to evaluate on.")
    common = {c: a.where(lambda u: u.emotion in COMMON_EMOTIONS) for c, a in per_corpus.items() if c in SPEECH_CORPORA}
    right = speech.y_true == speech.y_pred
    answered = ~speech.abstained
    n_classes = len(answers.labels)
    return Metrics(
        corpora={name: part.scores() for name, part in per_corpus.items()},
        pooled=speech.scores(),
        common_pooled=speech.where(lambda u: u.emotion in COMMON_EMOTIONS).scores(),
        common_accuracy_mean=float(np.mean([(part.y_true == part.y_pred).mean() for part in common.values()])),
        nll=nll(speech.probabilities, speech.y_true),
        ece=expected_calibration_error(speech.probabilities, speech.y_true),
        coverage=float(answered.mean()),
        accuracy_when_answered=float(right[answered].mean()) if answered.any() else 0.0,
        confusion={name: confusion_matrix(p.y_true, p.y_pred, n_classes).tolist() for name, p in per_corpus.items()},
    )


def evaluate(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> Metrics:
    """Scores a model on recordings; `progress` gets the number of clips done. Errors as in answer and measure."""
    return measure(answer(model, utterances, progress))


def calibrate(answers: Answers, coverage: float = DEV_COVERAGE) -> Calibration:
    """Temperature and "not sure" threshold from the answers of an uncalibrated model to development speakers.

    Args:
        answers: made with Calibration(temperature=1).
        coverage: share of clips that the threshold leaves answered.
    """
    logits = np.log(np.maximum(answers.probabilities, 1e-12))
    temperature = fit_temperature(logits, answers.y_true)
    confidence = softmax(logits / temperature).max(1)
    return Calibration(round(temperature, 4), round(float(np.quantile(confidence, 1 - coverage)), 4))


def _rounded(value):
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value

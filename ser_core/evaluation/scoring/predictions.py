"""A table of predictions: probabilities and abstention of a model for each utterance."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from ser_core.data import Utterance
from ser_core.labels import label_index
from ser_core.metrics import ClassScores, Scores, class_scores, compute_scores, confusion_matrix

BOOTSTRAP_SEED = 0
N_PROBABILITY_DECIMALS = 5  # of the probabilities in result files
PROBABILITY_FLOOR = 0.5 * 10**-N_PROBABILITY_DECIMALS  # smaller ones are zero in these decimals
MAX_ROUNDING = 0.05  # of a probability; between two processors bf16 and 8-bit arithmetic changed one by up to 0.026


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
        return np.array([label_index(self.labels, u.emotion) for u in self.utterances], int)

    @property
    def y_pred(self) -> np.ndarray:
        """Class indices, shape = (n_clips,); all classes are possible, also those that a corpus does not have."""
        return self.probabilities.argmax(1)

    @property
    def correct(self) -> np.ndarray:
        """Bool, shape = (n_clips,)."""
        return self.y_true == self.y_pred

    @property
    def accuracy_when_answered(self) -> float:
        """Of the clips without abstention; 0 without any."""
        answered = ~self.abstained
        return float(self.correct[answered].mean()) if answered.any() else 0.0

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

    def differs_by_rounding(self, other: "PredictionTable") -> bool:
        """Whether it differs from another table of the same clips, but only as much as roundings of processors do."""
        if [u.id for u in self.utterances] != [u.id for u in other.utterances] or self.labels != other.labels:
            return False
        difference = np.abs(self.rounded().probabilities - other.rounded().probabilities)
        return bool(0 < difference.max(initial=0.0) <= MAX_ROUNDING)

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

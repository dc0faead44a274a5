"""Result types of inference: Prediction of a recording, Trajectory over its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ser_core.labels import AROUSAL_VALENCE, EMOTIONS, EVERYDAY

MIN_SPEECH_TO_PREDICT_S = 0.2  # less is a click, a breath, a syllable cut off
NEUTRAL_CLIPS, EVERYDAY_CLIPS = "neutral clips", f"{EVERYDAY} clips"  # see Reference.kind
FAR_NOTE = "This recording is far from the reference clips: another speaker, microphone or room?"
"""Part of Prediction.reference_note, see Reference.note_for."""
NO_OTHER_CLIP_NOTE = "The reference is this recording alone: it was predicted without one. Add other clips."


@dataclass(frozen=True)
class Prediction:
    """The prediction of one model for one recording."""

    model: str
    emotion: str  # the most probable one, also when abstaining
    confidence: float  # its calibrated probability
    probabilities: dict[str, float]  # of every emotion; they sum to 1
    top3: tuple[tuple[str, float], ...]
    abstain: bool
    reason: str  # why, or ""
    duration_s: float  # of the recording
    speech_s: float  # seconds of speech in it
    start_s: float  # of the analysed part: without the silence at both ends
    end_s: float
    version: str = ""  # of the model: the first digits of the hash of its weights
    novelty: float | None = None  # percent of unseen speech that is closer to the training data, see NoveltyDetector
    familiarity: str | None = None  # "typical", "unusual" or "unlike training"; None without speech or its detector
    reference_clips: int = 0  # unlabelled clips that the model used; 0: no reference
    reference_source: str = ""  # see Reference.kind; "" without a reference
    reference_note: str = ""  # what is doubtful about it, or ""
    arousal: float | None = None  # in [-1, 1], see arousal_and_valence; None without speech
    valence: float | None = None
    possible_emotions: tuple[str, ...] = EMOTIONS  # fewer, of a model from limit_emotions: the others are at 0

    def to_dict(self) -> dict:
        """JSON-serialisable."""
        return asdict(self)


def answer_fields(probabilities: Mapping[str, float], possible: Sequence[str]) -> dict[str, Any]:
    """The fields of a Prediction that follow from the probability of every emotion, and from those that can occur."""
    ranked = sorted(((name, probabilities[name]) for name in possible), key=lambda pair: -pair[1])
    emotion, confidence = ranked[0]
    return {
        "emotion": emotion,
        "confidence": confidence,
        "probabilities": dict(probabilities),
        "top3": tuple(ranked[:3]),
        "possible_emotions": tuple(possible),
    }


@dataclass(frozen=True)
class Trajectory:
    """The predictions of one model for the windows of a recording."""

    model: str
    labels: tuple[str, ...]
    start_s: np.ndarray  # (n_windows,)
    end_s: np.ndarray  # (n_windows,)
    probabilities: np.ndarray  # calibrated, (n_windows, n_classes)
    speech_s: np.ndarray  # seconds of speech in each window, (n_windows,)
    window_s: float
    hop_s: float
    reference_clips: int = 0  # as in Prediction
    reference_source: str = ""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The most probable emotion of each window."""
        return tuple(self.labels[i] for i in self.probabilities.argmax(1))

    @property
    def confidence(self) -> np.ndarray:
        """Its probability, shape = (n_windows,)."""
        return self.probabilities.max(1)

    @property
    def arousal(self) -> np.ndarray:
        """Of each window, in [-1, 1], shape = (n_windows,); NaN without speech. See arousal_and_valence."""
        return self._dimensions[:, 0]

    @property
    def valence(self) -> np.ndarray:
        """As arousal."""
        return self._dimensions[:, 1]

    @property
    def _dimensions(self) -> np.ndarray:
        places = arousal_and_valence(self.labels, self.probabilities)
        return np.where(self.speech_s[:, None] >= MIN_SPEECH_TO_PREDICT_S, places, np.nan)

    def among(self, emotions: Sequence[str]) -> "Trajectory":
        """With these emotions alone; the others have no probability, see limit_emotions."""
        kept = [i for i, label in enumerate(self.labels) if label in emotions]
        return replace(self, labels=tuple(self.labels[i] for i in kept), probabilities=self.probabilities[:, kept])

    def to_records(self) -> list[dict]:
        """One JSON-serialisable dict per window: start_s, end_s, speech_s, emotion, probabilities, arousal, valence."""
        arousal, valence = (
            [None if np.isnan(value) else round(value, 6) for value in column.tolist()]
            for column in (self.arousal, self.valence)
        )
        return [
            {
                "start_s": round(float(self.start_s[i]), 3),
                "end_s": round(float(self.end_s[i]), 3),
                "speech_s": round(float(self.speech_s[i]), 3),
                "emotion": emotion,
                "probabilities": dict(zip(self.labels, self.probabilities[i].round(6).tolist(), strict=True)),
                "arousal": arousal[i],
                "valence": valence[i],
            }
            for i, emotion in enumerate(self.emotions)
        ]


def arousal_and_valence(labels: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    """The expectation of arousal and valence: the mean of the emotions' places, weighted by probability.

    Args:
        labels: the emotions, in the order of the last axis.
        probabilities: calibrated, shape = (..., n_classes).

    Returns:
        Each in [-1, 1], shape = (..., 2).
    """
    return probabilities @ np.array([AROUSAL_VALENCE[label] for label in labels])

"""Result types of inference: Prediction of a recording, Trajectory over its windows."""

from dataclasses import asdict, dataclass

import numpy as np


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
    novelty: float | None = None  # percent of unseen speakers' speech that is closer to the training data
    reference_clips: int = 0  # unlabelled clips of the speaker that the model used; 0: no reference
    reference_source: str = ""  # of the reference: "clips", "recording" or "running"; "" without
    reference_note: str = ""  # what is doubtful about it, or ""

    def to_dict(self) -> dict:
        """JSON-serialisable."""
        return asdict(self)


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

    def to_records(self) -> list[dict]:
        """One JSON-serialisable dict per window: start_s, end_s, speech_s, emotion, probabilities."""
        return [
            {
                "start_s": round(float(self.start_s[i]), 3),
                "end_s": round(float(self.end_s[i]), 3),
                "speech_s": round(float(self.speech_s[i]), 3),
                "emotion": emotion,
                "probabilities": dict(zip(self.labels, self.probabilities[i].round(6).tolist(), strict=True)),
            }
            for i, emotion in enumerate(self.emotions)
        ]

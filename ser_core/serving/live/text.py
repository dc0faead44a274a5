"""Texts of the live page: messages for predictions, and the summary of a session."""

from collections import defaultdict

import numpy as np

from ser_core.inference import (
    LIVE_HOP_S,
    MAX_NOVELTY_PERCENTILE,
    NO_SPEECH,
    NOT_SURE,
    LivePrediction,
    LiveSummary,
    arousal_and_valence,
    source_and_mood,
)
from ser_core.labels import EMOTIONS, format_probability
from ser_core.plots import emotion_label, format_duration

NO_BREAK_SPACE = "\u00a0"
N_TOP_EMOTIONS = 2  # named when the model abstains
REFERENCE_NOTES = {
    "running": "Relative to the speech so far. ",
    "clips": "Relative to your enrolled voice. ",
}


def live_message(prediction: LivePrediction, received_s: float) -> dict:
    """Message for the page, JSON-serialisable.

    Args:
        prediction: the latest one.
        received_s: seconds of audio that the page had sent before it.

    Returns:
        answer (the label), emotion, probabilities, min_confidence and speaking as in LivePrediction; place:
        [arousal, valence], None without speech; heading and detail as texts; and lag_s: age of the oldest new audio in
        this prediction, relative to the newest.
    """
    heading, detail = heading_and_detail(prediction)
    return {
        "answer": prediction.label,
        "emotion": prediction.emotion,
        "probabilities": prediction.probabilities,
        "min_confidence": prediction.min_confidence,
        "place": _place(prediction.probabilities),
        "speaking": prediction.speaking,
        "heading": heading,
        "detail": detail,
        "lag_s": received_s - prediction.at_s + LIVE_HOP_S,
    }


def _place(probabilities: dict[str, float]) -> list[float] | None:
    """Arousal and valence, each in [-1, 1]."""
    if not probabilities:
        return None
    place = arousal_and_valence(tuple(probabilities), np.array([list(probabilities.values())]))[0]
    return [round(float(value), 3) for value in place]


def heading_and_detail(prediction: LivePrediction) -> tuple[str, str]:
    """(heading, detail) of a prediction, in the wording of the other pages."""
    ranked = prediction.ranked()
    if prediction.label == NO_SPEECH:
        return "No speech", "Silence or noise at the microphone."
    if prediction.label == NOT_SURE:
        closest = f"Closest: {_ranked_text(ranked[:N_TOP_EMOTIONS])}."
        return "Not sure", f"{_ood_note(prediction)}{_reference_note(prediction)}{closest}"
    sure = format_probability(prediction.confidence)  # type: ignore[arg-type]  # an emotion has one
    detail = f"{_reference_note(prediction)}Confidence {sure}. Then {_ranked_text(ranked[1:3])}."
    return emotion_label(prediction.label), detail


def _reference_note(prediction: LivePrediction) -> str:
    return REFERENCE_NOTES.get(source_and_mood(prediction.prediction.reference_source)[0], "")


def _ood_note(prediction: LivePrediction) -> str:
    return "Out of distribution. " if prediction.prediction.novelty == MAX_NOVELTY_PERCENTILE else ""


def _ranked_text(pairs: list[tuple[str, float]]) -> str:
    """Emotions with probabilities; no line break within a pair."""
    return ", ".join(
        f"{emotion_label(emotion)} {format_probability(probability)}".replace(" ", NO_BREAK_SPACE)
        for emotion, probability in pairs
    )


class SessionTotals:
    """Running totals of a session, in O(1) memory."""

    def __init__(self) -> None:
        self._speech_s: defaultdict[str, float] = defaultdict(float)  # label -> seconds of speech in its windows
        self._confidence_sum = 0.0  # weighted by the same seconds

    def add(self, prediction: LivePrediction) -> None:
        """Add one prediction, weighted by the seconds of speech in its window."""
        if prediction.label != NO_SPEECH and prediction.confidence is not None:
            weight = prediction.prediction.speech_s
            self._speech_s[prediction.label] += weight
            self._confidence_sum += weight * prediction.confidence

    def shares(self) -> dict[str, float]:
        """Share of every emotion and of "not sure", in the order of EMOTIONS; sum 1, or all 0 without speech."""
        total = sum(self._speech_s.values()) or 1.0
        return {label: self._speech_s[label] / total for label in (*EMOTIONS, NOT_SURE)}

    def mean_confidence(self) -> float | None:
        """Mean probability of the most probable emotion; None without speech."""
        total = sum(self._speech_s.values())
        return self._confidence_sum / total if total else None


def session_summary(summary: LiveSummary, totals: SessionTotals) -> dict:
    """Summary of a session, JSON-serialisable: shares, text, has_speech."""
    text = f"{format_duration(summary.duration_s)} recorded, {format_duration(summary.speech_s)} of it speech."
    confidence = totals.mean_confidence()
    if confidence is not None:
        text += f" Mean confidence {format_probability(confidence)}."
    return {"shares": totals.shares(), "text": text, "has_speech": confidence is not None}

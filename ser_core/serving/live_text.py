"""What the live page says: the words for an answer, and what is left of a session when it ends."""

from collections import Counter

from ser_core.inference import LIVE_HOP_S, MAX_NOVELTY_PERCENTILE, NO_SPEECH, NOT_SURE, LivePrediction, LiveSummary
from ser_core.labels import EMOTIONS
from ser_core.plots import emotion_label

NO_BREAK_SPACE = "\u00a0"
N_TOP_EMOTIONS = 2  # emotions named when the model is not sure


def live_message(answer: LivePrediction, received_s: float) -> dict:
    """An answer for the page, JSON-serialisable.

    Args:
        received_s: seconds of sound the page had sent when it was given.

    Returns:
        answer, emotion, probabilities as in LiveAnswer; heading and detail in words; and lag_s: how old the oldest
        sound that is new in this answer was when the newest sound came.
    """
    heading, detail = heading_and_detail(answer)
    return {
        "answer": answer.answer,
        "emotion": answer.emotion,
        "probabilities": answer.probabilities,
        "speaking": answer.speaking,
        "heading": heading,
        "detail": detail,
        "lag_s": received_s - answer.at_s + LIVE_HOP_S,
    }


def heading_and_detail(answer: LivePrediction) -> tuple[str, str]:
    """(heading, detail) as the other pages say it."""
    ranked = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    if answer.answer == NO_SPEECH:
        return "No speech", "Nobody speaks, or the microphone does not hear it."
    if answer.answer == NOT_SURE:
        closest = f"Closest: {_ranked_text(ranked[:N_TOP_EMOTIONS])}."
        return "Not sure", f"{_ood_note(answer)}{closest}"
    return emotion_label(answer.answer), f"{answer.confidence:.0%} certain. Then {_ranked_text(ranked[1:3])}."


def _ood_note(answer: LivePrediction) -> str:
    return "This is no speech as the model knows it. " if answer.prediction.novelty == MAX_NOVELTY_PERCENTILE else ""


def _ranked_text(pairs: list[tuple[str, float]]) -> str:
    """A symbol stays on the line of its name."""
    return ", ".join(
        f"{emotion_label(emotion)} {probability:.0%}".replace(" ", NO_BREAK_SPACE) for emotion, probability in pairs
    )


class SessionTotals:
    """Sums over the answers of a session: as small after an hour as after a second."""

    def __init__(self):
        self._speech_s: Counter[str] = Counter()  # answer -> seconds of speech in the windows it was given for
        self._confidence_sum = 0.0  # sum, each weighted the same way

    def add(self, answer: LivePrediction) -> None:
        """Count one answer, weighted by the seconds of speech in its window."""
        if answer.answer != NO_SPEECH:
            weight = answer.prediction.speech_s
            self._speech_s[answer.answer] += weight
            self._confidence_sum += weight * answer.confidence

    def shares(self) -> dict[str, float]:
        """Of every emotion and of "not sure", in the order of the inventory; they sum to 1, or are 0 without speech."""
        total = sum(self._speech_s.values()) or 1.0
        return {answer: self._speech_s[answer] / total for answer in (*EMOTIONS, NOT_SURE)}

    def mean_confidence(self) -> float | None:
        """The mean probability of the likeliest emotion; None without speech."""
        total = sum(self._speech_s.values())
        return self._confidence_sum / total if total else None


def session_summary(summary: LiveSummary, totals: SessionTotals) -> dict:
    """A session for the page, JSON-serialisable: shares, and text."""
    heard = f"{_format_duration(summary.duration_s)} heard, {_format_duration(summary.speech_s)} of it speech."
    certainty = totals.mean_confidence()
    certain = "" if certainty is None else f" Mean certainty of the likeliest emotion {certainty:.0%}."
    return {"shares": totals.shares(), "text": heard + certain, "has_speech": certainty is not None}


def _format_duration(duration_s: float) -> str:
    return f"{duration_s:.1f} s" if duration_s < 60 else f"{int(duration_s // 60)} min {duration_s % 60:.0f} s"

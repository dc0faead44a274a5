"""What the live page says: the words for an answer, and what is left of a session when it ends."""

from collections import Counter

from ser_core.inference import FARTHEST
from ser_core.labels import EMOTIONS
from ser_core.live import HOP_S, LiveAnswer, LiveSummary
from ser_core.plots import named
from ser_core.smoothing import NO_SPEECH, NOT_SURE

NO_BREAK = "\u00a0"
N_CLOSEST = 2  # emotions named when the model is not sure


def told(answer: LiveAnswer, received_s: float) -> dict:
    """An answer for the page, JSON-serialisable.

    Args:
        received_s: seconds of sound the page had sent when it was given.

    Returns:
        answer, emotion, probabilities as in LiveAnswer; heading and detail in words; and lag_s: how old the oldest
        sound that is new in this answer was when the newest sound came.
    """
    heading, detail = words(answer)
    return {
        "answer": answer.answer,
        "emotion": answer.emotion,
        "probabilities": answer.probabilities,
        "speaking": answer.speaking,
        "heading": heading,
        "detail": detail,
        "lag_s": received_s - answer.at_s + HOP_S,
    }


def words(answer: LiveAnswer) -> tuple[str, str]:
    """(heading, detail) as the other pages say it."""
    ranked = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
    if answer.answer == NO_SPEECH:
        return "No speech", "Nobody speaks, or the microphone does not hear it."
    if answer.answer == NOT_SURE:
        closest = f"Closest: {_ranking(ranked[:N_CLOSEST])}."
        return "Not sure", f"{_unlike(answer)}{closest}"
    return named(answer.answer), f"{answer.confidence:.0%} certain. Then {_ranking(ranked[1:3])}."


def _unlike(answer: LiveAnswer) -> str:
    return "This is no speech as the model knows it. " if answer.prediction.novelty == FARTHEST else ""


def _ranking(pairs: list[tuple[str, float]]) -> str:
    """A symbol stays on the line of its name."""
    return ", ".join(f"{named(emotion)} {probability:.0%}".replace(" ", NO_BREAK) for emotion, probability in pairs)


class Tally:
    """Sums over the answers of a session: as small after an hour as after a second."""

    def __init__(self):
        self._weights: Counter[str] = Counter()  # answer -> seconds of speech in the windows it was given for
        self._certainty = 0.0  # sum, each weighted the same way

    def add(self, answer: LiveAnswer) -> None:
        """Count one answer, weighted by the seconds of speech in its window."""
        if answer.answer != NO_SPEECH:
            weight = answer.prediction.speech_s
            self._weights[answer.answer] += weight
            self._certainty += weight * answer.confidence

    def shares(self) -> dict[str, float]:
        """Of every emotion and of "not sure", in the order of the inventory; they sum to 1, or are 0 without speech."""
        total = sum(self._weights.values()) or 1.0
        return {answer: self._weights[answer] / total for answer in (*EMOTIONS, NOT_SURE)}

    def mean_certainty(self) -> float | None:
        """The mean probability of the likeliest emotion; None without speech."""
        total = sum(self._weights.values())
        return self._certainty / total if total else None


def summed_up(summary: LiveSummary, tally: Tally) -> dict:
    """A session for the page, JSON-serialisable: shares, and text."""
    heard = f"{_duration(summary.duration_s)} heard, {_duration(summary.speech_s)} of it speech."
    certainty = tally.mean_certainty()
    certain = "" if certainty is None else f" Mean certainty of the likeliest emotion {certainty:.0%}."
    return {"shares": tally.shares(), "text": heard + certain, "has_speech": certainty is not None}


def _duration(duration_s: float) -> str:
    return f"{duration_s:.1f} s" if duration_s < 60 else f"{int(duration_s // 60)} min {duration_s % 60:.0f} s"

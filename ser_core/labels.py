"""The emotion inventory: names, their order, and how each one looks everywhere in the program."""

from collections.abc import Sequence
from dataclasses import dataclass

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""The eight classes, in the order of every probability vector."""

COMMON_EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust")
"""The six classes that all four speech corpora contain."""

EVERYDAY = "everyday"
"""In place of the emotion of reference clips: natural speech, mostly neutral."""

AROUSAL_VALENCE = {
    "neutral": (0.0, 0.0),
    "calm": (-0.5, 0.3),
    "happy": (0.6, 0.8),
    "sad": (-0.6, -0.6),
    "angry": (0.8, -0.6),
    "fear": (0.6, -0.6),
    "disgust": (0.2, -0.6),
    "surprise": (0.6, 0.2),
}
"""Emotion -> its place as (arousal, valence), each in [-1, 1]: from calm to excited, from unpleasant to pleasant."""


@dataclass(frozen=True)
class EmotionStyle:
    """How one emotion is drawn: never by colour alone."""

    colour: str  # CSS hex; the eight stay apart under the common forms of colour blindness
    symbol: str  # one text character
    marker: str  # plotly marker name of the same shape


EMOTION_STYLES = {
    "neutral": EmotionStyle("#8A8F98", "●", "circle"),
    "calm": EmotionStyle("#56B4E9", "○", "circle-open"),
    "happy": EmotionStyle("#E6A100", "▲", "triangle-up"),
    "sad": EmotionStyle("#0072B2", "▼", "triangle-down"),
    "angry": EmotionStyle("#D55E00", "✚", "cross"),
    "fear": EmotionStyle("#7B4FB5", "◆", "diamond"),
    "disgust": EmotionStyle("#009E73", "■", "square"),
    "surprise": EmotionStyle("#CC79A7", "★", "star"),
}


class EmotionError(ValueError):
    """Emotions that do not exist or that cannot be chosen among; the message names the cause and the cure."""


def label_index(labels: Sequence[str], emotion: str) -> int:
    """The index of an emotion among the labels of a model.

    Raises:
        EmotionError: it is none of them; the message lists them.
    """
    if emotion not in labels:
        raise EmotionError(f"Unknown emotion {emotion!r}. There are: {', '.join(labels)}.")
    return labels.index(emotion)


def check_possible_emotions(emotions: Sequence[str]) -> tuple[str, ...]:
    """The emotions that can occur, each once, in the order of EMOTIONS.

    Raises:
        EmotionError: fewer than two, or none of EMOTIONS; the message lists them.
    """
    if isinstance(emotions, str):  # one word has letters for emotions
        words = f"a sequence of words such as {EMOTIONS[:2]}"
        raise EmotionError(f"The possible emotions are {words}, not {emotions!r:.40}.")
    for emotion in emotions:
        label_index(EMOTIONS, emotion)
    if len(set(emotions)) < 2:
        raise EmotionError("Name two possible emotions or more: between fewer there is nothing to choose.")
    return tuple(emotion for emotion in EMOTIONS if emotion in emotions)


def parse_possible_emotions(text: str) -> tuple[str, ...]:
    """ "neutral, happy" as check_possible_emotions returns it; errors as there."""
    return check_possible_emotions([word.strip().lower() for word in text.split(",")])


def describe_choice(possible: Sequence[str]) -> str:
    """ "among neutral, happy and angry"; "" where these are all."""
    *most, last = possible
    return "" if tuple(possible) == EMOTIONS else f"among {', '.join(most)} and {last}"


def format_probability(value: float) -> str:
    """In whole percent; certainty, which no model has, is ">99%"."""
    return ">99%" if value >= 0.995 else f"{value:.0%}"


def format_number(value: float, spec: str = "g") -> str:
    """For a page, with the minus sign of the axes of charts; an export has that of the keyboard.

    Args:
        spec: format specification, for example "z.1f".
    """
    return f"{value:{spec}}".replace("-", "−")

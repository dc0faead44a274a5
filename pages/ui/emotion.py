"""Emotions in words and colours: of a prediction, of a segment in the player; and which of them can occur."""

from collections.abc import Collection, Sequence

import streamlit as st

from pages.ui.components.player import Cell
from pages.ui.session import session
from pages.ui.text import describe_expectation, plain
from ser_core.inference import NOT_SURE, Prediction, Segment, label_in_words
from ser_core.labels import EMOTION_STYLES, EMOTIONS, format_probability
from ser_core.plots import GREY, emotion_label

CHOICE_KEY = "possible-emotions"
CHOICE_HELP = (
    "Do you know that only some emotions occur in your recordings? The models then choose among these, and are right "
    "more often. Any other emotion in them gets one of these names."
)


def choose_emotions() -> None:
    """The choice of the emotions that can occur, one for all pages; none chosen: all."""
    chosen = session().chosen_emotions
    st.session_state[CHOICE_KEY] = [*chosen]  # Streamlit forgets it on other pages
    st.pills(
        "Only these emotions can occur",
        EMOTIONS,
        selection_mode="multi",
        format_func=emotion_label,
        key=CHOICE_KEY,
        on_change=_keep_emotions,
        help=CHOICE_HELP,
    )
    if len(chosen) == 1:
        st.caption("Choose another one: until then, all eight are possible.")


def choose_only(emotions: Collection[str]) -> None:
    """Takes these for the emotions that can occur."""
    session().chosen_emotions = tuple(emotion for emotion in EMOTIONS if emotion in emotions)


def _keep_emotions() -> None:
    choose_only(st.session_state[CHOICE_KEY])


def coloured(label: str) -> str:
    """Markdown: the symbol in the colour of the emotion, then its name; any other label as it is."""
    look = EMOTION_STYLES.get(label)
    return f':color[{look.symbol}]{{foreground="{look.colour}"}} {label}' if look else label


def agreement_in_words(predictions: Sequence[Prediction], waiting: int = 0) -> str:
    """How many models find the same emotion most likely.

    Args:
        waiting: how many more models are still running.
    """
    votes = [prediction.emotion for prediction in predictions]
    common = max(dict.fromkeys(votes), key=votes.count)
    still = f"; {waiting} still running" if waiting else ""
    return f"{votes.count(common)} of {len(votes)} models find {emotion_label(common)} most likely{still}"


def segment_label(segment: Segment) -> str:
    return label_in_words(segment.label, emotion_label(segment.emotion or segment.label))


def segment_cell(segment: Segment) -> Cell:
    """A segment as the player draws it."""
    start_s, end_s, label, text = segment.start_s, segment.end_s, segment.label, segment_label(segment)
    if segment.confidence is None:
        return Cell(start_s, end_s, label, "", GREY, 0.0, text)
    text = f"{text} {format_probability(segment.confidence)}"
    if label == NOT_SURE:
        return Cell(start_s, end_s, label, "?", GREY, 0.3, text)
    style = EMOTION_STYLES[label]
    return Cell(start_s, end_s, label, style.symbol, style.colour, 0.2 + 0.8 * segment.confidence, text)


def show_expectation(prediction: Prediction, metrics: dict) -> None:
    """One line with the model, the familiarity of the recording, and how often the model is right."""
    if expected := describe_expectation(prediction, metrics):
        st.caption(f"{plain(prediction.model)}: {expected}")

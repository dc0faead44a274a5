"""The answer in large: an emotion, "Not sure" or "No speech", with its certainty in words."""

from pages.ui.components.hero import certainty, emotion_hero, hero
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction
from ser_core.labels import format_probability
from ser_core.plots import GREY, emotion_label

LEAST_SHOWN = 0.005  # a lower probability reads 0%


def show_emotion(prediction: Prediction) -> None:
    """The largest thing on the page."""
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        hero("–", GREY, "No speech", prediction.reason)
        return
    (first, probability), (second, other), *_ = prediction.top3
    sure, then = format_probability(probability), format_probability(other)
    if prediction.abstain:
        hero("?", GREY, "Not sure", f"closest: {emotion_label(first)} {sure}, {emotion_label(second)} {then}")
    else:
        rest = f" · then {second}\N{NO-BREAK SPACE}{then}" if other >= LEAST_SHOWN else ""
        emotion_hero(prediction.emotion, certainty(prediction.confidence) + rest)

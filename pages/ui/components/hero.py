"""An emotion, large, in its colour. Light to import: Home shows one before torch is there."""

from html import escape
from pathlib import Path

import streamlit as st

from ser_core.labels import EMOTION_STYLES, format_probability

CSS = Path(__file__).with_name("hero.css")
VERY_LIKELY, LIKELY = 0.85, 0.6  # calibrated probability


def hero(symbol: str, colour: str, name: str, words: str) -> None:
    """The symbol, and the name as a heading above a line of words."""
    st.html(
        f"<style>{CSS.read_text()}</style>"
        f'<div class="answer-hero" style="--emotion:{colour}"><span class="symbol" aria-hidden="true">{symbol}</span>'
        f"<div><h2>{escape(name)}</h2><p>{escape(words)}</p></div></div>"
    )


def emotion_hero(emotion: str, words: str) -> None:
    style = EMOTION_STYLES[emotion]
    hero(style.symbol, style.colour, emotion, words)


def certainty(confidence: float) -> str:
    """A probability in words and as a number."""
    if confidence >= VERY_LIKELY:
        word = "very likely"
    else:
        word = "likely" if confidence >= LIKELY else "more likely than any other"
    return f"{word}, {format_probability(confidence)}"

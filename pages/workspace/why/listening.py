"""The relevant part of a window and the remainder: to see, to play, and how the model answers to each."""

from collections.abc import Mapping

import streamlit as st

from pages.ui.components.player import Track, show_spectrogram
from pages.ui.emotion import coloured
from pages.ui.export import file_name, offer_download
from pages.ui.session import SessionClip
from pages.workspace import sound
from pages.workspace.why import state
from pages.workspace.why.state import RELEVANT, REMAINDER, WHOLE, ExplainedWindow
from ser_core.interpret import AttributionTarget, Explanation
from ser_core.labels import format_probability

ORDER = (RELEVANT, REMAINDER, WHOLE)


def show_parts(
    clip: SessionClip, explained: ExplainedWindow, found: Explanation, question: AttributionTarget, percent: int
) -> None:
    """A column for each part.

    Args:
        percent: of the spectrogram, kept in the relevant part.
    """
    key = (found.method, question, percent)
    parts = state.relevant_and_remainder(explained, found, question, percent / 100)
    tracks = {track.name: track for track in state.tracks(explained, parts, hash(explained.made_by), *key)}
    probabilities = state.part_probabilities(explained, parts, *key)
    for name, column in zip(ORDER, st.columns(len(ORDER), gap="medium"), strict=True):
        with column:
            _show_part(clip, tracks[name], probabilities[name], question.emotion, _title(name, percent))
    st.caption(
        "No training clip sounds like a part: predictions of parts test the map, and say nothing about the voice."
    )


def _title(name: str, percent: int) -> str:
    return {RELEVANT: f"{RELEVANT}, {percent}%", REMAINDER: f"{REMAINDER}, {100 - percent}%"}.get(name, name)


def _show_part(clip: SessionClip, track: Track, probabilities: Mapping[str, float], emotion: str, title: str) -> None:
    """Its spectrogram, a button that plays it, the probability of the emotion."""
    show_spectrogram(track.spectrogram, f"Spectrogram: {title}", height=88)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_buttons(clip, track, title)
    likeliest = max(probabilities, key=lambda name: probabilities[name])
    asked, most = (format_probability(probabilities[name]) for name in (emotion, likeliest))
    other = "" if likeliest == emotion else f"; most likely {coloured(likeliest)} {most}"
    st.markdown(f"{coloured(emotion)} **{asked}**{other}")


def _show_buttons(clip: SessionClip, track: Track, title: str) -> None:
    kind, key = "primary" if track.name == RELEVANT else "secondary", f"play-{track.name}"
    st.button(title, icon=":material/play_arrow:", key=key, on_click=sound.play_other, args=(track,), type=kind)
    name = file_name(clip.name, "wav", track.name.lower().replace(" ", "_"))
    offer_download("WAV", track.wav, name, "audio/wav", key=f"wav-{track.name}", type="tertiary")

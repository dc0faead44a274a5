"""The bar above the player: name of the clip, another clip, settings, delete; or the inputs of the first one."""

from dataclasses import dataclass, field
from pathlib import PurePath

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import Settings
from pages.ui.clip import forget, untrim
from pages.ui.clip_input import choose_clip
from pages.ui.session import PageState, SessionClip, session
from pages.ui.text import plain
from pages.ui.voice.clips import lead_to_page
from pages.ui.voice.switch import draw_switch
from ser_core.labels import EMOTIONS
from ser_core.plots import format_duration

CONTAINERS = {
    "mov": ("MP4", "M4A", "M4B", "M4V", "MOV", "3GP", "3G2"),
    "matroska": ("WebM", "WEBM", "WEBA", "MKV", "MKA"),
    "asf": ("WMA", "ASF"),
}
"""FFmpeg's name of a family -> how its files are called, the usual one first; the clip's own name decides."""
KEPT = "Everything runs on your machine. Your audio is kept in this session only: reloading the page deletes it."


@dataclass
class BarState(PageState):
    settings: Settings = field(default_factory=lambda: Settings(None))


def settings() -> Settings:
    """What was chosen in the bar, for all views alike."""
    return session().page(BarState).settings


def draw_inputs() -> None:
    """Ways to a first clip."""
    st.title("Clip", anchor=False)
    choose_clip()
    st.caption(KEPT)


def draw_bar(clip: SessionClip) -> None:
    with st.container(key="clip-bar", horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(gap="xsmall", width="stretch", key="clip-name"):
            st.title(plain(clip.name), anchor=False)
            st.caption(_facts(clip), help=f"Words: {clip.words}" if clip.words else None)
        if full_clip := session().full_clip:
            label = f"Use all {format_duration(full_clip.recording.duration_s)}"
            st.button(label, icon=":material/undo:", on_click=untrim, key="untrim")
        switch = st.container(width="content")
        with st.popover("Another clip", icon=":material/mic:", key=f"another-{clip.id[:8]}"):
            choose_clip()
            st.caption(KEPT)
        with st.popover("Options", icon=":material/tune:", key="settings"):
            session().page(BarState).settings = analysis.choose_settings()
            lead_to_page("voice-from-bar")
        with switch:
            draw_switch(settings().model)
        st.button("Delete", icon=":material/delete:", on_click=forget, key="delete", help=_about_deleting())


def _about_deleting() -> str:
    """What goes with the clip is named before."""
    others = [state.contents() for kind, state in session().pages.items() if kind.follows_clip]
    counts = ", ".join(f"{what}: {n}" for content in others for what, n in content.items() if n)
    return f"Deletes this clip, and with it: {counts}." if counts else "Deletes this clip."


def _facts(clip: SessionClip) -> str:
    recording = clip.recording
    channels = {1: "mono", 2: "stereo"}.get(recording.source_channels, f"{recording.source_channels} channels")
    rate = f"{recording.source_rate / 1000:g} kHz"
    n_possible = len(session().possible_emotions)
    emotions = f" · {n_possible} possible emotions" if n_possible < len(EMOTIONS) else ""
    return f"{format_duration(recording.duration_s)} · {_format(clip)}, {rate}, {channels}{emotions}"


def _format(clip: SessionClip) -> str:
    """Container and codec by the names that people know: "M4A AAC" instead of "mov aac"."""
    container, _, codec = clip.recording.codec.removesuffix(" MPEG_LAYER_III").partition(" ")
    usual, suffix = CONTAINERS.get(container, (container.upper(),)), PurePath(clip.name).suffix[1:].upper()
    name = suffix if suffix in usual else usual[0]
    return f"{name} {codec.upper()}" if codec and codec != container else name

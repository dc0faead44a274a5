"""The views of the workspace. Only the chosen one is imported and drawn."""

import time
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import streamlit as st

FIRST = "answer"
KEY = "view"  # of the widget, and in the address
SEEN, WRITTEN_AT = "view-in-address", "view-written-at"  # what the address names, and since when
LATE_S = 1.0  # the browser takes a new address over; until then requests of the page come with the old one


@dataclass(frozen=True)
class View:
    title: str
    needs_clip: bool = True
    predicts_segments: bool = False  # by models of its own, shown under the player


VIEWS = {
    "answer": View("Answer"),
    "over_time": View("Over time", predicts_segments=True),
    "why": View("Why"),
    "models": View("Models"),
    "map": View("Map", needs_clip=False),
    "voice": View("Voice"),
}
"""Folder -> view. Its view.py has `draw(clip: SessionClip)`, where `clip` may be None for a view without need of one.
It returns None, or a function that is called at the end of the page: work that fills in what is drawn already."""


def read_address() -> None:
    """Makes the view that the address names the chosen one: on arrival, and after Back or Forward of the browser."""
    named = st.query_params.get(KEY, FIRST)
    late = time.monotonic() - st.session_state.get(WRITTEN_AT, 0.0) < LATE_S
    moved = named != st.session_state.get(SEEN, named) and not late
    if named in VIEWS and (moved or st.session_state.get(KEY) is None):
        st.session_state[KEY] = named


def choose_view() -> str:
    """The switch between the views; the address follows it."""
    st.segmented_control(
        "View",
        VIEWS,
        format_func=lambda name: VIEWS[name].title,
        default=None if KEY in st.session_state else FIRST,
        required=True,
        key=KEY,
        on_change=_overrule_address,
        label_visibility="collapsed",
    )
    return follow_view()


def follow_view() -> str:
    """The chosen view, also where there is no switch; the address follows it."""
    chosen = st.session_state.get(KEY) or FIRST  # none for a moment, where the page is drawn without its clip
    if st.query_params.get(KEY, FIRST) != chosen:
        st.query_params[KEY] = chosen
        st.session_state[WRITTEN_AT] = time.monotonic()
    st.session_state[SEEN] = chosen
    return chosen


def show(view: str) -> None:
    """For a button: the view that is drawn next."""
    st.session_state[KEY] = view
    _overrule_address()


def _overrule_address() -> None:
    """A click is newer than the address that comes with it."""
    st.session_state[SEEN] = st.query_params.get(KEY, FIRST)


def module(view: str) -> ModuleType:
    return import_module(f"pages.workspace.{view}.view")

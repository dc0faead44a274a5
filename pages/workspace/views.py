"""The views of the workspace. Only the chosen one is imported and drawn."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import streamlit as st

FIRST = "answer"
KEY = "view"  # of the widget, and in the address


@dataclass(frozen=True)
class View:
    title: str
    needs_clip: bool = True


VIEWS = {
    "answer": View("Answer"),
    "over_time": View("Over time"),
    "why": View("Why"),
    "models": View("Models"),
    "map": View("Map", needs_clip=False),
    "voice": View("Voice"),
}
"""Folder -> view. Its view.py has `draw(clip: SessionClip)`, where `clip` may be None for a view without need of one.
It returns None, or a function that is called at the end of the page: work that fills in what is drawn already."""


def read_address() -> None:
    """Makes the view that the address names the chosen one."""
    named = st.query_params.get(KEY)
    if named in VIEWS and st.session_state.get(KEY) is None:
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
        label_visibility="collapsed",
    )
    chosen = st.session_state[KEY] or FIRST  # none for a moment, where the page is drawn without its clip
    if st.query_params.get(KEY, FIRST) != chosen:
        st.query_params[KEY] = chosen
    return chosen


def show(view: str) -> None:
    """For a button: the view that is drawn next."""
    st.session_state[KEY] = view


def module(view: str) -> ModuleType:
    return import_module(f"pages.workspace.{view}.view")

"""A card beside the pointer: the spectrogram of the point of a map that it is on."""

import base64
from collections.abc import Callable

import streamlit as st

from pages.ui.components.player import FOLDER

STYLE = """
:host { display: block; height: 0; }
img { position: fixed; z-index: 1000; width: 220px; height: 84px; border-radius: 4px; pointer-events: none;
  border: 2px solid var(--st-background-color); box-shadow: 0 1px 8px rgb(0 0 0 / 45%); }
img[hidden] { display: none; }
"""
_mount = st.components.v2.component(
    "hover_card",
    html='<img class="card" alt="" hidden>',  # the panel beside the map has the same picture with its name
    css=STYLE,
    js=(FOLDER / "hover_card.js").read_text(),
)


@st.fragment
def hover_card(plot: str, picture: Callable[[int], bytes | None]) -> None:
    """Shows it over a chart, without a run of the page.

    Args:
        plot: begins the key of the chart; its points have their row in `customdata`.
        picture: PNG of the spectrogram of a row, None where there is none; what the browser sends may be any number.
    """
    key = f"hover-{plot}"
    row = st.session_state.get(key, {}).get("hover")
    png = picture(row) if isinstance(row, int) else None
    code = base64.b64encode(png).decode() if png else None
    _mount(key=key, on_hover_change=_nothing, data={"plot": plot, "row": row, "picture": code})


def _nothing() -> None:
    """The fragment reads what was sent when it runs."""

"""A card beside the pointer: text and spectrogram of the point of a map that it is on."""

import base64
import gzip
import json
from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.components.player import FOLDER, served

STYLE = """
:host { display: block; height: 0; }
.card { position: fixed; z-index: 1000; pointer-events: none; border-radius: 4px; overflow: hidden;
  font: 0.85rem var(--st-font); color: var(--st-text-color); background: var(--st-background-color);
  box-shadow: 0 0 0 1px var(--st-border-color), 0 1px 8px rgb(0 0 0 / 45%); }
.card[hidden], .card [hidden] { display: none; }
.card p { margin: 0; padding: 3px 8px; max-width: 300px; overflow-wrap: anywhere; white-space: pre-line; }
.card p:empty { display: none; }
img { display: block; width: 220px; height: 84px; }
"""
_mount = st.components.v2.component(
    "hover_card",
    html='<div class="card" hidden><p></p><img alt=""></div>',  # the panel beside the map names the same picture
    css=STYLE,
    js=(FOLDER / "hover_card.js").read_text(),
)


def packed(texts: Sequence[str]) -> bytes:
    """The texts of all points for `hover_card`; "<br>" breaks a line, as in plotly."""
    return gzip.compress(json.dumps([text.replace("<br>", "\n") for text in texts]).encode(), mtime=0)


@st.fragment
def hover_card(plot: str, picture: Callable[[int], bytes | None], texts: bytes | None = None) -> None:
    """Shows it over a chart, without a run of the page.

    Args:
        plot: begins the key of the chart; its points have their row in `customdata`.
        picture: PNG of the spectrogram of a row, None where there is none; what the browser sends may be any number.
        texts: of `packed`, for a chart without hover texts: a browser reads them when the pointer first comes.
    """
    key = f"hover-{plot}"
    row = st.session_state.get(key, {}).get("hover")
    png = picture(row) if isinstance(row, int) else None
    code = base64.b64encode(png).decode() if png else None
    url = served(texts, "application/octet-stream", f"{key}-texts", "texts") if texts else None
    _mount(key=key, on_hover_change=_nothing, data={"plot": plot, "row": row, "picture": code, "texts": url})


def _nothing() -> None:
    """The fragment reads what was sent when it runs."""

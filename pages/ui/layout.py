"""Layout shared by all pages. Light to import: app.py draws it before torch is there."""

import gc
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.session import session

STYLE, SCRIPT = (Path(__file__).with_name(name).read_text() for name in ("layout.css", "layout.js"))
MOST_DECIMALS = 3  # of a rounded figure; a learning rate or a p-value has more, and other rows need not
SCRIPTS = Path(st.__file__).parent / "static/static/js"  # of Streamlit's own pages
PAGE_DRAWN_MS = 500  # by then the first page is, mostly
SESSION_EXPIRED = "Your session has expired: your audio and its results are deleted. Choose the recording again."


def draw_layout() -> None:
    """Draws the sidebar; called by app.py before the page."""
    _freeze_modules(len(sys.modules))
    if "session" not in st.session_state and _is_reconnection():
        st.toast(SESSION_EXPIRED, icon=":material/info:", duration="infinite")
    content = f"<style>{STYLE}</style><script>{_plotly_preload()}{SCRIPT}</script>"
    st.sidebar.html(content, unsafe_allow_javascript=True)


@lru_cache(maxsize=1)
def _plotly_preload() -> str:
    """Lets the browser read what draws charts while nobody waits: Streamlit does so, for half a second, only when the
    first one is to be seen. Empty where its file has another name."""
    names = [path.name for path in SCRIPTS.glob("PlotlyChart.*.js")]
    own = "document.querySelector('script[type=module][src]').src"
    read = f"{names}.forEach(name => import(new URL(name, {own})))"
    return f"setTimeout(() => {read}, {PAGE_DRAWN_MS});\n" if names else ""


def _is_reconnection() -> bool:
    """Whether the browser requested a session that is over: Streamlit then starts a new one without notice.

    It names that session after the protocol and a token when it connects again, never when a page is opened.
    """
    return len(st.context.headers.get("Sec-WebSocket-Protocol", "").split(",")) > 2


@lru_cache(maxsize=1)
def _freeze_modules(n_modules: int) -> None:
    """What is imported is no garbage. Streamlit looks for some after every run: a quarter of a second among all that
    torch and plotly bring along, in which no session is served."""
    gc.collect()
    gc.freeze()


def result_place(shown: Hashable, place: str) -> Callable[[], DeltaGenerator]:
    """Where the result goes: a function that gives the container, to be called when the result is there.

    A rerun leaves the previous result on the screen until the new one is drawn over it. That is right as long as both
    are the result of the same clip and settings (`shown`); otherwise the place stays empty until the call.

    Two slots take turns: Streamlit drops the message that empties a slot if one that fills it follows at once.

    Args:
        place: names it among the places of a page.
    """
    now = session()
    keep = now.source is None and now.shown.get(place) == shown
    now.shown[place] = shown
    slot = now.slots[place] = now.slots.get(place, 0) if keep else 1 - now.slots.get(place, 0)
    slots = [st.container() if keep and i == slot else st.empty() for i in range(2)]
    return (lambda: slots[slot]) if keep else slots[slot].container


def opened(label: str, key: str, expanded: bool = False) -> DeltaGenerator | None:
    """An expander whose content is drawn once it is open, None before: the browser lays out closed tables too."""
    box = st.expander(label, expanded, key=key, on_change="rerun")
    return box if box.open else None


def show_rows(rows: Sequence[dict], alt: str, columns: dict | None = None, **options: Any) -> None:
    """A table whose rounded numbers have the same decimals in all rows; what is missing is an empty cell.

    Args:
        columns: formats of single columns in place of these.
        options: of st.dataframe.
    """
    formats = same_decimals(rows) | (columns or {})
    st.dataframe(rows, hide_index=True, column_config=formats, alt=alt, **{"placeholder": ""} | options)


def same_decimals(rows: Iterable[Mapping[str, object]]) -> dict:
    """Formats of a table's columns with rounded numbers: as many decimals in each row as in the longest one.

    Streamlit drops their last zeros: 6 would stand below 4.93.
    """
    decimals: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                decimals[name] = max(decimals.get(name, 0), _n_decimals(value))
    return {name: st.column_config.NumberColumn(format=f"%.{n}f") for name, n in decimals.items() if n <= MOST_DECIMALS}


def _n_decimals(value: float) -> int:
    digits = str(float(value))
    return len(digits.partition(".")[2]) if "e" not in digits else MOST_DECIMALS + 1

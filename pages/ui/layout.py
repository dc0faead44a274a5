"""What surrounds every page comes from app.py. Light to import: a page calls it before anything else."""

import gc
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.session import session

SCRIPTS = Path(st.__file__).parent / "static/static/js"  # of Streamlit's own pages
PAGE_DRAWN_MS = 500  # by then the first page is, mostly
OVER = "Your session is over: your audio and its results are gone. Choose it again."


def draw_layout() -> None:
    """Called by app.py before the page."""
    _spare_modules(len(sys.modules))
    if "session" not in st.session_state and _was_here_before():
        st.toast(OVER, icon=":material/info:", duration="infinite")
    session().card = st.sidebar.empty()
    if session().clip and not session().source:
        from pages.ui.clip import draw_card  # not light

        draw_card()
    if ahead := _charts_ahead():
        st.sidebar.html(ahead, unsafe_allow_javascript=True)


@lru_cache(maxsize=1)
def _charts_ahead() -> str:
    """Lets the browser read what draws charts while nobody waits: Streamlit does so, for half a second, only when the
    first one is to be seen. Empty where its file has another name."""
    names = [path.name for path in SCRIPTS.glob("PlotlyChart.*.js")]
    own = "document.querySelector('script[type=module][src]').src"
    read = f"{names}.forEach(name => import(new URL(name, {own})))"
    return f"<script>setTimeout(() => {read}, {PAGE_DRAWN_MS})</script>" if names else ""


def _was_here_before() -> bool:
    """Whether the browser asked for a session that is over: Streamlit then gives it a new one and tells nobody.

    It names that session after the protocol and a token when it connects again, never when a page is opened.
    """
    return len(st.context.headers.get("Sec-WebSocket-Protocol", "").split(",")) > 2


@lru_cache(maxsize=1)
def _spare_modules(n_modules: int) -> None:
    """What is imported is no garbage. Streamlit looks for some after every run: a quarter of a second among all that
    torch and plotly bring along, in which no session gets an answer."""
    gc.collect()
    gc.freeze()


def slot(shown) -> Callable[[], DeltaGenerator]:
    """Where the result goes: a function that gives the container, to be called when the result is there.

    A rerun leaves the previous result on the screen until the new one is drawn over it. That is right as long as both
    are the result of the same clip and settings (`shown`); otherwise the place stays empty until the call.
    """
    now = session()
    keep = now.source is None and now.shown == shown
    now.shown = shown
    if not keep:
        return st.empty().container
    container = st.container()
    return lambda: container

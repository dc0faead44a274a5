"""What surrounds every page comes from app.py. Light to import: a page calls it before anything else."""

import gc
import sys
from functools import lru_cache
from pathlib import Path

import streamlit as st

FRAMED = "framed"
SCRIPTS = Path(st.__file__).parent / "static/static/js"  # of Streamlit's own pages
PAGE_DRAWN_MS = 500  # by then the first page is, mostly
CARD = "card"  # its place in the sidebar, in this run
OVER = "Your session is over: your audio and its results are gone. Choose it again."


def draw_frame() -> None:
    """Called by app.py before the page."""
    _spare_modules(len(sys.modules))
    if FRAMED not in st.session_state and _was_here_before():
        st.toast(OVER, icon=":material/info:", duration="infinite")
    st.session_state[FRAMED] = True
    st.session_state[CARD] = st.sidebar.empty()
    if "source" not in st.session_state:
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


def draw_card() -> None:
    """The clip of this session in the sidebar; once in a run, when the clip is known."""
    clip, place = st.session_state.get("clip"), st.session_state.get(CARD)
    if clip and place:
        from pages._clip_card import show_clip_card  # not light

        with place.container():
            show_clip_card(clip)


def require_frame(page: str) -> None:
    """Start again under app.py, where Streamlit did not.

    Args:
        page: the file of the page.

    The very first request to a server, when it is for another page than the first one, is answered by that page alone:
    Streamlit takes the folder pages/ for the list of pages until it has seen another one.
    """
    if FRAMED not in st.session_state:
        st.navigation([st.Page(_nothing, default=True), st.Page(page)], position="hidden")
        st.rerun()


def _nothing() -> None:
    pass

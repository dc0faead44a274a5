"""The live microphone inside the page: a frame of the same server, which hands its recording over."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent
KEY = "live-frame"
_mount = st.components.v2.component(
    "live_frame",
    html='<iframe title="Live microphone" allow="microphone"></iframe>',
    css=(FOLDER / "frame.css").read_text(),
    js=(FOLDER / "frame.js").read_text(),
)


def live_frame(address: str, on_token: Callable[[str], None]) -> None:
    """Draw it.

    Args:
        address: path of the live microphone.
        on_token: called before the page runs, with what names the recording that the person wants to open.
    """
    _mount(key=KEY, data={"address": address}, on_token_change=lambda: _arrived(on_token))


def _arrived(on_token: Callable[[str], None]) -> None:
    """The browser may send anything."""
    token = st.session_state[KEY].get("token")
    if isinstance(token, str) and token:
        on_token(token)

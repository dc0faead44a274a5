"""A recorder that takes the microphone as it is: echo cancellation, noise suppression and gain control off."""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent
PROCESSING = {
    "echoCancellation": "echo cancellation",
    "noiseSuppression": "noise suppression",
    "autoGainControl": "automatic gain control",
}
_mount = st.components.v2.component(
    "raw_recorder",
    html=(FOLDER / "recorder.html").read_text(),
    css=(FOLDER / "recorder.css").read_text(),
    js=(FOLDER / "recorder.js").read_text(),
)


def recorder(*, key: str, max_s: int, on_clip: Callable[[], None]) -> None:
    """Show the recorder. It stops by itself after max_s seconds; on_clip runs when a recording has arrived."""
    _mount(key=key, data={"max_s": max_s}, on_clip_change=on_clip)


def recorded(key: str) -> tuple[bytes, tuple[str, ...]]:
    """The recording that has just arrived, for use in on_clip.

    Returns:
        The bytes of a WAV file, empty when the browser sent something else; notes on what the browser did to the sound.
    """
    clip = st.session_state[key].clip
    try:
        wav = base64.b64decode(clip["wav"], validate=True)
        kept = [text for name, text in PROCESSING.items() if name in clip["processed"]]
    except (KeyError, TypeError, binascii.Error):
        return b"", ()
    return wav, tuple(f"The browser kept {text} on: loudness and tone may be changed." for text in kept)

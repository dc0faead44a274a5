"""A recorder that takes the microphone as it is: echo cancellation, noise suppression and gain control off."""

import base64
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui.components.sent import sent_value
from ser_core import paths

FOLDER = Path(__file__).parent
MAX_RECORDING_S = 60
SHARED = [paths.STATIC / name for name in ("microphone.js", "spectrogram.js")]  # of the live page
OWN = [FOLDER / name for name in ("recorder.js", "recorder_view.js")]
PROCESSING = {
    "echoCancellation": "echo cancellation",
    "noiseSuppression": "noise suppression",
    "autoGainControl": "automatic gain control",
}
_mount = st.components.v2.component(
    "raw_recorder",
    html=(FOLDER / "recorder.html").read_text(),
    css=(FOLDER / "recorder.css").read_text(),
    js="\n".join(path.read_text() for path in (*SHARED, *OWN)),
)


def recorder(
    *, key: str, on_clip: Callable[[bytes, tuple[str, ...]], None], max_s: int = MAX_RECORDING_S, hint: str = ""
) -> None:
    """Show the recorder, which stops by itself after max_s seconds.

    Args:
        on_clip: called when a recording has arrived, before the page runs: with the bytes of a WAV file (empty when the
            browser sent something else), and a note on each thing the browser did to the sound.
        hint: beside the button, until it records.
    """
    _mount(key=key, data={"max_s": max_s, "hint": hint}, on_clip_change=lambda: _arrived(key, on_clip))


def _arrived(key: str, on_clip: Callable[[bytes, tuple[str, ...]], None]) -> None:
    sent = sent_value(key, "clip")
    if sent is not None:
        on_clip(*unpacked(sent))


def unpacked(arrived) -> tuple[bytes, tuple[str, ...]]:
    """The WAV file and the notes; the browser may send anything."""
    try:
        wav = base64.b64decode(arrived["wav"], validate=True)
        kept = [text for name, text in PROCESSING.items() if name in arrived["processed"]]
    except (KeyError, TypeError, ValueError):
        return b"", ()
    return wav, tuple(f"The browser kept {text} on: loudness and tone may be changed." for text in kept)

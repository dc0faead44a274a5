"""The live microphone inside the page: a frame of the same server, which hands its recording over."""

import json
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.live.voice import keep_model
from pages.ui.components.sent import sent_value
from pages.ui.session import session
from pages.ui.voice.personal import PersonalModel

FOLDER = Path(__file__).parent
KEY = "live-frame"
_mount = st.components.v2.component(
    "live_frame",
    html='<iframe title="Live microphone" allow="microphone"></iframe>',
    css=(FOLDER / "frame.css").read_text(),
    js=(FOLDER / "frame.js").read_text(),
)


def live_frame(address: str, on_token: Callable[[str], None], model: PersonalModel | None) -> None:
    """Draw it.

    Args:
        address: path of the live microphone.
        on_token: called before the page runs, with what names the recording that the person wants to open.
        model: that was chosen in it, with the reference that its sessions start with. They start with the emotions of
            the session, too.
    """
    reference = model and model.reference
    voice = {
        "model": model and model.name,
        "reference": reference and reference.to_dict(),
        "emotions": session().possible_emotions,
    }
    data = {"address": address, "voice": json.dumps(voice), "follows_model": session().uses_voice}
    _mount(
        key=KEY,
        data=data,
        on_token_change=lambda: _arrived("token", on_token),
        on_model_change=lambda: _arrived("model", keep_model),
    )


def _arrived(name: str, take: Callable[[str], None]) -> None:
    """The browser may send anything."""
    value = sent_value(KEY, name)
    if isinstance(value, str) and value:
        take(value)

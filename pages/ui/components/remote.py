"""The remote control of the player: hands it what a page asked for after it was drawn, and plays any other sound."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "player_remote",
    html=(FOLDER / "remote.html").read_text(),
    css=(FOLDER / "remote.css").read_text(),
    js=(FOLDER / "one_sound.js").read_text() + (FOLDER / "remote.js").read_text(),
)


def remote(
    *,
    key: str,
    request: dict | None,
    cells: list[dict] | None,
    sound: str,
    speech: Sequence[tuple[float, float]] | None,
) -> None:
    """Draw it: nothing is seen of it but the name of another sound while that plays.

    Args:
        request: id, and start_s with end_s (None: to the end) of the clip, or name and url of another sound; each id is
            carried out once.
        cells: labels over time to be shown under the player; None leaves them as they are.
        sound: id of what the player shows, sound_id(tracks).
        speech: (start_s, end_s) of the speech in it; None without.
    """
    cells_id = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
    data = {"request": request, "cells": cells, "cells_id": cells_id, "id": sound, "speech": speech}
    _mount(key=key, data=data)

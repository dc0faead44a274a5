"""The timeline in the browser: zoom and pan without a run of the page; a click plays its segment in the player."""

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
HINT = "Click to play. Drag to move, wheel to zoom."
TOUCH_HINT = "Tap to play. Drag to move, two fingers to zoom."
_mount = st.components.v2.component(
    "timeline",
    html=(FOLDER / "timeline.html").read_text(),
    css=(FOLDER / "timeline.css").read_text(),
    js="\n".join((FOLDER / f"timeline{part}.js").read_text() for part in ("", "_draw", "_pointer")),
)


def timeline(data: dict[str, Any], clip_id: str, description: str) -> None:
    """Show it.

    Args:
        data: from timeline_data.
        clip_id: a new one is shown in full.
        description: what it shows, for those who do not see it.
    """
    keys = "Arrow keys play the segment before and after, plus and minus zoom, 0 shows all."
    words = {"hint": HINT, "touch_hint": TOUCH_HINT, "description": f"{description} {keys}"}
    _mount(key="timeline", data=data | {"clip": clip_id} | words)

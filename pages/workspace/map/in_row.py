"""The nearest clips, played in a row: the ring on the map and the panel go along."""

from pathlib import Path

import streamlit as st

from pages.ui.components.sent import sent_value
from pages.ui.session import session
from pages.workspace import sound
from pages.workspace.map import neighbours
from pages.workspace.map.neighbours import Neighbourhood, WalkState
from ser_core.interpret import Atlas

KEY = "in-row"
_mount = st.components.v2.component("in_row", html="", js=Path(__file__).with_name("in_row.js").read_text())


def draw_button(found: Atlas, around: Neighbourhood) -> None:
    """Starts the row, or ends it; nothing where no recording is here."""
    if session().page(WalkState).in_row:
        st.button("Stop", key="stop-row", icon=":material/stop:", on_click=stop, help="Escape stops too.")
    elif _from(found, around, 0) is not None:
        icon = ":material/playlist_play:"
        st.button("Play all", key="play-row", icon=icon, shortcut="a", on_click=_start, args=(found, around), help=HELP)


HELP = "Plays the nearest clips one after the other, the nearest first. Escape stops."


def follow(found: Atlas, around: Neighbourhood) -> None:
    """Goes on when the browser has played a clip to its end."""
    row = neighbours.chosen(found, around)
    name = str(found.ids[row]) if row is not None and session().page(WalkState).in_row else ""
    _mount(
        key=KEY,
        data={"name": name},
        on_next_change=lambda: _go_on(found, around, sent_value(KEY, "next")),
        on_stop_change=_end,
    )


def stop() -> None:
    _end()
    sound.stop()


def _start(found: Atlas, around: Neighbourhood) -> None:
    _play_from(found, around, 0)


def _go_on(found: Atlas, around: Neighbourhood, played: object) -> None:
    """What the browser sent may be late: the person has gone elsewhere since."""
    walk, row = session().page(WalkState), neighbours.chosen(found, around)
    if walk.in_row and row is not None and played == found.ids[row]:
        _play_from(found, around, walk.place + 1)


def _play_from(found: Atlas, around: Neighbourhood, place: int) -> None:
    """Plays the next clip whose recording is here; after the last one the row is over."""
    playable = _from(found, around, place)
    session().page(WalkState).in_row = playable is not None
    if playable is not None:
        neighbours.go_to(found, around, playable)


def _from(found: Atlas, around: Neighbourhood, first: int) -> int | None:
    places = range(first, len(around.rows))
    return next((place for place in places if neighbours.recording(str(found.ids[around.rows[place]]))), None)


def _end() -> None:
    session().page(WalkState).in_row = False

"""The walk among neighbours: around the clip of the session, or around a clip of a corpus that was clicked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui import results
from pages.ui.components.player import Track, track
from pages.ui.samples import voices
from pages.ui.session import PageState, SessionClip, session
from pages.workspace import sound
from pages.workspace.map import own_clips
from pages.workspace.map.own_clips import EmbeddedClip
from ser_core.audio import AudioError, load_audio
from ser_core.interpret import Atlas

ANCHOR = -1  # the place of the clip in the middle


@dataclass
class WalkState(PageState):
    """Where the walk is."""

    follows_clip = True
    anchor: str = ""  # utterance id of the clip in the middle; "": the clip of the session
    place: int = 0  # among its neighbours, the nearest first; ANCHOR: the clip in the middle
    session_clip: str = ""  # id of the clip of the session at that time
    in_row: bool = False  # the neighbours are being played one after the other


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A clip and its nearest clips in the space of a model."""

    anchor: str  # as in WalkState
    rows: np.ndarray  # of the atlas, the nearest first, (k,)
    distances: np.ndarray  # (k,)
    itself: str = ""  # utterance id of this very recording, where it is on the map


def follow(clip: SessionClip | None) -> None:
    """Another clip of the session begins its own walk."""
    clip_id = clip.id if clip else ""
    walk = session().page(WalkState)
    if walk.session_clip != clip_id:
        walk.anchor, walk.place = ("", 0) if clip else (walk.anchor, walk.place)
        walk.session_clip, walk.in_row = clip_id, False


def neighbourhood(found: Atlas, own: EmbeddedClip | None) -> Neighbourhood | None:
    """Around the clip that was clicked, else around the clip of the session; None without either."""
    walk = session().page(WalkState)
    rows = np.flatnonzero(found.ids == walk.anchor)
    if len(rows):
        return Neighbourhood(walk.anchor, *own_clips.nearest_to(found, found.embeddings[rows[0]], int(rows[0])))
    if own is None:
        return None
    itself = own_clips.itself(found, own)
    return Neighbourhood("", *own_clips.nearest(found, own), "" if itself is None else str(found.ids[itself]))


def chosen(found: Atlas, around: Neighbourhood | None) -> int | None:
    """Row of the clip the walk has reached; None at the clip of the session."""
    place = session().page(WalkState).place
    if around is None:
        return None
    if place == ANCHOR:
        return int(np.flatnonzero(found.ids == around.anchor)[0]) if around.anchor else None
    return int(around.rows[min(place, len(around.rows) - 1)])


def start_from(clip: str) -> None:
    """Goes to a clip of a corpus, and plays it."""
    walk = session().page(WalkState)
    walk.anchor, walk.place, walk.in_row = clip, ANCHOR, False
    play(clip)


def back_to_own() -> None:
    """The clip of the session is in the middle again."""
    walk = session().page(WalkState)
    walk.anchor, walk.place, walk.in_row = "", 0, False


def step(found: Atlas, around: Neighbourhood, by: int) -> None:
    """Goes to the next or the previous neighbour, and plays it."""
    go_to(found, around, session().page(WalkState).place + by)


def go_to(found: Atlas, around: Neighbourhood, place: int) -> None:
    """Goes to a place within the neighbourhood, and plays it."""
    first = ANCHOR if around.anchor else 0
    walk = session().page(WalkState)
    walk.place = min(max(place, first), len(around.rows) - 1)
    if (row := chosen(found, around)) is not None:
        play(str(found.ids[row]))


def play(clip: str) -> None:
    """Plays a clip of a corpus, where its recording is here."""
    if (made := recording(clip)) is not None:
        sound.play_other(made)


def recording(clip: str) -> Track | None:
    """Its sound and spectrogram; None where it is not here, or cannot be read."""
    path = (results.recordings() or shipped()).get(clip)
    if path is None or not path.is_file():
        return None
    try:
        return _track(clip, str(path))
    except AudioError:
        return None


def picture(found: Atlas, row: int) -> bytes | None:
    """PNG of the spectrogram of a clip; None where its recording is not here."""
    made = recording(str(found.ids[row])) if 0 <= row < len(found.ids) else None
    return made.spectrogram.png if made else None


def shipped() -> dict[str, Path]:
    """Utterance id -> file, of the clips that come with the program."""
    return {voice.utterance.id: voice.utterance.path for voice in voices()}


@st.cache_resource(max_entries=64, show_spinner=False)
def _track(clip: str, path: str) -> Track:
    return track(clip, load_audio(path), clip)

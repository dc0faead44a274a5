"""The sound of the workspace: one player for the clip, and any other sound beside it; only one of them plays.

Python asks with `play` and `play_other`, before or while a view is drawn (in a fragment: followed by `st.rerun()`). The
JavaScript of a component can ask without a run of the page: it dispatches a `ser:play` event on the window, with
`{start_s, end_s}` or `{name, url}` as its detail, or `ser:stop`. The player says where it is with `ser:time`:
`{time_s, playing}`; when another sound ends, `ser:end` says so: `{name, finished}`.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field

from pages.ui.analysis import PreparedClip
from pages.ui.clip import trim
from pages.ui.components.player import Cell, Track, player, sound_id, sound_url
from pages.ui.components.remote import remote
from pages.ui.session import PageState, session


@dataclass
class SoundState(PageState):
    follows_clip = True
    request: dict | None = None  # what was asked last
    strips: dict[Hashable, list[Cell]] = field(default_factory=dict)  # emotions over time under the player
    strip: Hashable = None  # which of them is shown: names all that it depends on


def play(start_s: float, end_s: float | None = None) -> None:
    """Play an interval of the clip once, or from a time to its end."""
    _ask(start_s=start_s, end_s=end_s)


def play_other(track: Track) -> None:
    """Play another sound than the clip: a neighbour, a relevant part."""
    _ask(name=track.name, url=sound_url(track, "other"))


def stop() -> None:
    """End another sound than the clip."""
    _ask(stop=True)


def _ask(**detail: object) -> None:
    session().page(SoundState).request = {"id": time.time_ns(), **detail}


def show_strip(cells: Sequence[Cell]) -> None:
    """Show emotions over time under the player of the clip."""
    state = session().page(SoundState)
    state.strips[state.strip] = list(cells)


def draw_player(prepared: PreparedClip, strip: Hashable) -> None:
    """The player of the clip, with speech and strip as far as they are known: a long sound is there before them.

    Args:
        strip: names what the emotions under the player depend on: those of other settings are not shown.
    """
    state = session().page(SoundState)
    state.strip = strip
    cells = state.strips.get(strip, [])
    player(prepared.tracks, prepared.known_speech, cells, "player", trim)


def draw_remote(prepared: PreparedClip | None = None) -> None:
    """Carries out what the view asked for, and hands the player what is known by then; called after the view."""
    state = session().page(SoundState)
    cells = state.strips.get(state.strip) if prepared else None
    cells = None if cells is None else [asdict(cell) for cell in cells]
    speech = prepared.speech if prepared else None
    remote(
        key="remote",
        request=state.request,
        cells=cells,
        sound=sound_id(prepared.tracks if prepared else ()),
        speech=speech,
    )

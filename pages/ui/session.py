"""State of one browser session: the clip, what was computed from it, and the state of single pages, as one object."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from ser_core.labels import EMOTIONS

if TYPE_CHECKING:  # app.py imports this module before torch
    import numpy as np

    from ser_core.audio import Recording
    from ser_core.data import Utterance
    from ser_core.inference import Reference
    from ser_core.models import Adapter

LINK = "sample"  # in an address: names a clip that everybody has


@dataclass(frozen=True)
class UploadedSource:
    """A recording the person chose, not yet decoded."""

    kind: str  # the input it came from: raw, browser, upload, sample, corpus or live
    name: str  # as sent by the browser: shown as plain text, never used as a path
    file: bytes | BinaryIO | str
    notes: tuple[str, ...] = ()
    words: str = ""  # transcript, where known
    utterance: Utterance | None = None  # of a corpus; its label is hidden until the person reveals it
    link: str = ""  # names it in an address: a sample, or an utterance id


@dataclass(frozen=True, eq=False)
class SessionClip:
    """The decoded recording that all pages are about."""

    id: str  # sha256 of the samples
    kind: str
    name: str
    recording: Recording
    notes: tuple[str, ...]
    words: str
    utterance: Utterance | None
    offset_s: float = 0.0  # start in the full recording, for a trimmed clip
    link: str = ""  # names it in an address; "" for a recording of the person


Extent = tuple[str, float, float]
"""Id of a full recording, start and end of a part of it in seconds."""


@dataclass
class PageState:
    """State that one page keeps in the session; every field has a default."""

    follows_clip = False  # cleared together with the clip of the session

    def contents(self) -> dict[str, int]:
        """Description -> count of what is kept, for the page "Settings"."""
        return {}

    def files(self) -> Iterable[object]:
        """Uploaded files to be erased with the state."""
        return ()


State = TypeVar("State", bound=PageState)


@dataclass
class Session:
    """Everything that one person's browser session holds; models and results are shared by all sessions instead."""

    source: UploadedSource | None = None  # chosen, not yet decoded
    is_unreadable: bool = False  # the source: the page Clip says why
    clip: SessionClip | None = None
    full_clip: SessionClip | None = None  # before trimming
    memory: dict[tuple, Any] = field(default_factory=dict)  # computed from the clip
    shown: dict[str, Any] = field(default_factory=dict)  # by place on the page: what its content depends on
    recorded: dict[str, int] = field(default_factory=dict)  # by name: how many recordings had it
    latest: dict[str, SessionClip] = field(default_factory=dict)  # short ones of the person, by id before trimming
    slots: dict[str, int] = field(default_factory=dict)  # by place on the page: which of its two holds the content
    cuts: dict[str, Extent] = field(default_factory=dict)  # by id of a trimmed clip: where it lies in the full one
    old_link: str = ""  # of the clip before, which the address may still name: a callback cannot change it
    revealed: str = ""  # id of the clip whose label was revealed
    adapters: dict[str, Adapter] = field(default_factory=dict)  # by model, fitted to the person's clips
    voice_clips: dict[str, np.ndarray] = field(default_factory=dict)  # of the enrolled voice, 16 kHz, by hash
    references: dict[str, Reference] = field(default_factory=dict)  # of these clips, by model
    uses_voice: bool = False  # predictions are relative to the enrolled voice
    chosen_emotions: tuple[str, ...] = ()  # that alone can occur in the person's recordings
    pages: dict[type[PageState], PageState] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)  # by input: how often it was emptied
    visitor: str = field(default_factory=lambda: secrets.token_hex(8))  # of the labels that it saves

    def page(self, kind: type[State]) -> State:
        """The state of one page, created at the first call."""
        return self.pages.setdefault(kind, kind())

    @property
    def possible_emotions(self) -> tuple[str, ...]:
        """Those among which the models choose: all, unless two or more are chosen."""
        return self.chosen_emotions if len(self.chosen_emotions) > 1 else EMOTIONS

    @property
    def is_waiting(self) -> bool:
        """Whether a recording was chosen that nothing has tried to read yet."""
        return self.source is not None and not self.is_unreadable

    def clear_clip(self) -> None:
        """Drop the clip and what was computed from it."""
        self.source = self.clip = self.full_clip = None
        self.is_unreadable = False
        self.memory, self.revealed, self.shown = {}, "", {}

    def clear_pages(self, *, following_clip_only: bool) -> None:
        """Drop the state of pages with their uploaded files, and adapters; of all pages, also the enrolled voice."""
        for kind in [kind for kind in self.pages if kind.follows_clip or not following_clip_only]:
            for file in self.pages.pop(kind).files():
                erase(file)
        self.adapters = {}
        if not following_clip_only:
            self.clear_voice()

    def clear_voice(self) -> None:
        """Drop the enrolled voice."""
        self.voice_clips, self.references, self.uses_voice = {}, {}, False

    def empty_inputs(self, keep: str | None = None) -> None:
        """Erase the files of all inputs but one: a widget is emptied by giving it a new key."""
        for kind in self.rounds.keys() - {keep}:
            erase(st.session_state.get(input_key(kind)))
            self.rounds[kind] += 1

    def clear(self) -> None:
        """Drop everything that comes from the person."""
        self.clear_clip()
        self.latest, self.cuts, self.recorded = {}, {}, {}
        self.clear_pages(following_clip_only=False)
        self.empty_inputs()


def session() -> Session:
    """The state of the session that runs this script."""
    return st.session_state.setdefault("session", Session())


def erase(file: object) -> None:
    """Delete an uploaded file: Streamlit keeps it until the session ends, even when its widget is gone."""
    context = get_script_run_ctx()
    if isinstance(file, UploadedFile) and context:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def received(key: str) -> list[UploadedFile]:
    """The files of an input, by its widget key; the browser may send those of an emptied one again: they are erased."""
    value = st.session_state.get(key)
    return [file for file in (value if isinstance(value, list) else [value]) if isinstance(file, UploadedFile)]


def input_key(kind: str) -> str:
    """Widget key of an input of the clip; a new one after the input was emptied."""
    return f"{kind}-{session().rounds.setdefault(kind, 0)}"


def remember(make: Callable[[], Any], *key: Any) -> Any:
    """The result of `make`, computed once for this clip. The key names the clip and all that the result depends on."""
    memory = session().memory
    if key not in memory:
        memory[key] = make()
    return memory[key]


def is_remembered(*key: Any) -> bool:
    """Whether `remember` has the result already."""
    return key in session().memory

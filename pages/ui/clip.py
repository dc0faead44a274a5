"""What all pages share: the clip of this session, what was computed from it, and the models.

Models are shared by everybody. Whatever comes from a person's voice lies in that person's session state and nowhere
else: the file as it came in (`source`), the decoded `clip`, and what was computed from it (`memory`).
"""

import hashlib
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from pages.ui.session import remember
from ser_core.audio import SAMPLE_RATE, Recording, encode_wav, read_audio
from ser_core.data import Utterance
from ser_core.serving import recording_store

HANDED_OVER = "recording"  # in an address
CARD = "card"  # its place in the sidebar, in this run
WIDTH, HEIGHT = 240, 40  # of the small waveform
MAX_PLAYED_S = 60  # a longer one has its player on the pages about it


@dataclass(frozen=True)
class Source:
    """A file the person chose, not yet decoded."""

    kind: str  # which of the ways in it came by; see _input.py
    name: str  # as the browser sent it: shown as plain text, never used as a path
    file: bytes | BinaryIO | str
    notes: tuple[str, ...] = ()
    words: str = ""  # what is said, where it is known
    utterance: Utterance | None = None  # of a corpus, its label hidden until asked for


@dataclass(frozen=True, eq=False)
class Clip:
    """What this session is about."""

    id: str  # sha256 of the samples
    kind: str
    name: str
    recording: Recording
    notes: tuple[str, ...]
    words: str
    utterance: Utterance | None
    offset_s: float = 0.0  # where it begins in the recording, when it is a part of it


def take(source: Source) -> None:
    """Make a new choice the clip of this session: everything of the one before is dropped."""
    forget(keep=source.kind)
    st.session_state.source = source


def receive() -> str:
    """Make a recording from the live page, named in the address, the clip of this session; returns what hinders it."""
    token = st.query_params.get(HANDED_OVER)
    if token is None:
        return ""
    del st.query_params[HANDED_OVER]  # good once: an address that is kept or sent on opens nothing
    content = recording_store.take(token)
    if content is None:
        return "The recording is no longer here: such a link works once, for a few minutes, where the live page runs."
    take(Source("live", "Live recording", content))
    return ""


def forget(keep: str | None = None) -> None:
    """Drop the clip, all that was computed from it, and the content of every input but the one to keep."""
    for name in ("source", "clip", "whole", "memory", "revealed", "shown"):
        st.session_state.pop(name, None)
    if keep is None:
        for name in ("takes", "voice", "adapters"):  # of the embedding map
            st.session_state.pop(name, None)
        erase(st.session_state.get("adapter-taken"))
    rounds = st.session_state.setdefault("rounds", {})
    for kind in rounds.keys() - {keep}:
        erase(st.session_state.get(input_key(kind)))
        rounds[kind] += 1


def trim(start_s: float, end_s: float) -> None:
    """Make a stretch of the clip the clip of this session; `untrim` takes it back."""
    clip = st.session_state.clip
    waveform = clip.recording.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    if not len(waveform):
        return
    whole = st.session_state.setdefault("whole", clip)
    recording = replace(clip.recording, waveform=waveform, duration_s=len(waveform) / SAMPLE_RATE)
    offset_s = clip.offset_s + start_s
    note = f"Only {offset_s:.2f} s to {offset_s + recording.duration_s:.2f} s is analysed; times count from there."
    st.session_state.clip = replace(
        clip, id=_digest(waveform), recording=recording, notes=(*whole.notes, note), words="", offset_s=offset_s
    )


def untrim() -> None:
    """Back to all of the recording."""
    st.session_state.clip = st.session_state.pop("whole")


def erase(file: object) -> None:
    """Drop an uploaded file: Streamlit keeps it until the session ends, also when its widget is gone."""
    context = get_script_run_ctx()
    if isinstance(file, UploadedFile) and context:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def input_key(kind: str) -> str:
    """Widget key of an input; a new one after each `forget`, because only that empties a widget."""
    rounds = st.session_state.setdefault("rounds", {})
    return f"{kind}-{rounds.setdefault(kind, 0)}"


def chosen() -> Source | Clip | None:
    """The latest choice, decoded or not."""
    return st.session_state.get("source") or st.session_state.get("clip")


def current_clip() -> Clip | None:
    """The clip of this session, decoded when it is new.

    Raises:
        AudioError: the file cannot be used.
    """
    if "source" in st.session_state:
        with st.spinner("Reading the file"):
            st.session_state.clip = _decoded(st.session_state.source)
        del st.session_state.source
        draw_card()
    return st.session_state.get("clip")


def _decoded(source: Source) -> Clip:
    recording = read_audio(source.file)
    notes = source.notes + recording.notes
    return Clip(_digest(recording.waveform), source.kind, source.name, recording, notes, source.words, source.utterance)


def _digest(waveform: np.ndarray) -> str:
    return hashlib.sha256(waveform.tobytes()).hexdigest()


def draw_card() -> None:
    """The clip of this session in the sidebar; once in a run, when the clip is known."""
    clip, place = st.session_state.get("clip"), st.session_state.get(CARD)
    if clip and place:
        with place.container():
            show_clip_card(clip)


def show_clip_card(clip: Clip) -> None:
    """Draw it where the caller stands."""
    duration_s = clip.recording.duration_s
    st.text(clip.name)
    st.image(remember(lambda: _small_waveform(clip), clip.id, "small waveform"), alt="Waveform", width="stretch")
    if duration_s <= MAX_PLAYED_S:
        st.audio(encode_wav(clip.recording.waveform), alt="The current clip")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{duration_s:.1f} s, kept in this session only")
        st.button("Clear", icon=":material/delete:", on_click=forget, key="clear-clip", type="tertiary")


def _small_waveform(clip: Clip) -> str:
    """An SVG of the waveform, as high as it goes."""
    from ser_core.plots import GREY, waveform_envelope

    low, high = waveform_envelope(clip.recording.waveform, WIDTH)
    peak = max(float(high.max()), float(-low.min()), 1e-3)
    upper = [f"{x},{HEIGHT / 2 * (1 - y / peak):.1f}" for x, y in enumerate(high)]
    lower = [f"{x},{HEIGHT / 2 * (1 - y / peak) + 1:.1f}" for x, y in enumerate(low)]
    points = " ".join(upper + lower[::-1])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(high)} {HEIGHT}" preserveAspectRatio="none" '
        f'width="{WIDTH}" height="{HEIGHT}"><polygon points="{points}" fill="{GREY}"/></svg>'
    )

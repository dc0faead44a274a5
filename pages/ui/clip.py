"""The clip of this session: chosen, decoded, trimmed, deleted."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import streamlit as st

from pages.ui.session import SessionClip, UploadedSource, session
from ser_core.audio import SAMPLE_RATE, AudioError, read_audio, speech_duration_s, speech_segments
from ser_core.inference import MAX_REFERENCE_CLIP_S, MIN_SPEECH_TO_PREDICT_S
from ser_core.serving import recording_store

HANDED_OVER = "recording"  # in an address
RECORDED_KINDS = ("raw", "browser", "live")
OWN_KINDS = (*RECORDED_KINDS, "upload")  # inputs of what may be the person's own voice
MAX_LATEST = 10
CLIP_PAGE = "pages/workspace/page.py"


def take(source: UploadedSource) -> None:
    """Make a new choice the clip of this session: everything of the one before is dropped."""
    forget(keep=source.kind)
    session().source = source


def receive_live_recording() -> str:
    """Make a recording from the live page, named in the address, the clip of this session; returns what hinders it."""
    token = st.query_params.get(HANDED_OVER)
    if token is None:
        return ""
    del st.query_params[HANDED_OVER]  # good once: an address that is kept or sent on opens nothing
    if take_live_recording(token):
        return ""
    return "The recording has expired: such a link works once, for a few minutes, on the server of the live page."


def take_live_recording(token: str) -> bool:
    """Make a recording from the live page the clip of this session; False where it has expired."""
    content = recording_store.take(token)
    if content is not None:
        take(UploadedSource("live", "Live recording", content))
    return content is not None


def forget(keep: str | None = None) -> None:
    """Drop the clip, all that was computed from it, and the content of every input except `keep`.

    A short clip of the person stays among the latest ones, unless nothing takes its place: `keep` is None.
    """
    now = session()
    now.old_link = chosen().link if chosen() else now.old_link
    if keep is None:
        now.latest = {i: clip for i, clip in now.latest.items() if clip is not now.clip}
        now.clear_pages(following_clip_only=True)
    now.clear_clip()
    now.empty_inputs(keep)


def trim(start_s: float, end_s: float) -> None:
    """Make a part of the clip the clip of this session; `untrim` restores the full one."""
    now = session()
    clip = now.clip
    waveform = clip.recording.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    if not len(waveform):
        return
    now.full_clip = now.full_clip or clip
    recording = replace(clip.recording, waveform=waveform, duration_s=len(waveform) / SAMPLE_RATE)
    offset_s = clip.offset_s + start_s
    note = f"Only {offset_s:.2f} s to {offset_s + recording.duration_s:.2f} s is analysed; times count from there."
    notes = (*now.full_clip.notes, note)
    now.old_link = clip.link or now.old_link  # a second trim may come before the address has changed
    now.clip = replace(
        clip, id=_digest(waveform), recording=recording, notes=notes, words="", offset_s=offset_s, link=""
    )
    now.cuts[now.clip.id] = (now.full_clip.id, offset_s, offset_s + recording.duration_s)
    _keep(now.clip)


def overlap(clip_id: str, other_id: str) -> bool:
    """Whether two clips of this session, by their ids, have sound in common: one recording, or overlapping parts."""
    (recording, start_s, end_s), (other, other_start_s, other_end_s) = (
        session().cuts.get(i, (i, 0.0, math.inf)) for i in (clip_id, other_id)
    )
    return recording == other and start_s < other_end_s and other_start_s < end_s


def untrim() -> None:
    """Restore the clip as it was before trimming."""
    now = session()
    now.clip, now.full_clip = now.full_clip, None
    _keep(now.clip)


def chosen() -> UploadedSource | SessionClip | None:
    """The latest choice, decoded or not."""
    return session().source or session().clip


def current_clip() -> SessionClip | None:
    """The clip of this session, decoded when it is new.

    Raises:
        AudioError: the file cannot be used.
    """
    now = session()
    if now.source:
        with st.spinner("Reading the file"):
            try:
                clip = decode(now.source)
            except AudioError:
                now.is_unreadable = True
                raise
        now.clip, now.source = _numbered(clip), None  # both or none: a rerun may end this one where the spinner ends
        _keep(now.clip)
    return now.clip


def _numbered(clip: SessionClip) -> SessionClip:
    """The clip; a recording after the first one has its number in the name, as takes are compared and saved."""
    if clip.kind not in RECORDED_KINDS:
        return clip
    recorded = session().recorded
    recorded[clip.name] = number = recorded.get(clip.name, 0) + 1
    return clip if number == 1 else replace(clip, name=f"{clip.name} {number}")


def _keep(clip: SessionClip) -> None:
    """The latest short clips of the person, as trimmed, stay in the session: together they may be a voice."""
    now = session()
    recording_id = (now.full_clip or clip).id
    now.latest.pop(recording_id, None)
    is_short = clip.recording.duration_s <= MAX_REFERENCE_CLIP_S
    if clip.kind in OWN_KINDS and is_short and speaks(clip.recording.waveform):
        now.latest[recording_id] = clip
        for other_id in list(now.latest)[:-MAX_LATEST]:
            del now.latest[other_id]


def speaks(waveform: np.ndarray) -> bool:
    """Whether a recording, 16 kHz, shape = (n_samples,), has speech enough for a prediction."""
    return speech_duration_s(speech_segments(waveform)) >= MIN_SPEECH_TO_PREDICT_S


def decode(source: UploadedSource) -> SessionClip:
    """Reads a recording.

    Raises:
        AudioError: the file cannot be used.
    """
    recording = read_audio(source.file)
    notes = source.notes + recording.notes
    return SessionClip(
        _digest(recording.waveform),
        source.kind,
        source.name,
        recording,
        notes,
        source.words,
        source.utterance,
        link=source.link,
    )


def _digest(waveform: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(waveform)).hexdigest()


def open_in_workspace(source: UploadedSource, key: str, label: str = "Open as the clip", view: str = "answer") -> None:
    """A button that makes any sound the clip of the session and opens a view of it."""
    if st.button(label, icon=":material/open_in_new:", key=key):
        take(source)
        st.switch_page(CLIP_PAGE, query_params={"view": view})

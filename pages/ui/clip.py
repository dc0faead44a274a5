"""The clip of this session: chosen, decoded, trimmed, deleted, and shown as a card in the sidebar."""

import hashlib
from dataclasses import replace

import numpy as np
import streamlit as st

from pages.ui.session import SessionClip, UploadedSource, remember, session
from ser_core.audio import SAMPLE_RATE, encode_wav, read_audio
from ser_core.serving import recording_store

HANDED_OVER = "recording"  # in an address
WIDTH, HEIGHT = 240, 40  # of the small waveform
MAX_PLAYED_S = 60  # a longer one has its player on the pages about it


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
    content = recording_store.take(token)
    if content is None:
        return "The recording has expired: such a link works once, for a few minutes, on the server of the live page."
    take(UploadedSource("live", "Live recording", content))
    return ""


def forget(keep: str | None = None) -> None:
    """Drop the clip, all that was computed from it, and the content of every input except `keep`."""
    now = session()
    now.clear_clip()
    if keep is None:
        now.clear_pages(following_clip_only=True)
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
    now.clip = replace(clip, id=_digest(waveform), recording=recording, notes=notes, words="", offset_s=offset_s)


def untrim() -> None:
    """Restore the clip as it was before trimming."""
    now = session()
    now.clip, now.full_clip = now.full_clip, None


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
            now.clip = _decode(now.source)
        now.source = None
        draw_card()
    return now.clip


def _decode(source: UploadedSource) -> SessionClip:
    recording = read_audio(source.file)
    notes = source.notes + recording.notes
    return SessionClip(
        _digest(recording.waveform), source.kind, source.name, recording, notes, source.words, source.utterance
    )


def _digest(waveform: np.ndarray) -> str:
    return hashlib.sha256(waveform.tobytes()).hexdigest()


def draw_card() -> None:
    """The clip of this session in the sidebar; once in a run, when the clip is known."""
    now = session()
    if now.clip and now.card:
        with now.card.container():
            show_clip_card(now.clip)


def show_clip_card(clip: SessionClip) -> None:
    """Draw it where the caller stands."""
    duration_s = clip.recording.duration_s
    st.text(clip.name)
    st.image(remember(lambda: _small_waveform(clip), clip.id, "small waveform"), alt="Waveform", width="stretch")
    if duration_s <= MAX_PLAYED_S:
        st.audio(encode_wav(clip.recording.waveform), alt="The current clip")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{duration_s:.1f} s, kept in this session only")
        st.button("Clear", icon=":material/delete:", on_click=forget, key="clear-clip", type="tertiary")


def _small_waveform(clip: SessionClip) -> str:
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

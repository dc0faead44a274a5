"""The clip of this session beside every page: its name, how it looks, how it sounds, and how it is deleted."""

import streamlit as st

from pages._shared import Clip, forget, remember
from ser_core.audio import encode_wav

WIDTH, HEIGHT = 240, 40  # of the small waveform
MAX_PLAYED_S = 60  # a longer one has its player on the pages about it


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

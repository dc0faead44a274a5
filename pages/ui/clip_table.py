"""A table of recordings of the corpora, with a player where they are there."""

from pathlib import Path

import streamlit as st

from pages.ui import results
from pages.ui.export import download_rows
from pages.ui.text import plain
from ser_core.audio import AudioError, load_audio
from ser_core.plots import spectrogram

MOST_CLIPS = 500
TILE_COLUMNS = 320  # pixels: wider images are flat strips in a column of the page
COLUMNS = dict.fromkeys(("confidence", "probability of the label"), st.column_config.NumberColumn(format="percent"))


def show_clips(clips: list[dict], file_name: str) -> None:
    """Clips with a player, where the recordings are there.

    Args:
        clips: rows whose "clip" is an utterance id.
        file_name: of the download, and what names the table.
    """
    event = st.dataframe(
        clips[:MOST_CLIPS],
        hide_index=True,
        height=240,
        key=f"clips-{file_name}",
        on_select="rerun",
        selection_mode="single-row",
        column_config=COLUMNS,
        alt="The chosen clips",
    )
    if len(clips) > MOST_CLIPS:
        st.caption(f"The first {MOST_CLIPS} of {len(clips)} are shown; the download has all.")
    download_rows("Download these clips", clips, file_name)
    chosen = [clips[i]["clip"] for i in event.selection.rows if i < len(clips)]
    _show_chosen([clips[0]["clip"]] if len(clips) == 1 else chosen)


def _show_chosen(chosen: list[str]) -> None:
    """A player of the chosen clip, or what is missing for one."""
    there = results.recordings()
    if not there:
        st.caption("Set `SER_CORPORA` and restart to play them.")
    elif chosen and chosen[0] in there:
        show_recording(chosen[0], str(there[chosen[0]]))
    elif chosen:
        st.caption(f"{plain(chosen[0])} is not available.")
    else:
        st.caption("Choose a row to see its spectrogram and to play it.")


def show_recording(clip: str, path: str) -> None:
    """Its spectrogram and a player.

    Args:
        clip: its utterance id.
        path: of the file.
    """
    if not Path(path).is_file():  # its spectrogram may be cached
        st.caption(f"{plain(clip)} is no longer available.")
        return
    try:
        st.image(_spectrogram_png(path), width="stretch", alt=f"Mel spectrogram of {clip}")
        st.audio(path, alt=f"The recording {clip}")
    except AudioError as error:
        st.caption(plain(str(error)))


@st.cache_data(max_entries=64)
def _spectrogram_png(path: str) -> bytes:
    return spectrogram(load_audio(path), TILE_COLUMNS).png

"""A table of recordings of the corpora, with a player where they are there."""

import streamlit as st

from pages import _measured
from pages._export import rows_as_csv

MOST_CLIPS = 500


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
        column_config={
            name: st.column_config.NumberColumn(format="percent") for name in ("certain", "given to what was meant")
        },
        alt="The chosen clips",
    )
    if len(clips) > MOST_CLIPS:
        st.caption(f"The first {MOST_CLIPS} of {len(clips)} are shown; the download has all.")
    download_rows("Download these clips", clips, file_name)
    there = _measured.recordings()
    chosen = [clips[i]["clip"] for i in event.selection.rows if i < len(clips)]
    if not there:
        st.caption("Set `SER_CORPORA` and start again to hear them.")
    elif chosen and chosen[0] in there:
        st.audio(str(there[chosen[0]]), alt=f"The recording {chosen[0]}")
    else:
        st.caption("Choose a row to hear it.")


def download_rows(label: str, rows: list[dict], name: str) -> None:
    """A button that brings the rows as CSV; none without rows."""
    if rows:
        st.download_button(label, rows_as_csv(rows), name, "text/csv", icon=":material/download:", on_click="ignore")

"""The files as points: alike sounds lie near each other."""

from functools import partial

import numpy as np
import streamlit as st
from plotly.graph_objects import Figure

from pages.many_files import state
from pages.many_files.batch import Batch, BatchRow
from pages.ui.chart import chart
from pages.ui.components.hover_card import hover_card
from ser_core.audio import AudioError, load_audio
from ser_core.inference import NO_SPEECH, NOT_ANALYSED
from ser_core.interpret import Projection, ProjectionConfig
from ser_core.plots import embedding_scatter, spectrogram

MIN_FILES = 10
POINT_SIZE, MAP_HEIGHT = 10, 480  # pixels
BY_LABEL, BY_PREDICTION, BY_SPEAKER = "label", "prediction", "speaker"


def show(batch: Batch) -> None:
    """A map of the files; a click plays one."""
    rows = [row for row in batch.rows if row.item.embedding is not None]
    if len(rows) < MIN_FILES:
        st.info(f"A map needs at least {MIN_FILES} files.")
        return
    colours = [BY_LABEL, BY_PREDICTION, BY_SPEAKER] if batch.labelled else [BY_PREDICTION]
    by = st.segmented_control("Colour", colours, default=colours[0], required=True, key="map-colour")
    left, right = st.columns([3, 1], gap="medium")
    with left:
        row = _show_map(batch, rows, by)
    with right:
        if row is None:
            st.caption("Click a point to play the file.")
        else:
            _show_file(batch, row)


def _show_map(batch: Batch, rows: list[BatchRow], by: str) -> BatchRow | None:
    """Draws the map; the file whose point was clicked."""
    places = _places(tuple(row.file_id for row in rows), np.stack([row.item.embedding for row in rows]))
    texts = [f"{row.item.name}<br>{_group(batch, row, BY_LABEL)}" for row in rows]
    groups = [_group(batch, row, by) for row in rows]
    event = chart(
        _larger(embedding_scatter(places, groups, np.ones(len(rows), bool), texts)),
        key="own-map",
        numbers=False,
        tools=True,
        on_select="rerun",
        selection_mode="points",
        alt=f"{len(rows)} files by the embeddings of {state.space_model()}; the view Files lists them.",
    )
    hover_card("own-map", partial(_picture, rows))
    chosen = event.selection.points if event else []
    return rows[int(np.ravel(chosen[0]["customdata"])[0])] if chosen and "customdata" in chosen[0] else None


def _show_file(batch: Batch, row: BatchRow) -> None:
    st.text(row.item.name)
    st.audio(state.files()[row.file_id], autoplay=True, alt=f"The file {row.item.name}")
    st.caption(f"Label: {_group(batch, row, BY_LABEL)}; predicted: {_group(batch, row, BY_PREDICTION)}.")
    st.caption(f"Principal components of the embeddings of {state.space_model()}.")


def _picture(rows: list[BatchRow], row: int) -> bytes | None:
    """PNG of the spectrogram of a file; None where it is gone."""
    file = state.files().get(rows[row].file_id) if 0 <= row < len(rows) else None
    try:
        return spectrogram(load_audio(file)).png if file else None
    except AudioError:
        return None


def _larger(figure: Figure) -> Figure:
    """Points that can be hit by a finger: there are few of them."""
    return figure.update_traces(marker_size=POINT_SIZE).update_layout(height=MAP_HEIGHT)


def _group(batch: Batch, row: BatchRow, by: str) -> str:
    if by == BY_PREDICTION:
        prediction = row.item.predictions.get(batch.models[0])
        return NO_SPEECH if not row.has_speech else prediction.emotion if prediction else NOT_ANALYSED
    if row.label is None:
        return "no label"
    return (row.label.emotion if by == BY_LABEL else row.label.speaker) or f"no {by}"


@st.cache_data(max_entries=8, show_spinner="Making the map", scope="session")
def _places(file_ids: tuple[str, ...], _embeddings: np.ndarray) -> np.ndarray:
    return Projection.fit(ProjectionConfig("pca", 2), _embeddings).coordinates

"""Selection on the embedding map, and the person's own clip: counts, tables, players."""

import numpy as np
import streamlit as st

from pages.ui.chart import chart
from pages.ui.clip_table import show_clips
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace.map import takes
from pages.workspace.map.export import clip_rows
from ser_core.interpret import RAW_FEATURES, Atlas
from ser_core.labels import EMOTIONS
from ser_core.metrics import confusion_matrix
from ser_core.plots import confusion_heatmap, group_count_bars, points_in_polygon


def chosen_rows(selection: dict, coordinates: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Rows of the atlas: those in the lassos and boxes, or those that were clicked."""
    lassos = [np.transpose([shape["x"], shape["y"]]) for shape in selection["lasso"]]
    boxes = [np.transpose([np.repeat(box["x"], 2), [*box["y"], *reversed(box["y"])]]) for box in selection["box"]]
    shapes = [*lassos, *boxes]
    if shapes:
        return np.flatnonzero(np.any([points_in_polygon(coordinates, shape) for shape in shapes], axis=0) & shown)
    rows = [_row(point) for point in selection["points"]]
    return np.unique([row for row in rows if row is not None]).astype(int)


def _row(point: dict) -> int | None:
    """The person's own points carry no row."""
    row = point.get("customdata")
    row = row[0] if isinstance(row, list) and row else row
    return int(row) if isinstance(row, (int, float)) else None


def show_chosen(found: Atlas, rows: np.ndarray) -> None:
    """The selected clips: counts by emotion, confusion matrix, table."""
    if not len(rows):
        return
    st.subheader(f"{len(rows)} chosen clips" if len(rows) > 1 else "The chosen clip", anchor=False)
    label = found.column("emotion")[rows]
    counts = {emotion: int((label == emotion).sum()) for emotion in EMOTIONS if (label == emotion).any()}
    left, right = st.columns(2, gap="medium") if len(rows) > 1 else (None, None)
    if left:
        with left:
            chart(group_count_bars(counts), key="map-mix", alt="; ".join(f"{name}: {n}" for name, n in counts.items()))
    if right and found.model != RAW_FEATURES:
        with right:
            _show_confusion(found, rows)
    show_clips(clip_rows(found, rows), f"map_{found.model}_clips.csv")


def _show_confusion(found: Atlas, rows: np.ndarray) -> None:
    truth = np.array([EMOTIONS.index(found.utterances[i].emotion) for i in rows])
    confusion = confusion_matrix(truth, found.predicted[rows], len(EMOTIONS))
    words = f"{confusion.trace()} of {len(rows)} are classified correctly by {plain(found.model)}."
    chart(confusion_heatmap(confusion, EMOTIONS, counts=True), key="map-confusion", alt=words)
    st.caption(words)


def show_takes(clip: SessionClip) -> None:
    """Buttons that keep the clip of the session on the map, and remove what was kept."""
    kept = takes.takes()
    with st.container(horizontal=True):
        if not takes.is_kept(clip):
            st.button("Keep this clip on the map", on_click=takes.keep, args=(clip,), key="keep-take")
        if kept:
            what = "the clip" if len(kept) == 1 else f"all {len(kept)} clips"
            st.button(f"Remove {what} kept", on_click=takes.drop_takes, key="drop-takes")

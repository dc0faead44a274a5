"""Downloads of the view "Map": clips as rows, the map as CSV, parquet and image."""

import io

import numpy as np
import streamlit as st

from pages.ui.export import offer_download, rows_as_csv
from pages.ui.text import counted
from ser_core.data import corpus_name
from ser_core.interpret import Atlas, Projection, nearest_neighbours

PICTURES = {"svg": "SVG", "png": "PNG"}
PICTURE_HELP = "PNG has sharper points. Choose it before you zoom or select: the map is redrawn."
N_NEIGHBOURS = 15  # of each clip, in a parquet file


def image_format() -> str:
    """What the camera above the map saves."""
    return st.session_state.get("map-picture") or "svg"


def clip_rows(found: Atlas, rows: np.ndarray) -> list[dict]:
    """One line for each clip."""
    predicted, part = found.column("predicted"), found.column("part")
    lines = []
    for i in rows.tolist():
        u = found.utterances[i]
        line = {
            "clip": u.id,
            "corpus": corpus_name(u.corpus),
            "speaker": u.speaker.split("-")[1],
            "sex": u.sex,
        }
        line |= {"label": u.emotion, "intensity": u.intensity or "unknown"}
        if predicted[i]:
            line |= {"predicted": str(predicted[i]), "confidence": float(found.confidence[i]), "part": str(part[i])}
        lines.append(line)
    return lines


def map_rows(found: Atlas, made: Projection, rows: np.ndarray) -> list[dict]:
    """One line for each clip, with its place on the map."""
    places = made.coordinates[rows].round(4).tolist()
    return [
        line | dict(zip("xyz", place, strict=False)) for line, place in zip(clip_rows(found, rows), places, strict=True)
    ]


def show_export(found: Atlas, made: Projection, shown: np.ndarray) -> None:
    """All clips that are not grey, with their places on the map."""
    rows = np.flatnonzero(shown)
    if not len(rows):
        return
    st.subheader("Download", anchor=False)
    name = f"map_{found.model}_{made.config.kind}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        table, parquet = (lambda: rows_as_csv(map_rows(found, made, rows))), (lambda: as_parquet(found, made, rows))
        offer_download("Download the map as CSV", table, f"{name}.csv", "text/csv")
        offer_download("Download the map as parquet", parquet, f"{name}.parquet", "application/vnd.apache.parquet")
        st.segmented_control(
            "Image format", PICTURES, format_func=PICTURES.get, default="svg", key="map-picture", help=PICTURE_HELP
        )
    st.caption(
        f"{counted(len(rows), 'clip')}: all that are not grey. The parquet file has the columns x, y, text, label, "
        "neighbors and vector, which public viewers of embeddings read. The camera above the map saves the view "
        "as it is."
    )


def as_parquet(found: Atlas, made: Projection, rows: np.ndarray) -> bytes:
    """A table as viewers of embeddings expect it: "text" in addition to the rows of the map, in
    "neighbors" the nearest rows of the file in the space itself, with their distances; in "vector" the embedding."""
    import pyarrow
    from pyarrow import parquet

    points = found.embeddings[rows]
    nearest = nearest_neighbours(points, points, min(N_NEIGHBOURS + 1, len(rows)))
    lines = [
        line | {"text": line["clip"], "neighbors": {"ids": ids, "distances": distances}}
        for line, ids, distances in zip(
            map_rows(found, made, rows), nearest.index.tolist(), nearest.distance.tolist(), strict=True
        )
    ]
    table = pyarrow.Table.from_pylist(lines).append_column("vector", pyarrow.array(list(points)))
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()

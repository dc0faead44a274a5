"""The figure of the map, and what is chosen on it by click, lasso or box."""

import re
from dataclasses import astuple
from functools import partial

import numpy as np
import streamlit as st
from plotly.graph_objects import Figure

from pages.ui.chart import PreparedFigure, chart
from pages.ui.components.hover_card import hover_card, packed
from pages.ui.session import session
from pages.workspace.map import neighbours, state
from pages.workspace.map.choices import COLOURS, KINDS, PREDICTION_COLOURS, MapView
from pages.workspace.map.export import image_format
from pages.workspace.map.selection import chosen_rows
from ser_core.data import corpus_name
from ser_core.interpret import RAW_FEATURES, Atlas, Projection, map_clusters
from ser_core.labels import format_probability
from ser_core.plots import (
    MAX_DRAWN_POINTS,
    ONLY_WIDE,
    WIDE,
    UserClip,
    add_chosen_clip,
    add_cluster_names,
    add_density_contours,
    add_user_clips,
    embedding_scatter,
    embedding_scatter_by_value,
)


def texts(found: Atlas) -> list[str]:
    """The hover text of each point."""
    predicted = [
        f", predicted {predicted} {format_probability(certain)}" if predicted else ""
        for predicted, certain in zip(found.column("predicted"), found.confidence.tolist(), strict=True)
    ]
    labels = found.column("emotion")
    return [f"{i}<br>label {m}{h}" for i, m, h in zip(found.ids.tolist(), labels, predicted, strict=True)]


@st.cache_resource(max_entries=4, show_spinner=False)
def _packed_texts(model: str, version: str, n_clips: int, _found: Atlas) -> bytes:
    return packed(texts(_found))


def show_card(found: Atlas) -> None:
    """Beside the pointer: name, label and spectrogram of the point of the map that it is on."""
    words = _packed_texts(found.model, found.version, len(found.ids), found)
    hover_card(f"map-{found.model}-", partial(neighbours.picture, found), words)


@st.cache_resource(max_entries=8, show_spinner=False)
def _figure(key: tuple, colour: str, cores: bool, shown: bytes, _found: Atlas, _made: Projection) -> PreparedFigure:
    """The clips of the corpora on a map, the same for everybody.

    Args:
        key: names the map.
        shown: a mask, as bytes.
    """
    places, mask = _made.coordinates, np.frombuffer(shown, bool)
    if colour == "confidence":
        figure = embedding_scatter_by_value(places, _found.confidence, mask)
    else:
        figure = embedding_scatter(places, _found.column(colour), mask)
    if cores:
        add_density_contours(figure, places, _found.column("emotion"), mask)
    if places.shape[1] == 2:
        corpora = [corpus_name(corpus) for corpus in _found.column("corpus").tolist()]
        add_cluster_names(figure, map_clusters(places, corpora, _found.column("emotion")))
    return PreparedFigure.of(figure)


def show_map(
    found: Atlas, made: Projection, view: MapView, shown: np.ndarray, own: list[UserClip], reached: int | None
) -> np.ndarray:
    """Draws it; the rows of the atlas that were chosen with lasso or box.

    Args:
        reached: row of the clip that the walk has reached; a click on a point goes there.

    Lasso and box hold the clips in them that are not grey, also those that are not drawn. What is chosen in one of two
    maps stands out in both.
    """
    colour, linked = _colour(view, found), _linked(found, view)
    bright = shown & linked if linked.any() else shown
    figure = _figure(state.map_key(found, made.config), colour, view.cores, bright.tobytes(), found, made)
    key = "-".join(map(str, ("map", found.model, *astuple(made.config), image_format())))  # a choice is of one map
    _hide_names(figure.annotation_indices(ONLY_WIDE), key)
    event = chart(
        figure.with_traces(_clips_on_top(found, made, own, reached)),
        key=key,
        numbers=False,
        tools=True,
        image_format=image_format(),
        on_select=partial(_choose, key, found, made.coordinates, shown, bool(view.second_space)),
        selection_mode=("points", "box", "lasso"),
        alt=_description(found, made, colour),
    )
    _show_number_of_points(len(shown))
    if view.second_space:
        return np.flatnonzero(linked)
    rows = chosen_rows(event.selection, made.coordinates, shown)
    return rows if len(rows) > 1 else rows[:0]


def _linked(found: Atlas, view: MapView) -> np.ndarray:
    """Clips chosen in one of two maps, bool, shape = (n_clips,)."""
    return np.isin(found.ids, session().page(state.MapState).linked) & bool(view.second_space)


def _colour(view: MapView, found: Atlas) -> str:
    return "emotion" if found.model == RAW_FEATURES and view.colour in PREDICTION_COLOURS else view.colour


def _description(found: Atlas, made: Projection, colour: str) -> str:
    """For screen readers."""
    return (
        f"{KINDS[made.config.kind]} of {len(found.ids)} clips in the space of {found.model}, by {COLOURS[colour]}. A "
        "click plays a clip; lasso, box and the filter choose several, listed in a table below."
    )


def _clips_on_top(found: Atlas, made: Projection, own: list[UserClip], reached: int | None) -> Figure:
    on_top = add_user_clips(Figure(layout_template="none"), own)
    if reached is not None:
        add_chosen_clip(on_top, made.coordinates[reached], str(found.ids[reached]))
    return on_top


def _show_number_of_points(n_points: int) -> None:
    if n_points > MAX_DRAWN_POINTS:
        st.caption(
            f"{MAX_DRAWN_POINTS:,} of {n_points:,} clips are drawn, a random subset with grey ones last, for speed. "
            "Lasso, box, contours, figures and downloads take all of them."
        )


def _hide_names(indices: list[int], key: str) -> None:
    """On a narrow map, the names for which it has no room."""
    names, chart_class = ", ".join(f'[data-index="{i}"]' for i in indices), re.sub(r"[^\w-]", "-", f"st-key-{key}")
    hidden = f".{chart_class} .annotation:is({names}) {{ display: none; }}"
    st.html(f"<style>@container (max-width: {WIDE[0]}px) {{ {hidden} }}</style>")


def _choose(key: str, found: Atlas, coordinates: np.ndarray, shown: np.ndarray, is_linked: bool) -> None:
    """A single clip is where the walk goes; of two maps, what was chosen last is what is chosen in both."""
    rows = chosen_rows(st.session_state[key]["selection"], coordinates, shown)
    if len(rows) == 1:
        neighbours.start_from(str(found.ids[rows[0]]))
    if is_linked:
        session().page(state.MapState).linked = found.ids[rows].tolist()


def unlink() -> None:
    session().page(state.MapState).linked = []

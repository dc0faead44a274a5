"""Names on a map, placed so that none lies on another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from plotly import graph_objects as go

from ser_core.interpret import Cluster
from ser_core.plots.style import BLACK, emotion_label

FONT_SIZE = 12
LETTER_WIDTH, LINE_HEIGHT, PADDING = 6.8, 18, 6  # pixels at that size
WIDE, NARROW = (540, 550), (320, 550)  # pixels of the narrowest maps that show all names, and the most important ones
SHIFTS = (0, LINE_HEIGHT, -LINE_HEIGHT, 2 * LINE_HEIGHT)  # pixels up
ANCHORS = {"left": 0, "center": 0.5, "right": 1}  # share of the text that is left of its point
ONLY_WIDE = "wide"  # `name` of the annotations that a narrow map has no room for
LABEL_BACKGROUND = "rgba(255,255,255,0.82)"


@dataclass(frozen=True)
class Name:
    """A text whose lower edge is above a point of the map."""

    text: str
    place: tuple[float, float]
    shift: int = 0  # pixels up
    anchor: str = "center"  # what of the text is at the point: also "left" or "right"


def place_names(
    names: Sequence[Name], bounds: np.ndarray, size: tuple[int, int], taken: Sequence[Name] = ()
) -> list[Name | None]:
    """Each name where it covers none before it: at its place, else moved up or down; None where there is no room.

    Args:
        names: the most important ones first.
        bounds: of the axes, shape = (2, 2), x first.
        size: width and height of the map in pixels.
        taken: names that stay where they are.
    """
    boxes = [_box(name, bounds, size) for name in taken]
    placed: list[Name | None] = []
    for name in names:
        moved = (replace(name, shift=name.shift + shift) for shift in SHIFTS)
        there = next((one for one in moved if not _covers(_box(one, bounds, size), boxes)), None)
        placed.append(there)
        if there:
            boxes.append(_box(there, bounds, size))
    return placed


def _box(name: Name, bounds: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Left, lower, right and upper edge in pixels, shape = (4,)."""
    x, y = (np.array(name.place) - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0]) * size
    width, low = LETTER_WIDTH * len(name.text) + PADDING, y + name.shift
    left = x - ANCHORS[name.anchor] * width
    return np.array([left, low, left + width, low + LINE_HEIGHT])


def _covers(box: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    return any((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all() for other in others)


def add_cluster_names(figure: go.Figure, clusters: Sequence[Cluster]) -> go.Figure:
    """Add the names of the clusters at their places, as far as there is room beside those that are there; 2-D only.

    Those that a narrow map has no room for have ONLY_WIDE as their `name`.
    """
    bounds = axis_bounds(figure)
    taken = [Name(there.text[3:-4], (there.x, there.y), there.yshift) for there in figure.layout.annotations]  # bold
    names = [Name(_text(cluster), cluster.place) for cluster in sorted(clusters, key=lambda c: -c.n_points)]
    names = [_inside(name, bounds) for name in names]
    placed = [name for name in place_names(names, bounds, WIDE, taken) if name]
    narrow = place_names(placed, bounds, NARROW, taken)
    for name, there in zip(placed, narrow, strict=True):
        figure.add_annotation(annotation(name) | {"name": None if there == name else ONLY_WIDE})
    return figure


def axis_bounds(figure: go.Figure) -> np.ndarray:
    """Of both axes, shape = (2, 2), x first."""
    return np.array([figure.layout.xaxis.range, figure.layout.yaxis.range], float)


def _inside(name: Name, bounds: np.ndarray) -> Name:
    """Beside its point where it would be cut off at the edge of a narrow map."""
    left, _, right, _ = _box(name, bounds, NARROW)
    return replace(name, anchor="left" if left < 0 else "right" if right > NARROW[0] else "center")


def _text(cluster: Cluster) -> str:
    return ", ".join(emotion_label(name) for name in cluster.names if name)


def annotation(name: Name) -> dict:
    """A name as plotly draws it."""
    (x, y), look = name.place, {"bgcolor": LABEL_BACKGROUND, "borderpad": 2, "showarrow": False}
    place = {"x": x, "y": y, "xanchor": name.anchor, "yanchor": "bottom", "yshift": name.shift}
    return {"text": name.text, "font": {"size": FONT_SIZE, "color": BLACK}, **place, **look}

"""Embedding maps: one point per clip of the corpora, the clips of the user on top.

Each point has its index in `customdata`, which identifies a selection.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from plotly import graph_objects as go

from ser_core.interpret import density, extent
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.style import GREY, ROWS_AXIS, emotion_label, label_colour, png_source

EMOTION_COLOURS = [style.colour for style in EMOTION_STYLES.values()]
MAX_LEGEND_GROUPS = 12  # no legend for more: thirty colours cannot be distinguished
EMBEDDING_MAP_HEIGHT = 640  # pixels
TOOLS_HEIGHT = 32  # pixels above the map: zoom, lasso, box
NARROWEST = 350  # pixels, on a telephone
LETTER_WIDTH, ENTRY_WIDTH, ENTRY_MARGIN, LINE_HEIGHT = 6.5, 70, 45, 19.5  # pixels of the legend
MAX_DRAWN_POINTS = 20_000  # more are subsampled: a browser without a graphics card would stall
MIN_POINTS_FOR_DENSITY = 100
DENSITY_GREY, DENSITY_OPACITY = 143, 0.35  # where the clips are densest
CLEAR, GRID = "rgba(0,0,0,0)", "rgba(138,143,152,0.3)"
FONT = "Source Sans, sans-serif"  # that of the pages
LEGEND = {"orientation": "h", "y": -0.01, "yanchor": "top", "itemclick": False, "itemdoubleclick": False}
LEGEND |= {"itemsizing": "constant"}
TOOL_COLOURS = {"color": "#7A858F", "activecolor": "#3D7AB8"}  # on light and on dark


def subsample_points(shown: np.ndarray) -> np.ndarray:
    """Mask of the drawn points, (n,): all, or a random MAX_DRAWN_POINTS with priority for those shown in colour."""
    order = np.random.default_rng(0).permutation(len(shown))  # reproducible
    order = order[np.argsort(~shown[order], kind="stable")]
    drawn = np.zeros(len(shown), bool)
    drawn[order[:MAX_DRAWN_POINTS]] = True
    return drawn


def points_in_polygon(coordinates: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Mask of the points inside a polygon, by the even-odd rule; shape = (n,).

    Args:
        coordinates: shape = (n, 2).
        polygon: its corners, shape = (n_corners, 2).
    """
    x, y = coordinates.T
    inside = np.zeros(len(coordinates), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:  # a horizontal edge does not cross a horizontal ray
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return inside


def embedding_scatter(
    coordinates: np.ndarray, groups: Sequence[str], shown: np.ndarray, texts: Sequence[str] | None = None
) -> go.Figure:
    """Scatter plot with one point per clip, coloured by group.

    Args:
        coordinates: shape = (n, 2) or (n, 3).
        groups: group of each point, (n,); an emotion has its own colour and symbol.
        shown: bool, (n,); the other points are grey.
        texts: hover texts, (n,); None: the page shows what is under the pointer.
    """
    group_names, drawn = np.asarray(groups), subsample_points(shown)
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), texts)
    for style, rows in _in_turns(group_names, np.flatnonzero(shown & drawn)):
        figure.add_trace(_points(coordinates, rows, texts, **style))
    return _with_map_layout(figure, coordinates)


def _in_turns(groups: np.ndarray, rows: np.ndarray) -> list[tuple[dict, np.ndarray]]:
    """Style and rows of each trace: half of each group, then the other halves the other way round.

    Of two groups, each lies on top as often as the other.
    """
    names = sorted(set(groups.tolist()), key=lambda name: ([*EMOTION_STYLES, name].index(name), name))
    among_emotions, in_legend = any(name in EMOTION_STYLES for name in names), len(names) <= MAX_LEGEND_GROUPS
    members: dict[tuple[str, str, str], list[str]] = {}
    for i, name in enumerate(names):
        style = _group_style(name, i, among_emotions)
        members.setdefault((name if in_legend else "", *style), []).append(name)
    shuffled, first, second = np.random.default_rng(0).permutation(rows), [], []
    for (title, colour, marker), among in members.items():
        look = {"colour": colour, "marker": marker}
        one, other = np.array_split(shuffled[np.isin(groups[shuffled], among)], 2)
        first.append((look | {"title": title}, np.sort(one)))
        second.append((look, np.sort(other)))
    return [(style, part) for style, part in (*first, *reversed(second)) if len(part)]


def embedding_scatter_by_value(coordinates: np.ndarray, values: np.ndarray, shown: np.ndarray) -> go.Figure:
    """As embedding_scatter, but coloured by a value in [0, 1]."""
    drawn = subsample_points(shown)
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), None)
    rows = np.flatnonzero(shown & drawn)
    trace = _points(coordinates, rows, None, GREY, "circle")
    bar = {"title": "confidence", "tickformat": ".0%", "thickness": 12}
    trace.marker.update(color=values[rows], colorscale="Viridis", cmin=0, cmax=1, colorbar=bar)
    figure.add_trace(trace)
    return _with_map_layout(figure, coordinates)


def _background(coordinates: np.ndarray, rows: np.ndarray, texts: Sequence[str] | None) -> go.Figure:
    """Figure with the grey points."""
    return go.Figure([_points(coordinates, rows, texts, GREY, "circle", opacity=0.15)] if len(rows) else [])


def _density(coordinates: np.ndarray) -> dict:
    """Where the clips are, in grey, below the points: an image, which a browser draws at once, unlike contours."""
    bounds = extent(coordinates)
    level = np.log1p(density(coordinates, bounds)).T[::-1]
    alpha = 255 * DENSITY_OPACITY * level / max(float(level.max()), 1e-6)
    image, file = np.stack([np.full(level.shape, DENSITY_GREY), alpha], axis=-1).round().astype(np.uint8), io.BytesIO()
    Image.fromarray(image, "LA").save(file, "PNG", optimize=True)
    (left, right), (low, high) = bounds.tolist()
    place = {"xref": "x", "yref": "y", "x": left, "y": high, "sizex": right - left, "sizey": high - low}
    return {"source": png_source(file.getvalue()), "sizing": "stretch", "layer": "below", **place}


def _group_style(name: str, i: int, among_emotions: bool) -> tuple[str, str]:
    """Colour and marker."""
    if name in EMOTION_STYLES:
        return EMOTION_STYLES[name].colour, EMOTION_STYLES[name].marker
    if among_emotions:  # no label: not the colour of an emotion
        return GREY, "circle-open-dot"
    return EMOTION_COLOURS[(3 * i + 3) % len(EMOTION_COLOURS)], "circle"  # neighbours in the list differ in colour


def _points(
    coordinates: np.ndarray,
    rows: np.ndarray,
    texts: Sequence[str] | None,
    colour: str,
    marker: str,
    opacity: float = 0.7,
    title: str = "",
) -> go.Scattergl | go.Scatter3d:
    """A trace; one with a title is in the legend."""
    flat = coordinates.shape[1] == 2
    axes = dict(zip("xyz", _rounded(coordinates)[rows].T, strict=False))
    style = {"color": colour, "symbol": marker if flat else "circle", "size": 4 if flat else 3, "opacity": opacity}
    common = {"mode": "markers", "marker": style, "name": title, "showlegend": bool(title)}
    words = {"hoverinfo": "none"}
    if texts is not None:
        words = {"text": np.asarray(texts)[rows], "hovertemplate": "%{text}<extra></extra>"}
    return (go.Scattergl if flat else go.Scatter3d)(**axes, **common, **words, customdata=rows.astype(np.int32))


def _rounded(coordinates: np.ndarray) -> np.ndarray:
    """To less than a pixel: a browser reads fewer digits sooner."""
    width = float(np.ptp(coordinates, axis=0).max()) or 1.0
    return np.round(coordinates.astype(float), 5 - int(np.ceil(np.log10(width))))


def _with_map_layout(figure: go.Figure, coordinates: np.ndarray) -> go.Figure:
    """The axes hold nearly all points and fill the width: a projection has no scale to keep."""
    named = [trace.name for trace in figure.data if trace.showlegend is not False]
    entry_width, legend_height = _legend_size(named)
    flat = coordinates.shape[1] == 2
    figure.update_layout(
        height=EMBEDDING_MAP_HEIGHT,
        margin={"l": 0, "r": 0, "t": TOOLS_HEIGHT, "b": legend_height, "autoexpand": not named},
        dragmode="pan",  # with lasso or box, Streamlit does not report clicks on points
        clickmode="event+select",  # what Streamlit would set, and draw again
        hovermode="closest",
        legend=LEGEND | {"entrywidth": entry_width},
        images=[_density(coordinates)] if flat and len(coordinates) >= MIN_POINTS_FOR_DENSITY else [],
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font_family=FONT,
        modebar={"bgcolor": CLEAR, **TOOL_COLOURS},
        uirevision="map",
    )
    return _without_scales(figure, coordinates)


def _without_scales(figure: go.Figure, coordinates: np.ndarray) -> go.Figure:
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "title": None}
    bounds = extent(coordinates) if len(coordinates) else np.array([[0.0, 1.0], [0.0, 1.0]])
    figure.update_xaxes(**hidden, range=bounds[0].tolist())
    figure.update_yaxes(**hidden, range=bounds[1].tolist())
    empty = {"showticklabels": False, "title": "", "showbackground": False, "zeroline": False, "gridcolor": GRID}
    return figure.update_scenes(xaxis=empty, yaxis=empty, zaxis=empty, aspectmode="cube", dragmode="turntable")


def _legend_size(names: Sequence[str]) -> tuple[int, int]:
    """Width of an entry and height of the legend on a telephone, with a clip of the user, in pixels.

    Plotly itself would give all entries the width of the longest name, and draw the map again to make room.
    """
    if not names:
        return ENTRY_WIDTH, 0
    width = max(ENTRY_WIDTH, round(LETTER_WIDTH * max(map(len, names))))
    in_a_line = max(1, NARROWEST // (width + ENTRY_MARGIN))
    return width, round(LINE_HEIGHT * -(-(len(names) + 1) // in_a_line)) + 10


def group_count_bars(counts: Mapping[str, int]) -> go.Figure:
    """Bar chart of the number of selected clips per group."""
    names, colours = [emotion_label(name) for name in counts], [label_colour(name) for name in counts]
    figure = go.Figure(go.Bar(x=[*counts.values()], y=names, orientation="h", marker_color=colours))
    figure.update_layout(height=28 * len(names) + 40, margin={"l": 0, "r": 12, "t": 4, "b": 24}, bargap=0.3)
    figure.update_yaxes(**ROWS_AXIS)
    return figure

"""Embedding maps: one point per clip of the corpora, the clips of the user on top.

Each point has its index in `customdata`, which identifies a selection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from plotly import graph_objects as go
from scipy.ndimage import gaussian_filter

from ser_core.interpret import DENSITY_CELLS, Cluster, density, extent
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.clip import BLACK, GREY, emotion_label

EMOTION_COLOURS = [style.colour for style in EMOTION_STYLES.values()]
EMOTION_MARKERS = [style.marker for style in EMOTION_STYLES.values()]
MAX_LEGEND_GROUPS = 12  # no legend for more: thirty colours cannot be distinguished
EMBEDDING_MAP_HEIGHT = 640  # pixels
TOOLS_HEIGHT = 32  # pixels above the map: zoom, lasso, box
DENSITY_GRID_CELLS = 80  # per axis
MAX_DRAWN_POINTS = 20_000  # more are subsampled: a browser without a graphics card would stall
MIN_POINTS_FOR_DENSITY = 100
DENSITY_NAME = "density"
CORPUS_NAME_SHIFT = 16  # pixels: above the names of the groups inside
LABEL_BACKGROUND = "rgba(255,255,255,0.82)"
DRAWING_ROUNDS = 3  # the groups are drawn in turns, so that none hides the others
CONTOUR_MASS = 0.5  # share of the clips of an emotion inside its contour
USER_CLIP_COLOUR = "#E0218A"  # not the colour of an emotion


@dataclass(frozen=True, eq=False)
class UserClip:
    """Position of a clip of the user on the map, with its windows and nearest neighbours."""

    name: str
    coordinates: np.ndarray  # (n_dims,)
    window_coordinates: np.ndarray  # of its windows, (n_windows, n_dims)
    start_s: np.ndarray  # start of each window in the recording, (n_windows,)
    neighbour_coordinates: np.ndarray  # of the nearest clips, (k, n_dims)


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
    coordinates: np.ndarray, groups: Sequence[str], shown: np.ndarray, texts: Sequence[str]
) -> go.Figure:
    """Scatter plot with one point per clip, coloured by group.

    Args:
        coordinates: shape = (n, 2) or (n, 3).
        groups: group of each point, (n,); an emotion has its own colour and symbol.
        shown: bool, (n,); the other points are grey.
        texts: hover texts, (n,).
    """
    group_names, captions, drawn = np.asarray(groups), np.asarray(texts), subsample_points(shown)
    names = list(
        dict.fromkeys([name for name in EMOTION_STYLES if name in group_names] + sorted(set(group_names.tolist())))
    )
    among_emotions = any(name in EMOTION_STYLES for name in names)
    styles = {name: _group_style(name, i, among_emotions) for i, name in enumerate(names)}
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), captions)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(shown & drawn))
    for part in np.array_split(rows, DRAWING_ROUNDS):
        for colour, marker in dict.fromkeys(style[1:] for style in styles.values()):
            members = [name for name, style in styles.items() if style[1:] == (colour, marker)]
            selected = np.sort(part[np.isin(group_names[part], members)])
            if len(selected):
                figure.add_trace(_points(coordinates, selected, captions, colour, marker))
    for title, colour, marker in styles.values() if len(names) <= MAX_LEGEND_GROUPS else ():
        figure.add_trace(_legend_entry(title, colour, marker, flat=coordinates.shape[1] == 2))
    return _with_map_layout(figure, coordinates)


def embedding_scatter_by_value(
    coordinates: np.ndarray, values: np.ndarray, shown: np.ndarray, texts: Sequence[str]
) -> go.Figure:
    """As embedding_scatter, but coloured by a value in [0, 1]."""
    captions, drawn = np.asarray(texts), subsample_points(shown)
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), captions)
    rows = np.flatnonzero(shown & drawn)
    trace = _points(coordinates, rows, captions, GREY, "circle")
    bar = {"title": "confidence", "tickformat": ".0%", "thickness": 12}
    trace.marker.update(color=values[rows], colorscale="Viridis", cmin=0, cmax=1, colorbar=bar)
    figure.add_trace(trace)
    return _with_map_layout(figure, coordinates)


def _background(coordinates: np.ndarray, rows: np.ndarray, texts: np.ndarray) -> go.Figure:
    """Figure with the grey points."""
    density = (
        [_density(coordinates)] if coordinates.shape[1] == 2 and len(coordinates) >= MIN_POINTS_FOR_DENSITY else []
    )
    return go.Figure(
        [*density, *([_points(coordinates, rows, texts, GREY, "circle", opacity=0.15)] if len(rows) else [])]
    )


def _density(coordinates: np.ndarray) -> go.Contour:
    """Where the clips are, in grey, below the points."""
    bounds = extent(coordinates)
    x, y = (np.linspace(low, high, DENSITY_CELLS) for low, high in bounds)
    return go.Contour(
        x=x,
        y=y,
        z=np.log1p(density(coordinates, bounds)).T.astype(np.float32),
        ncontours=8,
        contours={"coloring": "fill", "showlines": False},
        colorscale=[[0, "rgba(138,143,152,0)"], [1, "rgba(138,143,152,0.35)"]],
        line={"width": 0},
        showscale=False,
        showlegend=False,
        hoverinfo="skip",
        name=DENSITY_NAME,
    )


def _group_style(name: str, i: int, among_emotions: bool) -> tuple[str, str, str]:
    if name in EMOTION_STYLES:
        return name, EMOTION_STYLES[name].colour, EMOTION_STYLES[name].marker
    if among_emotions:  # no label: not the colour of an emotion
        return name, GREY, "circle-open-dot"
    return (
        name,
        EMOTION_COLOURS[(3 * i + 3) % len(EMOTION_COLOURS)],
        "circle",
    )  # neighbours in the list differ in colour


def _points(coordinates, rows, texts, colour: str, marker: str, opacity=0.7) -> go.Scattergl | go.Scatter3d:
    flat = coordinates.shape[1] == 2
    axes = dict(zip("xyz", coordinates[rows].astype(np.float32).T, strict=False))
    style = {"color": colour, "symbol": marker if flat else "circle", "size": 4 if flat else 3, "opacity": opacity}
    kind = go.Scattergl if flat else go.Scatter3d
    common = {"mode": "markers", "marker": style, "showlegend": False, "customdata": rows.astype(np.int32)}
    return kind(**axes, **common, text=texts[rows], hovertemplate="%{text}<extra></extra>")


def _legend_entry(title: str, colour: str, marker: str, flat: bool) -> go.Scatter | go.Scatter3d:
    """Trace without points, for the legend."""
    empty = {"x": [None], "y": [None]} | ({} if flat else {"z": [None]})
    style = {"color": colour, "symbol": marker if flat else "circle", "size": 9}
    return (go.Scatter if flat else go.Scatter3d)(**empty, mode="markers", marker=style, name=title)


def add_cluster_names(figure: go.Figure, clusters: Sequence[Cluster]) -> go.Figure:
    """Add the names of the clusters at their places; 2-D only."""
    for cluster in clusters:
        names = [emotion_label(name) if name in EMOTION_STYLES else name for name in cluster.names if name]
        x, y = cluster.place
        figure.add_annotation(
            x=x,
            y=y,
            text=", ".join(names),
            showarrow=False,
            yanchor="bottom",
            yshift=CORPUS_NAME_SHIFT if cluster.names[0] and len(names) == 1 else 0,
            font={"size": 12, "color": BLACK},
            bgcolor=LABEL_BACKGROUND,
            borderpad=2,
        )
    return figure


def add_chosen_clip(figure: go.Figure, place: np.ndarray, name: str) -> go.Figure:
    """Add a ring around the chosen clip.

    Args:
        place: shape = (n_dims,).
    """
    flat = len(place) == 2
    marker = {"size": 20 if flat else 10, "color": USER_CLIP_COLOUR, "symbol": "circle-open", "line": {"width": 3}}
    axes = {axis: [float(value)] for axis, value in zip("xyz", place, strict=False)}
    kind = go.Scattergl if flat else go.Scatter3d
    return figure.add_trace(kind(**axes, mode="markers", marker=marker, name=name, showlegend=False, hoverinfo="skip"))


def add_user_clips(figure: go.Figure, clips: Sequence[UserClip]) -> go.Figure:
    """Copy of a figure with the clips of the user on top."""
    figure = go.Figure(figure)
    for clip in clips:
        _add_user_clip(figure, clip)
    return figure


def _add_user_clip(figure: go.Figure, clip: UserClip) -> None:
    flat = len(clip.coordinates) == 2
    kind = go.Scattergl if flat else go.Scatter3d
    ends = np.stack(
        [np.repeat(clip.coordinates[None], len(clip.neighbour_coordinates), 0), clip.neighbour_coordinates], axis=1
    )
    gaps = np.full((len(ends), 1, len(clip.coordinates)), np.nan)
    lines = np.concatenate([ends, gaps], axis=1).reshape(-1, len(clip.coordinates))
    path = {"color": USER_CLIP_COLOUR, "width": 2, "dash": "dot"}
    windows = [f"{clip.name}, from {start_s:.1f} s" for start_s in clip.start_s]
    for points, texts, trace in (
        (
            lines,
            clip.name,
            {"mode": "lines", "line": {"color": USER_CLIP_COLOUR, "width": 1}, "opacity": 0.6, "showlegend": False},
        ),
        (clip.window_coordinates, windows, {"mode": "lines+markers", "line": path, "showlegend": False}),
        (clip.coordinates[None], clip.name, {"mode": "markers", "name": clip.name}),
    ):
        if len(points) > (trace["mode"] == "lines+markers"):  # the path of a single window is the clip itself
            is_clip = trace["mode"] == "markers"
            marker = {
                "size": (18 if flat else 9) if is_clip else 4,
                "color": USER_CLIP_COLOUR,
                "symbol": "x" if not flat else "star",
            }
            axes = dict(zip("xyz", points.T, strict=False))
            figure.add_trace(kind(**axes, **trace, marker=marker, text=texts, hovertemplate="%{text}<extra></extra>"))


def add_density_contours(
    figure: go.Figure, coordinates: np.ndarray, emotions: Sequence[str], shown: np.ndarray
) -> go.Figure:
    """Add the median of each emotion, and the densest contour with half of its clips; 2-D only."""
    labels = np.asarray(emotions)
    edges = [
        np.linspace(low, high, DENSITY_GRID_CELLS + 1)
        for low, high in zip(coordinates.min(0), coordinates.max(0), strict=True)
    ]
    for name in (name for name in EMOTION_STYLES if name in labels):
        points = coordinates[(labels == name) & shown]
        if len(points) < 3:
            continue
        density = gaussian_filter(np.histogram2d(points[:, 0], points[:, 1], bins=edges)[0], 2.0)
        figure.add_trace(_contour(density, edges, name))
        x, y = np.median(points, axis=0)
        figure.add_annotation(
            x=x, y=y, text=f"<b>{emotion_label(name)}</b>", showarrow=False, bgcolor=EMOTION_STYLES[name].colour
        )
    figure.update_annotations(font={"color": "#fff", "size": 12}, borderpad=2)
    return figure


def _contour(density: np.ndarray, edges: Sequence[np.ndarray], name: str) -> go.Contour:
    ranked = np.sort(density.ravel())[::-1]
    level = float(ranked[np.searchsorted(np.cumsum(ranked), CONTOUR_MASS * ranked.sum())])
    centres = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    return go.Contour(
        x=centres[0],
        y=centres[1],
        z=density.T,
        contours={"start": level, "end": level, "size": 1, "coloring": "lines"},
        colorscale=[[0, EMOTION_STYLES[name].colour], [1, EMOTION_STYLES[name].colour]],
        line={"width": 2},
        showscale=False,
        showlegend=False,
        hoverinfo="skip",
    )


def _with_map_layout(figure: go.Figure, coordinates: np.ndarray) -> go.Figure:
    """The axes hold nearly all points and fill the width: a projection has no scale to keep."""
    figure.update_layout(
        height=EMBEDDING_MAP_HEIGHT,
        margin={"l": 0, "r": 0, "t": TOOLS_HEIGHT, "b": 0},
        dragmode="pan",  # with lasso or box, Streamlit does not report clicks on points
        legend={"orientation": "h", "y": -0.02, "itemclick": False, "itemdoubleclick": False},
        uirevision="map",
    )
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False, "title": None}
    bounds = extent(coordinates) if len(coordinates) else np.array([[0.0, 1.0], [0.0, 1.0]])
    figure.update_xaxes(**hidden, range=bounds[0].tolist())
    figure.update_yaxes(**hidden, range=bounds[1].tolist())
    empty = {"showticklabels": False, "title": "", "showbackground": False}
    figure.update_scenes(xaxis=empty, yaxis=empty, zaxis=empty, aspectmode="cube", dragmode="turntable")
    return figure


def group_count_bars(counts: Mapping[str, int]) -> go.Figure:
    """Bar chart of the number of selected clips per group."""
    names = [emotion_label(name) if name in EMOTION_STYLES else name for name in counts]
    colours = [EMOTION_STYLES[name].colour if name in EMOTION_STYLES else GREY for name in counts]
    figure = go.Figure(go.Bar(x=[*counts.values()], y=names, orientation="h", marker_color=colours))
    figure.update_layout(height=28 * len(names) + 40, margin={"l": 0, "r": 12, "t": 4, "b": 24}, bargap=0.3)
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return figure

"""Maps of embeddings as plotly figures: every clip a point, the person's own clip on top. No widgets here.

A point carries its index in `customdata`, so that what is chosen can be found again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from plotly import graph_objects as go
from scipy.ndimage import gaussian_filter

from ser_core.labels import LOOKS
from ser_core.plots import GREY, named

COLOURS = [look.colour for look in LOOKS.values()]
MARKERS = [look.marker for look in LOOKS.values()]
MOST_GROUPS = 12  # more of them get no legend: nobody tells thirty colours apart
HEIGHT = 620  # pixels
GRID = 80  # cells of a density along each axis
MOST_DRAWN = 20_000  # points; more of them are thinned out, or a browser without a graphics card stands still
ROUNDS = 3  # in which the groups are drawn one after the other: none hides the others where they mix
CORE = 0.5  # a contour holds this share of an emotion's clips
OWN = "#E0218A"  # of the person's clip: no emotion has this colour


@dataclass(frozen=True, eq=False)
class OwnClip:
    """Where a person's clip lies, and what lies beside it."""

    name: str
    place: np.ndarray  # (n_dims,)
    trail: np.ndarray  # of its windows, (n_windows, n_dims)
    start_s: np.ndarray  # where in the recording each one begins, (n_windows,)
    neighbours: np.ndarray  # places of the nearest clips, (k, n_dims)


def thinned(shown: np.ndarray) -> np.ndarray:
    """Which points are drawn, bool, (n,): all, or MOST_DRAWN by lot, the grey ones last."""
    order = np.random.default_rng(0).permutation(len(shown))  # the same points every time
    order = order[np.argsort(~shown[order], kind="stable")]
    drawn = np.zeros(len(shown), bool)
    drawn[order[:MOST_DRAWN]] = True
    return drawn


def inside(coordinates: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which points lie in a polygon, by the even-odd rule; bool, shape = (n,).

    Args:
        coordinates: shape = (n, 2).
        polygon: its corners, shape = (n_corners, 2).
    """
    x, y = coordinates.T
    found = np.zeros(len(coordinates), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:  # a level edge is crossed by no level ray
            found ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return found


def scatter(coordinates: np.ndarray, groups: Sequence[str], shown: np.ndarray, texts: Sequence[str]) -> go.Figure:
    """One point for each clip.

    Args:
        coordinates: shape = (n, 2) or (n, 3).
        groups: what colours each point, (n,); an emotion has its own colour and symbol.
        shown: bool, (n,); the rest is grey.
        texts: what a point says when it is pointed at, (n,).
    """
    groups, texts, drawn = np.asarray(groups), np.asarray(texts), thinned(shown)
    names = list(dict.fromkeys([name for name in LOOKS if name in groups] + sorted(set(groups.tolist()))))
    looks = {name: _look(name, i) for i, name in enumerate(names)}
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), texts)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(shown & drawn))
    for part in np.array_split(rows, ROUNDS):
        for colour, marker in dict.fromkeys(look[1:] for look in looks.values()):
            alike = [name for name, look in looks.items() if look[1:] == (colour, marker)]
            chosen = np.sort(part[np.isin(groups[part], alike)])
            if len(chosen):
                figure.add_trace(_points(coordinates, chosen, texts, colour, marker))
    for title, colour, marker in looks.values() if len(names) <= MOST_GROUPS else ():
        figure.add_trace(_legend_entry(title, colour, marker, flat=coordinates.shape[1] == 2))
    return _laid_out(figure)


def shaded(coordinates: np.ndarray, values: np.ndarray, shown: np.ndarray, texts: Sequence[str]) -> go.Figure:
    """As scatter, but each point as bright as its value in [0, 1]."""
    texts, drawn = np.asarray(texts), thinned(shown)
    figure = _background(coordinates, np.flatnonzero(~shown & drawn), texts)
    rows = np.flatnonzero(shown & drawn)
    trace = _points(coordinates, rows, texts, GREY, "circle")
    bar = {"title": "certain", "tickformat": ".0%", "thickness": 12}
    trace.marker.update(color=values[rows], colorscale="Viridis", cmin=0, cmax=1, colorbar=bar)
    figure.add_trace(trace)
    return _laid_out(figure)


def _background(coordinates: np.ndarray, rows: np.ndarray, texts: np.ndarray) -> go.Figure:
    """A figure with the grey points."""
    return go.Figure([_points(coordinates, rows, texts, GREY, "circle", opacity=0.15)] if len(rows) else [])


def _look(name: str, i: int) -> tuple[str, str, str]:
    if name in LOOKS:
        return name, LOOKS[name].colour, LOOKS[name].marker
    return name, COLOURS[(3 * i + 3) % len(COLOURS)], "circle"  # neighbours in the list look unlike each other


def _points(coordinates, rows, texts, colour: str, marker: str, opacity=0.7) -> go.Scattergl | go.Scatter3d:
    flat = coordinates.shape[1] == 2
    axes = dict(zip("xyz", coordinates[rows].astype(np.float32).T, strict=False))
    look = {"color": colour, "symbol": marker if flat else "circle", "size": 5 if flat else 3, "opacity": opacity}
    kind = go.Scattergl if flat else go.Scatter3d
    common = {"mode": "markers", "marker": look, "showlegend": False, "customdata": rows.astype(np.int32)}
    return kind(**axes, **common, text=texts[rows], hovertemplate="%{text}<extra></extra>")


def _legend_entry(title: str, colour: str, marker: str, flat: bool) -> go.Scatter | go.Scatter3d:
    """Without a point of its own."""
    nowhere = {"x": [None], "y": [None]} | ({} if flat else {"z": [None]})
    look = {"color": colour, "symbol": marker if flat else "circle", "size": 9}
    return (go.Scatter if flat else go.Scatter3d)(**nowhere, mode="markers", marker=look, name=title)


def with_own(figure: go.Figure, own: Sequence[OwnClip]) -> go.Figure:
    """Another figure, with the person's clips on top."""
    figure = go.Figure(figure)
    for clip in own:
        _add_own(figure, clip)
    return figure


def _add_own(figure: go.Figure, clip: OwnClip) -> None:
    flat = len(clip.place) == 2
    kind = go.Scattergl if flat else go.Scatter3d
    ends = np.stack([np.repeat(clip.place[None], len(clip.neighbours), 0), clip.neighbours], axis=1)
    gaps = np.full((len(ends), 1, len(clip.place)), np.nan)
    lines = np.concatenate([ends, gaps], axis=1).reshape(-1, len(clip.place))
    path = {"color": OWN, "width": 2, "dash": "dot"}
    windows = [f"{clip.name}, from {start_s:.1f} s" for start_s in clip.start_s]
    for points, says, look in (
        (lines, clip.name, {"mode": "lines", "line": {"color": OWN, "width": 1}, "opacity": 0.6, "showlegend": False}),
        (clip.trail, windows, {"mode": "lines+markers", "line": path, "showlegend": False}),
        (clip.place[None], clip.name, {"mode": "markers", "name": clip.name}),
    ):
        if len(points) > (look["mode"] == "lines+markers"):  # a trail of one window is the clip itself
            last = look["mode"] == "markers"
            size = {"size": (18 if flat else 9) if last else 4, "color": OWN, "symbol": "x" if not flat else "star"}
            axes = dict(zip("xyz", points.T, strict=False))
            figure.add_trace(kind(**axes, **look, marker=size, text=says, hovertemplate="%{text}<extra></extra>"))


def with_cores(figure: go.Figure, coordinates: np.ndarray, emotions: Sequence[str], shown: np.ndarray) -> go.Figure:
    """Adds each emotion's middle, and the contour that holds half of its clips where they lie densest; 2-D only."""
    emotions = np.asarray(emotions)
    edges = [np.linspace(low, high, GRID + 1) for low, high in zip(coordinates.min(0), coordinates.max(0), strict=True)]
    for name in (name for name in LOOKS if name in emotions):
        points = coordinates[(emotions == name) & shown]
        if len(points) < 3:
            continue
        density = gaussian_filter(np.histogram2d(*points.T, bins=edges)[0], 2.0)
        figure.add_trace(_contour(density, edges, name))
        x, y = np.median(points, axis=0)
        figure.add_annotation(x=x, y=y, text=f"<b>{named(name)}</b>", showarrow=False, bgcolor=LOOKS[name].colour)
    figure.update_annotations(font={"color": "#fff", "size": 12}, borderpad=2)
    return figure


def _contour(density: np.ndarray, edges: Sequence[np.ndarray], name: str) -> go.Contour:
    ranked = np.sort(density.ravel())[::-1]
    level = float(ranked[np.searchsorted(np.cumsum(ranked), CORE * ranked.sum())])
    middles = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    return go.Contour(
        x=middles[0],
        y=middles[1],
        z=density.T,
        contours={"start": level, "end": level, "size": 1, "coloring": "lines"},
        colorscale=[[0, LOOKS[name].colour], [1, LOOKS[name].colour]],
        line={"width": 2},
        showscale=False,
        showlegend=False,
        hoverinfo="skip",
    )


def _laid_out(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 0, "t": 4, "b": 0},
        dragmode="pan",  # Streamlit takes no click on a point while a lasso or a box is to be drawn
        legend={"orientation": "h", "y": -0.02, "itemclick": False, "itemdoubleclick": False},
        uirevision="map",
    )
    bare = {"showgrid": False, "zeroline": False, "showticklabels": False, "title": None}
    figure.update_xaxes(**bare)
    figure.update_yaxes(**bare, scaleanchor="x")
    empty = {"showticklabels": False, "title": "", "showbackground": False}
    figure.update_scenes(xaxis=empty, yaxis=empty, zaxis=empty, aspectmode="cube", dragmode="turntable")
    return figure


def mix(counts: Mapping[str, int]) -> go.Figure:
    """How many of each group were chosen."""
    names = [named(name) if name in LOOKS else name for name in counts]
    colours = [LOOKS[name].colour if name in LOOKS else GREY for name in counts]
    figure = go.Figure(go.Bar(x=[*counts.values()], y=names, orientation="h", marker_color=colours))
    figure.update_layout(height=28 * len(names) + 40, margin={"l": 0, "r": 12, "t": 4, "b": 24}, bargap=0.3)
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return figure

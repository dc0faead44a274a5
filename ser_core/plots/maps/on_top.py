"""What lies on the points of a map: clips of the user, the chosen clip, contours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from plotly import graph_objects as go
from scipy.ndimage import gaussian_filter

from ser_core.labels import EMOTION_STYLES
from ser_core.plots.maps.names import FONT_SIZE, NARROW, Name, annotation, axis_bounds, place_names
from ser_core.plots.style import emotion_label

DENSITY_GRID_CELLS = 80  # per axis
CONTOUR_MASS = 0.5  # share of the clips of an emotion inside its contour
USER_CLIP_COLOUR = "#E0218A"  # not the colour of an emotion


@dataclass(frozen=True, eq=False)
class UserClip:
    """Position of a clip of the user on the map, with its windows and nearest neighbours."""

    name: str  # where the pointer is on it
    coordinates: np.ndarray  # (n_dims,)
    window_coordinates: np.ndarray  # of its windows, (n_windows, n_dims)
    start_s: np.ndarray  # start of each window in the recording, (n_windows,)
    neighbour_coordinates: np.ndarray  # of the nearest clips, (k, n_dims)
    title: str = "your clip"  # in the legend, whose entries are too narrow for most names


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
    """Lines to its neighbours, the path of its windows, and a star."""
    star, has_path = clip.coordinates[None], len(clip.window_coordinates) > 1  # a single window is the clip itself
    spokes = [np.stack([clip.coordinates, neighbour]) for neighbour in clip.neighbour_coordinates]
    _add_lines(figure, spokes, {"width": 1}, opacity=0.6)
    if has_path:
        _add_lines(figure, [clip.window_coordinates], {"width": 2, "dash": "dot"})
        texts = [f"{clip.name}, from {start_s:.1f} s" for start_s in clip.start_s]
        figure.add_trace(_marks(clip.window_coordinates, 4, texts, showlegend=False))
    figure.add_trace(_marks(star, 18 if star.shape[1] == 2 else 9, clip.name, name=clip.title))


def _add_lines(figure: go.Figure, lines: Sequence[np.ndarray], style: dict, opacity: float = 1.0) -> None:
    """Each through points, shape = (n, n_dims). In 2-D a shape: WebGL would need further programs for lines."""
    style = {"color": USER_CLIP_COLOUR, **style}
    if not lines:
        return
    if lines[0].shape[1] == 2:
        path = "".join("M" + "L".join(f"{x:.6g},{y:.6g}" for x, y in line) for line in lines)
        figure.add_shape(type="path", path=path, line=style, opacity=opacity)
    else:
        gap = np.full((1, 3), np.nan)
        x, y, z = np.concatenate([part for line in lines for part in (line, gap)]).T
        look = {"mode": "lines", "line": style, "opacity": opacity, "showlegend": False, "hoverinfo": "skip"}
        figure.add_trace(go.Scatter3d(x=x, y=y, z=z, **look))


def _marks(points: np.ndarray, size: int, texts: str | Sequence[str], **options: object) -> go.Scattergl | go.Scatter3d:
    flat = points.shape[1] == 2
    marker = {"size": size, "color": USER_CLIP_COLOUR, "symbol": "star" if flat else "x"}
    axes = dict(zip("xyz", points.T, strict=False))
    words = {"text": texts, "hovertemplate": "%{text}<extra></extra>"}
    return (go.Scattergl if flat else go.Scatter3d)(**axes, mode="markers", marker=marker, **words, **options)


def add_density_contours(
    figure: go.Figure, coordinates: np.ndarray, emotions: Sequence[str], shown: np.ndarray
) -> go.Figure:
    """Add the median of each emotion, and the densest contour with half of its clips; 2-D only."""
    labels = np.asarray(emotions)
    edges = [
        np.linspace(low, high, DENSITY_GRID_CELLS + 1)
        for low, high in zip(coordinates.min(0), coordinates.max(0), strict=True)
    ]
    medians = {}
    for name in (name for name in EMOTION_STYLES if name in labels):
        points = coordinates[(labels == name) & shown]
        if len(points) < 3:
            continue
        density = gaussian_filter(np.histogram2d(points[:, 0], points[:, 1], bins=edges)[0], 2.0)
        figure.add_trace(_contour(density, edges, name))
        medians[name] = tuple(np.median(points, axis=0).tolist())
    return _add_medians(figure, medians)


def _add_medians(figure: go.Figure, medians: Mapping[str, tuple[float, float]]) -> go.Figure:
    names = [Name(emotion_label(emotion), place) for emotion, place in medians.items()]
    for emotion, name in zip(medians, place_names(names, axis_bounds(figure), NARROW), strict=True):
        if name:
            look = {"bgcolor": EMOTION_STYLES[emotion].colour, "font": {"color": "#fff", "size": FONT_SIZE}}
            figure.add_annotation(annotation(name) | look | {"text": f"<b>{name.text}</b>"})
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

"""The plane of arousal and valence: where a prediction lies, in front of clips of unseen speakers."""

from collections.abc import Sequence

import numpy as np
from plotly import graph_objects as go

from ser_core.labels import AROUSAL_VALENCE, EMOTION_STYLES
from ser_core.plots.style import GREY, emotion_label

HEIGHT = 320  # pixels
AXIS = {"zeroline": True, "zerolinecolor": GREY, "zerolinewidth": 1, "showgrid": False, "fixedrange": True}
CLOSE = 0.2  # on the axes: the symbol of the prediction would cover a name
ANCHOR_POSITIONS = {
    "angry": "top right",
    "fear": "top left",
    "disgust": "bottom center",
}  # all at one valence


def arousal_valence_plane(
    own: np.ndarray, emotion: str | None, others: np.ndarray, labels: Sequence[str], trail: np.ndarray | None = None
) -> go.Figure:
    """The prediction as a large symbol, other clips as small dots in the colours of their labels.

    Args:
        own: (arousal, valence) of the prediction, each in [-1, 1].
        emotion: what is predicted; None where the model abstains.
        others: (arousal, valence) of other clips, shape = (n, 2).
        labels: their emotions.
        trail: (arousal, valence) of the windows of the clip in order, shape = (n_windows, 2).
    """
    figure = go.Figure()
    names = np.asarray(labels)
    for name in dict.fromkeys(labels):
        chosen = others[names == name]
        figure.add_scatter(x=chosen[:, 1], y=chosen[:, 0], **_dots(name))
    figure.add_scatter(**_anchors(own))
    if trail is not None and len(trail) > 1:
        line = {"color": GREY, "width": 1.5}
        figure.add_scatter(x=trail[:, 1], y=trail[:, 0], mode="lines", line=line, hoverinfo="skip")
    figure.add_scatter(x=[own[1]], y=[own[0]], **_symbol(emotion))
    figure.update_layout(height=HEIGHT, margin={"l": 0, "r": 0, "t": 4, "b": 0}, showlegend=False)
    figure.update_xaxes(title="unpleasant ← valence → pleasant", range=[-1, 1.05], tickvals=[], **AXIS)
    figure.update_yaxes(title="calm ← arousal → excited", range=[-0.95, 1.05], tickvals=[], **AXIS)
    return figure


def _dots(emotion: str) -> dict:
    marker = {"size": 4, "color": EMOTION_STYLES[emotion].colour, "opacity": 0.4}
    return {"mode": "markers", "name": emotion, "marker": marker, "hoverinfo": "skip"}


def _anchors(own: np.ndarray) -> dict:
    """The place of each emotion, to which the probabilities pull; a name that the prediction would cover makes room."""
    names = list(AROUSAL_VALENCE)
    places = np.array([AROUSAL_VALENCE[name] for name in names])
    texts = [emotion_label(name) for name in names]
    positions = [ANCHOR_POSITIONS.get(name, "top center") for name in names]
    for i in np.flatnonzero((np.abs(places - own) < CLOSE).all(1)):
        above = own[0] < places[i, 0]
        texts[i], positions[i] = (f"{texts[i]}<br> ", "top center") if above else (f"<br>{texts[i]}", "bottom center")
    return {
        "x": places[:, 1],
        "y": places[:, 0],
        "mode": "text",
        "text": texts,
        "textposition": positions,
        "textfont": {"size": 12},
        "hoverinfo": "skip",
    }


def _symbol(emotion: str | None) -> dict:
    style = EMOTION_STYLES.get(emotion or "")
    marker = {"size": 20, "symbol": style.marker if style else "circle", "color": style.colour if style else GREY}
    return {
        "mode": "markers",
        "marker": marker | {"line": {"width": 2, "color": "#FFFFFF"}},
        "hovertemplate": "valence %{x:.2f}, arousal %{y:.2f}<extra>this clip</extra>",
    }

"""Bars of the probabilities of one model or several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotly import graph_objects as go

from ser_core.labels import EMOTION_STYLES, format_probability
from ser_core.plots.style import GREY, LEGEND_BELOW, ROW_HEIGHT, ROWS_AXIS, SHARE_AXIS, emotion_label

if TYPE_CHECKING:
    from ser_core.inference import Prediction

COLUMN_STEP = 1.08  # of columns of bars up to 1: a full bar ends before the next column
MIN_BAR_FOR_SYMBOL = 0.08  # a narrower segment of a bar has no space for its symbol


def probability_bars(prediction: "Prediction", min_confidence: float | None = None) -> go.Figure:
    """One bar per possible emotion in the order of EMOTIONS; the predicted one in full colour, if the model is sure.

    Args:
        prediction: of one model.
        min_confidence: abstention threshold, drawn as a dotted line.
    """
    names = [name for name in prediction.probabilities if name in prediction.possible_emotions]
    values = [prediction.probabilities[name] for name in names]
    colours = [EMOTION_STYLES[name].colour for name in names]
    opacities = [1.0 if not prediction.abstain and name == prediction.emotion else 0.55 for name in names]
    figure = go.Figure()
    figure.add_bar(
        x=values,
        y=[emotion_label(name) for name in names],
        orientation="h",
        marker={"color": colours, "opacity": opacities},
        text=[format_probability(value) for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    if min_confidence is not None:
        figure.add_vline(min_confidence, line={"dash": "dot", "width": 1, "color": GREY}, layer="below")
    figure.update_layout(height=28 * len(names) + 28, margin={"l": 0, "r": 36, "t": 4, "b": 24}, bargap=0.3)
    return _with_probability_axis(figure)


def _with_probability_axis(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(**SHARE_AXIS, tickvals=[0, 0.5, 1], fixedrange=True)
    return figure.update_yaxes(fixedrange=True, **ROWS_AXIS)


def aligned_probability_bars(predictions: Sequence["Prediction"]) -> go.Figure:
    """One row per model, one column per emotion from 0 to 1, so that the bars of an emotion are aligned.

    The predicted emotion is in full colour; a model that abstains has none.
    """
    first, figure = predictions[0], go.Figure()
    emotions = [emotion for emotion in first.probabilities if emotion in first.possible_emotions]
    starts = [COLUMN_STEP * column for column in range(len(emotions))]
    for start, emotion in zip(starts, emotions, strict=True):
        values = [prediction.probabilities[emotion] for prediction in predictions]
        figure.add_bar(x=values, base=[start] * len(values), customdata=values, **_bars_of_models(predictions, emotion))
        figure.data[-1].update(hovertemplate=f"%{{y}}: {emotion} %{{customdata:.1%}}<extra></extra>")
    edge = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "opacity": 0.35, "layer": "below"}
    edge |= {"line": {"width": 1, "color": GREY}}
    figure.update_layout(shapes=[edge | {"x0": start, "x1": start} for start in starts])
    figure.update_layout(barmode="overlay", bargap=0.25, margin={"l": 0, "r": 4, "t": 4, "b": 4}, showlegend=False)
    figure.update_layout(height=ROW_HEIGHT * len(predictions) + 70)
    titles = {start + 0.5: emotion_label(emotion) for start, emotion in zip(starts, emotions, strict=True)}
    figure.update_xaxes(range=[0, starts[-1] + 1], tickvals=list(titles), ticktext=list(titles.values()), side="top")
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True)
    return figure.update_yaxes(fixedrange=True, **ROWS_AXIS)


def _bars_of_models(predictions: Sequence["Prediction"], emotion: str) -> dict[str, Any]:
    """Properties of the bars of one emotion, a model each: in full colour where it is predicted."""
    opacities = [1.0 if not p.abstain and p.emotion == emotion else 0.4 for p in predictions]
    return {
        "y": [prediction.model for prediction in predictions],
        "orientation": "h",
        "name": emotion_label(emotion),
        "marker": {"color": EMOTION_STYLES[emotion].colour, "opacity": opacities},
    }


def stacked_probability_bars(predictions: Sequence["Prediction"]) -> go.Figure:
    """Stacked probabilities, one row per model, the first on top; the predicted emotion in full colour.

    A model that abstains has no emotion in full colour.
    """
    figure = go.Figure()
    for emotion in predictions[0].probabilities:
        values = [prediction.probabilities[emotion] for prediction in predictions]
        symbols = [EMOTION_STYLES[emotion].symbol if value >= MIN_BAR_FOR_SYMBOL else "" for value in values]
        figure.add_bar(x=values, text=symbols, **_bars_of_models(predictions, emotion))
        figure.data[-1].update(textposition="inside", textangle=0, insidetextanchor="middle")
        figure.data[-1].update(hovertemplate=f"%{{y}}: {emotion} %{{x:.1%}}<extra></extra>")
    figure.update_layout(barmode="stack", bargap=0.25, margin={"l": 0, "r": 0, "t": 4, "b": 80})
    figure.update_layout(height=ROW_HEIGHT * len(predictions) + 110, legend=LEGEND_BELOW | {"traceorder": "normal"})
    return _with_probability_axis(figure)

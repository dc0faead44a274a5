"""Curves of evaluations: ROC, precision and recall, risk and coverage, reliability, cost, learning curves."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from plotly import graph_objects as go

from ser_core.labels import EMOTION_STYLES
from ser_core.metrics import pareto_front
from ser_core.plots.model_style import model_style
from ser_core.plots.style import GREY, LEGEND_BELOW, SHARE_AXIS, SHARE_TICKS, emotion_label

if TYPE_CHECKING:
    from ser_core.metrics import Curve, Reliability
    from ser_core.training import Experiment

LATENCY_TICKS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500)


def roc_lines(curves: Mapping[str, "Curve"]) -> go.Figure:
    """ROC curve of each emotion against the rest, with its AUC."""
    figure = _emotion_lines(curves, "AUC", "false positive rate", "true positive rate")
    diagonal = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, name="chance", hoverinfo="skip")
    return figure


def precision_recall_lines(curves: Mapping[str, "Curve"]) -> go.Figure:
    """Precision-recall curve of each emotion against the rest, with its average precision (AP)."""
    return _emotion_lines(curves, "AP", "recall", "precision")


def _emotion_lines(curves: Mapping[str, "Curve"], area: str, x_title: str, y_title: str) -> go.Figure:
    figure = go.Figure()
    for emotion, curve in curves.items():
        line = {"color": EMOTION_STYLES[emotion].colour, "width": 2}
        name = f"{emotion_label(emotion)}, {area} {curve.area:.2f}"
        figure.add_scatter(x=curve.x, y=curve.y, mode="lines", line=line, legendgroup=emotion, showlegend=False)
        figure.data[-1].update(name=name, hovertemplate=f"{emotion}: %{{x:.0%}}, %{{y:.0%}}<extra></extra>")
        _add_line_markers(figure, curve, name, EMOTION_STYLES[emotion].colour, EMOTION_STYLES[emotion].marker, emotion)
    return _with_unit_axes(figure, x_title, y_title)


def _add_line_markers(figure: go.Figure, curve: "Curve", name: str, colour: str, symbol: str, group: str) -> None:
    """A few markers on a line of many points, and its legend entry."""
    indices = np.unique(np.linspace(0, len(curve.x) - 1, 7)[1:-1].round().astype(int))
    marker = {"color": colour, "symbol": symbol, "size": 8}
    figure.add_scatter(
        x=curve.x[indices], y=curve.y[indices], mode="markers", marker=marker, name=name, legendgroup=group
    )
    figure.data[-1].update(hoverinfo="skip")


def risk_coverage_lines(curves: Mapping[str, "Curve"]) -> go.Figure:
    """Risk-coverage curve per model: error rate over the share of clips with the highest confidence."""
    figure = go.Figure()
    for model, curve in curves.items():
        style = model_style(model)
        line = {"color": style.colour, "width": 2, "dash": style.dash}
        figure.add_scatter(x=curve.x, y=curve.y, mode="lines", line=line, legendgroup=model, showlegend=False)
        figure.data[-1].update(
            name=model, hovertemplate=f"{model}: coverage %{{x:.0%}}, error rate %{{y:.1%}}<extra></extra>"
        )
        _add_line_markers(figure, curve, f"{model}, AURC {curve.area:.3f}", style.colour, style.marker, model)
    return _with_unit_axes(figure, "coverage (share of clips not abstained)", "error rate")


def reliability_diagram(reliabilities: Mapping[str, "Reliability"], model: str) -> go.Figure:
    """Reliability diagram: accuracy over confidence, one line per set of probabilities.

    The diagonal is perfect calibration.

    Args:
        reliabilities: for example before and after temperature scaling. Empty bins are not drawn; the size of a marker
            grows with the number of clips. The last one has the colour of the model, the others are grey.
        model: its name.
    """
    figure = go.Figure()
    diagonal = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, name="perfect calibration", hoverinfo="skip")
    for i, (title, bins) in enumerate(reliabilities.items()):
        line = {"color": GREY, "width": 2, "dash": "dash"}
        if i == len(reliabilities) - 1:
            line = {"color": model_style(model).colour, "width": 2}
        n = np.array(bins.n_clips)
        occupied = n > 0
        figure.add_scatter(
            x=np.array(bins.confidence)[occupied],
            y=np.array(bins.accuracy)[occupied],
            customdata=n[occupied],
            mode="lines+markers",
            line=line,
            marker={"symbol": "circle", "size": 6 + 12 * np.sqrt(n[occupied] / n.max())},
            name=f"{title}, ECE {bins.ece:.3f}",
            hovertemplate=f"{title}: confidence %{{x:.0%}}, accuracy %{{y:.0%}}, %{{customdata}} clips<extra></extra>",
        )
    return _with_unit_axes(figure, "confidence", "accuracy")


def _with_unit_axes(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    n_lines = -(-sum(trace.showlegend is not False for trace in figure.data) // 2)
    margin = {"l": 0, "r": 8, "t": 4, "b": 60 + 20 * n_lines}
    figure.update_layout(height=380 + 20 * n_lines, margin=margin, legend=LEGEND_BELOW, hovermode="closest")
    figure.update_xaxes(title=x_title, dtick=0.2, **SHARE_AXIS)
    figure.update_yaxes(range=[0, 1.02], title=y_title, tickformat=".0%", zeroline=False)
    return figure


def pareto_dots(models: Mapping[str, tuple[float, float, float]]) -> go.Figure:
    """UAR over latency, marker size by the size of the weights; a line joins the Pareto-optimal models.

    Args:
        models: name -> (latency in ms, UAR in [0, 1], size in 1e6 bytes).
    """
    figure = go.Figure()
    x, y = zip(*sorted(models[name][:2] for name in pareto_front({n: m[:2] for n, m in models.items()})), strict=True)
    line = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name="Pareto front", hoverinfo="skip")
    for name, (latency_ms, uar, size_mb) in models.items():
        style = model_style(name)
        marker = {"color": style.colour, "symbol": style.marker, "size": 9 + 2 * size_mb**0.5}
        figure.add_scatter(x=[latency_ms], y=[uar], mode="markers", marker=marker, name=name)
        hover = f"{name}: %{{x:.1f}} ms, UAR %{{y:.1%}}, {size_mb:.1f} MB<extra></extra>"
        figure.data[-1].update(hovertemplate=hover)
    n_lines = -(-len(figure.data) // 2)
    figure.update_layout(height=340 + 20 * n_lines, margin={"l": 0, "r": 8, "t": 4, "b": 50 + 20 * n_lines})
    figure.update_layout(legend=LEGEND_BELOW | {"itemsizing": "constant"})
    title = "latency of a 3 s clip on one thread, ms"
    ends = _latency_range([latency_ms for latency_ms, *_ in models.values()])
    figure.update_xaxes(type="log", title=title, zeroline=False, tickvals=LATENCY_TICKS_MS, range=ends)
    return figure.update_yaxes(tickformat=SHARE_TICKS, title="UAR", zeroline=False)


def _latency_range(latencies_ms: Sequence[float]) -> list[float]:
    """From the tick below the fastest model to the one above the slowest, as powers of ten, with room for a marker."""
    lowest, highest = min(latencies_ms), max(latencies_ms)
    first = max((tick for tick in LATENCY_TICKS_MS if tick <= lowest), default=lowest)
    last = min((tick for tick in LATENCY_TICKS_MS if tick >= highest), default=highest)
    room = 0.04 * math.log10(last / first) or 0.04
    return [math.log10(first) - room, math.log10(last) + room]


def class_score_radar(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Radar chart: one closed line per model over the emotions.

    Args:
        values: model -> emotion -> value in [0, 1], e.g. F1; the axes are the emotions of the first model.
    """
    figure = go.Figure()
    axes = list(next(iter(values.values())))
    for model, row in values.items():
        style = model_style(model)
        figure.add_scatterpolar(
            r=[row[emotion] for emotion in (*axes, axes[0])],
            theta=[emotion_label(emotion) for emotion in (*axes, axes[0])],
            mode="lines+markers",
            line={"color": style.colour, "width": 2, "dash": style.dash},
            marker={"symbol": style.marker, "size": 8},
            name=model,
            hovertemplate=f"{model}, %{{theta}}: %{{r:.1%}}<extra></extra>",
        )
    figure.update_layout(height=440, margin={"l": 60, "r": 60, "t": 32, "b": 32})
    figure.update_polars(
        bgcolor="rgba(0,0,0,0)",
        radialaxis={"range": [0, 1], "tickformat": ".0%", "tickvals": [0.25, 0.5, 0.75, 1], "gridcolor": GREY},
        angularaxis={"gridcolor": GREY, "direction": "clockwise"},
    )
    return figure


def learning_curves(curves: Mapping[str, Sequence[float]], title: str, is_share: bool = False) -> go.Figure:
    """Learning curves: one line per run over its epochs.

    Args:
        curves: run -> one value per epoch.
        title: of the vertical axis.
        is_share: whether the values are shares, such as UAR: in percent then.
    """
    figure = go.Figure()
    for name, values in curves.items():
        style = model_style(name)
        figure.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=list(values),
            mode="lines+markers",
            line={"color": style.colour, "width": 2, "dash": style.dash},
            marker={"symbol": style.marker, "size": 7},
            name=name,
            hovertemplate=f"{name}, epoch %{{x}}: %{{y:{'.1%' if is_share else '.4g'}}}<extra></extra>",
        )
    n_lines = -(-len(curves) // 3)
    figure.update_layout(height=340 + 20 * n_lines, margin={"l": 0, "r": 8, "t": 4, "b": 50 + 20 * n_lines})
    figure.update_layout(legend=LEGEND_BELOW, showlegend=True)
    longest = max(map(len, curves.values()), default=1)
    figure.update_xaxes(title="epoch", tick0=1, dtick=-(-longest // 10), zeroline=False)  # integer ticks
    figure.update_yaxes(title=title, tickformat=SHARE_TICKS if is_share else None, zeroline=False)
    return figure


def experiment_dots(experiments: Sequence["Experiment"]) -> go.Figure:
    """Mean development UAR of each experiment in the order of the log; filled where it was the best of its kind."""
    figure = go.Figure()
    for model in dict.fromkeys(experiment.model for experiment in experiments):
        style = model_style(model)
        rows = [(i, one) for i, one in enumerate(experiments, 1) if one.model == model]
        colours = [style.colour if one.kept else "rgba(0,0,0,0)" for _, one in rows]
        figure.add_scatter(
            x=[i for i, _ in rows],
            y=[one.mean_uar for _, one in rows],
            customdata=[f"{one.purpose}; fold {one.fold}, {one.epochs} epochs" for _, one in rows],
            mode="markers",
            marker={"color": colours, "size": 10, "line": {"color": style.colour, "width": 2}},
            name=model,
            hovertemplate="%{customdata}: %{y:.1%}<extra></extra>",
        )
    figure.update_layout(height=320, margin={"l": 0, "r": 8, "t": 4, "b": 70}, legend=LEGEND_BELOW, showlegend=True)
    figure.update_xaxes(title="experiment", zeroline=False)
    figure.update_yaxes(title="development UAR", tickformat=SHARE_TICKS, zeroline=False)
    return figure

"""Cost against work: straight lines where it grows in proportion."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ser_core.labels import EMOTION_STYLES
from ser_core.plots.style import BLACK

LINE_COLOURS = [EMOTION_STYLES[name].colour for name in ("sad", "angry", "fear")]
LINE_MARKERS = ("circle", "cross", "square")
NAME_POSITIONS = ("bottom center", "top left", "top left")  # of the last point
N_COLUMNS, PANEL_HEIGHT, PANEL_WIDTH = 2, 300, 480  # pixels


@dataclass(frozen=True)
class CostPanel:
    """One chart: lines by name, each (work, cost)."""

    title: str
    x_title: str
    y_title: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]


def cost_lines(panels: Sequence[CostPanel]) -> go.Figure:
    """The panels in rows of two; both axes are logarithmic."""
    n_rows = -(-len(panels) // N_COLUMNS)
    figure = make_subplots(n_rows, N_COLUMNS, subplot_titles=[panel.title for panel in panels])
    for i, panel in enumerate(panels):
        _add_panel(figure, panel, {"row": i // N_COLUMNS + 1, "col": i % N_COLUMNS + 1})
    figure.update_annotations(yshift=12)  # titles, above the names of lines
    size = {"height": n_rows * PANEL_HEIGHT + 60, "width": N_COLUMNS * PANEL_WIDTH}
    figure.update_layout(template="plotly_white", font={"color": BLACK, "size": 12}, **size)
    return figure.update_layout(margin={"l": 60, "r": 50, "t": 60, "b": 50})


def _add_panel(figure: go.Figure, panel: CostPanel, place: dict[str, int]) -> None:
    for (name, (x, y)), colour, marker, position in zip(
        panel.lines.items(), LINE_COLOURS, LINE_MARKERS, NAME_POSITIONS, strict=False
    ):
        style = {"line": {"color": colour, "width": 2}, "marker": {"color": colour, "symbol": marker, "size": 8}}
        label = {"text": [*[""] * (len(x) - 1), name], "textposition": position, "textfont": {"color": colour}}
        shown = {"mode": "lines+markers+text", "cliponaxis": False, "showlegend": False}
        figure.add_scatter(x=x, y=y, **shown, **style, **label, **place)
    figure.update_xaxes(type="log", dtick=1, title=panel.x_title, **place)
    costs = [cost for _, y in panel.lines.values() for cost in y]
    figure.update_yaxes(type="log", dtick=1, range=_decades(costs), title=panel.y_title, **place)


def _decades(costs: Sequence[float]) -> list[int]:
    """The whole powers of ten around the values: a small change must not look large."""
    return [math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)) + 1e-9)]

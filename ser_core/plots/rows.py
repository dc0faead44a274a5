"""Layout of the figures that have a row a model, a corpus or a group."""

from collections.abc import Sequence

from plotly import graph_objects as go

from ser_core.plots.clip import ROW_HEIGHT

LEGEND_LINE = 20  # pixels


def with_row_layout(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    n_lines = -(-sum(trace.showlegend is not False for trace in figure.data) // 3)
    height = ROW_HEIGHT * len(names) + 50 + LEGEND_LINE * max(n_lines, 3)
    figure.update_layout(height=height, margin={"l": 0, "r": 12, "t": 4, "b": 0})
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0})
    rows = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(names),
    }  # a speaker "1001" is not a number
    figure.update_yaxes(**rows, autorange="reversed", ticksuffix=" ")
    return figure

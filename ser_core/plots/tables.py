"""Tables of the numbers in a figure, for accessibility and further computation."""

from collections.abc import Sequence
from typing import Any

from plotly import graph_objects as go

TraceColumn = tuple[str, list, list]  # name of a trace, its positions (names, times, ...), its values
TABLE_DECIMALS = 4


def figure_to_rows(figure: go.Figure) -> list[dict]:
    """Rows of a table: one per position with a column per trace if the traces share positions, else one per point.

    Heat maps, bars, lines and markers have numbers; images, boxes and traces without hover have none.

    Returns:
        Rows with the same keys; empty for a figure without numbers.
    """
    grid = next((trace for trace in figure.data if isinstance(trace, go.Heatmap)), None)
    if grid is not None:
        return _heatmap_rows(grid)
    traces = [
        t for t in figure.data if isinstance(t, go.Bar | go.Scatter) and t.x is not None and t.hoverinfo != "skip"
    ]
    titles = figure.layout.xaxis.title.text, figure.layout.yaxis.title.text
    if any(isinstance(name, str) for trace in traces for name in trace.y):  # rows of names, values to the right
        position, value, columns = "", titles[0] or "value", [(t.name, t.y, t.x) for t in traces]
    else:
        position, value, columns = titles[0] or "place", titles[1] or "value", [(t.name, t.x, t.y) for t in traces]
    columns = [
        (name or value, list(map(_plain_value, positions)), list(map(_plain_value, values)))
        for name, positions, values in columns
    ]
    return _wide_rows(columns, position) or _long_rows(columns, position, value)


def _heatmap_rows(grid: go.Heatmap) -> list[dict]:
    """Cells of a heat map: its customdata (counts) if the colours show something else."""
    cells = grid.z if grid.customdata is None else grid.customdata
    return [
        {"": name, **{column: _plain_value(value) for column, value in zip(grid.x, row, strict=True)}}
        for name, row in zip(grid.y, cells, strict=True)
    ]


def _wide_rows(columns: Sequence[TraceColumn], title: str) -> list[dict]:
    """One row per position; empty unless the longest trace has all positions, and names and positions are unique."""
    points = {name: dict(zip(positions, values, strict=True)) for name, positions, values in columns}
    union = list(dict.fromkeys(position for _, positions, _ in columns for position in positions))
    if len(union) > max(map(len, points.values()), default=0):
        return []
    if sum(map(len, points.values())) < sum(len(positions) for _, positions, _ in columns):
        return []
    return [{title: position, **{name: trace.get(position) for name, trace in points.items()}} for position in union]


def _long_rows(columns: Sequence[TraceColumn], title: str, value_title: str) -> list[dict]:
    """One row per point."""
    return [
        {"name": name, title or "place": position, value_title: value}
        for name, positions, values in columns
        for position, value in zip(positions, values, strict=True)
    ]


def _plain_value(value: Any) -> Any:
    """Number or text as a plain Python value; None for a gap."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value
    number = value.item() if hasattr(value, "item") else value
    return round(number, TABLE_DECIMALS) if isinstance(number, float) else number

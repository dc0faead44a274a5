"""The numbers of a figure as a table, for those who do not see it and for those who compute on with them."""

from collections.abc import Sequence
from typing import Any

from plotly import graph_objects as go

TraceColumn = tuple[str, list, list]  # name of a trace, its places on the axis of names, of time, ..., and its values
TABLE_DECIMALS = 4


def figure_to_rows(figure: go.Figure) -> list[dict]:
    """A row for each place and a column for each trace where the traces share their places, else a row for each point.

    Heat maps, bars, lines and dots have numbers; pictures, boxes and what cannot be hovered over have none.

    Returns:
        rows with the same keys; none for a figure without numbers.
    """
    grid = next((trace for trace in figure.data if isinstance(trace, go.Heatmap)), None)
    if grid is not None:
        return _heatmap_rows(grid)
    traces = [
        t for t in figure.data if isinstance(t, go.Bar | go.Scatter) and t.x is not None and t.hoverinfo != "skip"
    ]
    titles = figure.layout.xaxis.title.text, figure.layout.yaxis.title.text
    if any(isinstance(name, str) for trace in traces for name in trace.y):  # rows of names, values to the right
        place, value, columns = "", titles[0] or "value", [(t.name, t.y, t.x) for t in traces]
    else:
        place, value, columns = titles[0] or "place", titles[1] or "value", [(t.name, t.x, t.y) for t in traces]
    columns = [
        (name or value, list(map(_plain_value, places)), list(map(_plain_value, values)))
        for name, places, values in columns
    ]
    return _wide_rows(columns, place) or _long_rows(columns, place, value)


def _heatmap_rows(grid: go.Heatmap) -> list[dict]:
    """The cells as they are counted, where the colours mean something else."""
    cells = grid.z if grid.customdata is None else grid.customdata
    return [
        {"": name, **{column: _plain_value(value) for column, value in zip(grid.x, row, strict=True)}}
        for name, row in zip(grid.y, cells, strict=True)
    ]


def _wide_rows(columns: Sequence[TraceColumn], place: str) -> list[dict]:
    """None, unless the longest trace has all the places of the others, and no name and no place comes twice."""
    points = {name: dict(zip(places, values, strict=True)) for name, places, values in columns}
    every = list(dict.fromkeys(at for _, places, _ in columns for at in places))
    if len(every) > max((len(found) for found in points.values()), default=0):
        return []
    if sum(map(len, points.values())) < sum(len(places) for _, places, _ in columns):
        return []
    return [{place: at, **{name: found.get(at) for name, found in points.items()}} for at in every]


def _long_rows(columns: Sequence[TraceColumn], place: str, value: str) -> list[dict]:
    return [
        {"name": name, place or "place": at, value: number}
        for name, places, values in columns
        for at, number in zip(places, values, strict=True)
    ]


def _plain_value(value: Any) -> Any:
    """A number or a text that any table can hold; nothing for a gap."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value
    number = value.item() if hasattr(value, "item") else value
    return round(number, TABLE_DECIMALS) if isinstance(number, float) else number

"""Heat maps of evaluations and corpora: scores, confusion matrices, pairwise comparisons, counts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly import graph_objects as go
from plotly.colors import sample_colorscale

from ser_core.labels import EMOTION_STYLES, format_number
from ser_core.plots.style import BLACK, GREY, ROW_HEIGHT, WHITE, emotion_label, text_colour_on, with_row_layout

if TYPE_CHECKING:
    from ser_core.evaluation import Comparison

DIVERGING_SCALE = [[0.0, EMOTION_STYLES["sad"].colour], [0.5, GREY], [1.0, EMOTION_STYLES["angry"].colour]]
CAMERA_HEIGHT = 28  # pixels above the cells: a phone always shows the button that saves the figure


def score_heatmap(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Heat map with one row per model, one column per corpus or class; cells without a value are empty.

    Args:
        values: row -> column -> value in [0, 1].
    """
    columns = list(dict.fromkeys(column for row in values.values() for column in row))
    cells = [[row.get(column) for column in columns] for row in values.values()]
    text = [["" if cell is None else f"{cell:.1%}" for cell in row] for row in cells]
    return with_row_layout(
        _heatmap(cells, columns, list(values), text, colorscale="Viridis", zmin=0, zmax=1), list(values)
    )


def agreement_heatmap(shares: np.ndarray, names: Sequence[str]) -> go.Figure:
    """Pairwise agreement of models, in percent.

    Args:
        shares: in [0, 1], shape = (n_models, n_models).
    """
    text = [["" if i == j else f"{100 * share:.0f}" for j, share in enumerate(row)] for i, row in enumerate(shares)]
    return _with_pairwise_layout(_heatmap(shares, names, names, text, colorscale="Viridis", zmin=0, zmax=1), names)


def significance_heatmap(comparison: "Comparison") -> go.Figure:
    """Difference in accuracy points, row minus column; with a number where it is significant."""
    names = [entry.model for entry in comparison.ranking]
    cells: list[list[float | None]] = [[None] * len(names) for _ in names]
    text = [[""] * len(names) for _ in names]
    for pair in comparison.pairs:
        difference = (pair.n_only_first - pair.n_only_second) / comparison.n_clips
        for row, column, value in ((pair.first, pair.second, difference), (pair.second, pair.first, -difference)):
            i, j = names.index(row), names.index(column)
            cells[i][j], text[i][j] = value, format_number(100 * value, "+.0f") if pair.significant else ""
    largest = max((abs(value) for row in cells for value in row if value is not None), default=1.0) or 1.0
    return _with_pairwise_layout(
        _heatmap(cells, names, names, text, colorscale=DIVERGING_SCALE, zmin=-largest, zmax=largest), names
    )


def _with_pairwise_layout(grid: go.Figure, names: Sequence[str]) -> go.Figure:
    """Columns are labelled by the number of their row: names would not fit on a phone."""
    grid.update_layout(height=ROW_HEIGHT * len(names) + 40, margin={"l": 0, "r": 0, "t": 36, "b": 4})
    numbers = range(1, len(names) + 1)
    grid.update_xaxes(tickvals=names, ticktext=[str(n) for n in numbers], tickangle=0, side="top")
    rows = [f"{name} {n} " for name, n in zip(names, numbers, strict=True)]
    grid.update_yaxes(tickvals=names, ticktext=rows, autorange="reversed")
    return grid


def confusion_heatmap(confusion: Sequence[Sequence[int]], labels: Sequence[str], counts: bool = False) -> go.Figure:
    """Confusion matrix in shares of the true class; classes without clips have no row.

    A cell can be selected by a click: its customdata are the true and the predicted class.

    Args:
        confusion: counts, shape = (n_classes, n_classes): row is the true class, column the predicted one.
        labels: names of the classes.
        counts: label the cells with counts instead of shares; the colours remain those of the shares.
    """
    matrix = np.asarray(confusion)
    present = np.flatnonzero(matrix.sum(1))
    shares = matrix[present] / matrix[present].sum(1, keepdims=True)
    columns, rows = [emotion_label(label) for label in labels], [emotion_label(labels[k]) for k in present.tolist()]
    shown, form = (matrix[present], "{:d}") if counts else (shares, "{:.0%}")
    text = [[form.format(value) if value else "" for value in row] for row in shown]
    grid = _heatmap(shares, columns, rows, text, customdata=shown, colorscale="Viridis", zmin=0, zmax=1)
    _add_clickable_cells(grid, columns, rows, text, [(labels[k], name) for k in present.tolist() for name in labels])
    grid.update_layout(height=36 * len(rows) + 106 + CAMERA_HEIGHT, margin={"l": 0, "r": 0, "t": CAMERA_HEIGHT, "b": 0})
    grid.update_xaxes(title="predicted", **slanted_names(labels))
    grid.update_yaxes(title="label", autorange="reversed")
    return grid


def _add_clickable_cells(
    grid: go.Figure, columns: list[str], rows: list[str], text: list[list[str]], cells: list[tuple[str, str]]
) -> None:
    """Invisible markers: a heat map does not report clicks."""
    unseen = {"marker": {"opacity": 0}}
    grid.add_scatter(
        x=columns * len(rows),
        y=[row for row in rows for _ in columns],
        customdata=cells,
        mode="markers",
        marker={"symbol": "square", "size": 24, "opacity": 0},
        unselected=unseen,
        selected=unseen,
        text=[cell for row in text for cell in row],
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        showlegend=False,
    )


def count_heatmap(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Number of clips per corpus or speaker (row) and emotion (column); the colour is the share of the row.

    Args:
        counts: row -> emotion -> clips.
    """
    cells = [[row.get(emotion) or None for emotion in EMOTION_STYLES] for row in counts.values()]
    totals = [sum(cell for cell in row if cell) or 1 for row in cells]
    shares = [[cell and cell / n for cell in row] for row, n in zip(cells, totals, strict=True)]
    text = [["" if cell is None else str(cell) for cell in row] for row in cells]
    largest = max((share for row in shares for share in row if share), default=1)
    columns = [emotion_label(emotion) for emotion in EMOTION_STYLES]
    scale = {"colorscale": "Viridis", "zmin": 0, "zmax": largest}
    figure = _heatmap(shares, columns, list(counts), text, customdata=cells, **scale)
    figure.update_xaxes(**slanted_names(EMOTION_STYLES))
    figure = with_row_layout(figure, list(counts))
    return figure.update_layout(height=figure.layout.height - 4 + CAMERA_HEIGHT, margin_t=CAMERA_HEIGHT)


def _heatmap(cells, columns: Sequence[str], rows: Sequence[str], text, colorscale, zmin, zmax, **options) -> go.Figure:
    """Heat map with black or white text in its cells: the default grey of plotly has a contrast of 3:1 on mid greens.

    A heat map has one text colour, so a second, transparent one shows the black texts.
    """
    positions = np.nan_to_num((np.array(cells, float) - zmin) / (zmax - zmin)).clip(0, 1)
    colours = np.reshape(
        [text_colour_on(c) for c in sample_colorscale(colorscale, positions.ravel().tolist())], positions.shape
    )
    options |= {"z": cells, "x": list(columns), "y": list(rows), "colorscale": colorscale, "zmin": zmin, "zmax": zmax}
    options |= {"showscale": False, "xgap": 1, "ygap": 1, "texttemplate": "%{text}"}
    figure = go.Figure()
    for colour, opacity in ((WHITE, 1), (BLACK, 0)):
        texts = _texts_in_colour(colour, text, colours)
        figure.add_heatmap(text=texts, textfont={"color": colour}, opacity=opacity, **options)
    white, black = figure.data
    white.update(hovertext=text, hoverongaps=False, hovertemplate="%{y}, %{x}: %{text}<extra></extra>")
    black.update(hoverinfo="skip")
    return figure


def _texts_in_colour(colour: str, text, colours: np.ndarray) -> list[list[str]]:
    """Texts of one colour, the others blank at the same length: plotly fits the font size to the longest text."""
    return [
        [cell if cell_colour == colour else " " * len(cell) for cell, cell_colour in zip(*row, strict=True)]
        for row in zip(text, colours, strict=True)
    ]


def slanted_names(emotions: Iterable[str]) -> dict[str, Any]:
    """Axis of emotions without their symbols: a slanted diamond looks like a square."""
    names = list(emotions)
    return {"tickvals": [emotion_label(name) for name in names], "ticktext": names, "tickangle": -45}

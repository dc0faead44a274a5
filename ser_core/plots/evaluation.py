"""Figures of evaluations and corpora: rankings, confusion matrices, calibration, ROC, learning curves, box plots.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly import graph_objects as go
from plotly.colors import sample_colorscale

from ser_core.data import CORPUS_NAMES
from ser_core.labels import EMOTION_STYLES, EmotionStyle
from ser_core.plots.clip import BLACK, GREY, ROW_HEIGHT, WHITE, emotion_label, text_colour_on

if TYPE_CHECKING:
    from ser_core.evaluation import Comparison, RankedModel
    from ser_core.metrics import Curve, Reliability

LINE_DASHES = ("solid", "dash", "dot")  # distinguish models of one colour
DIVERGING_SCALE = [[0.0, EMOTION_STYLES["sad"].colour], [0.5, GREY], [1.0, EMOTION_STYLES["angry"].colour]]
CAMERA_HEIGHT = 28  # pixels above the cells: a phone always shows the button that saves the figure
CORPUS_SYMBOLS = {
    "ravdess": "diamond-open",
    "crema_d": "square-open",
    "tess": "triangle-up-open",
    "savee": "cross-open",
}
LATENCY_TICKS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def ranking_plot(ranking: Sequence["RankedModel"], measure: str = "uar") -> go.Figure:
    """Ranking with one row per model, the best on top: the value of each corpus, and their mean.

    Args:
        ranking: the models, best first.
        measure: "uar", "macro_f1" or "accuracy".
    """
    names = [entry.model for entry in ranking]
    figure = go.Figure()
    for corpus in dict.fromkeys(corpus for entry in ranking for corpus in entry.corpora):
        rows = [entry for entry in ranking if corpus in entry.corpora]
        figure.add_scatter(
            x=[entry.corpora[corpus][measure] for entry in rows],
            y=[entry.model for entry in rows],
            mode="markers",
            marker={"color": GREY, "size": 7, "symbol": CORPUS_SYMBOLS.get(corpus, "circle-open")},
            name=CORPUS_NAMES.get(corpus, corpus),
            hovertemplate=f"%{{y}}, {CORPUS_NAMES.get(corpus, corpus)}: %{{x:.1%}}<extra></extra>",
        )
    figure.add_scatter(
        x=[entry.means[measure] for entry in ranking],
        y=names,
        mode="markers",
        marker={"color": EMOTION_STYLES["sad"].colour, "size": 12},
        name="mean of the corpora of speech",
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
    return _with_row_layout(figure, names)


def class_score_dots(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Scores per class: one row per model, one dot per emotion.

    Args:
        values: model -> emotion -> value in [0, 1], e.g. F1.
    """
    figure = go.Figure()
    for emotion, style in EMOTION_STYLES.items():
        scores = {model: row[emotion] for model, row in values.items() if emotion in row}
        if scores:
            figure.add_scatter(
                x=list(scores.values()),
                y=list(scores),
                mode="markers",
                marker={"color": style.colour, "symbol": style.marker, "size": 10},
                name=emotion_label(emotion),
                hovertemplate=f"%{{y}}, {emotion}: %{{x:.1%}}<extra></extra>",
            )
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
    return _with_row_layout(figure, list(values))


def score_heatmap(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Heat map with one row per model, one column per corpus or class; cells without a value are empty.

    Args:
        values: row -> column -> value in [0, 1].
    """
    columns = list(dict.fromkeys(column for row in values.values() for column in row))
    cells = [[row.get(column) for column in columns] for row in values.values()]
    text = [["" if cell is None else f"{cell:.1%}" for cell in row] for row in cells]
    return _with_row_layout(
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
            cells[i][j], text[i][j] = value, f"{100 * value:+.0f}" if pair.significant else ""
    largest = max((abs(value) for row in cells for value in row if value is not None), default=1.0) or 1.0
    return _with_pairwise_layout(
        _heatmap(cells, names, names, text, colorscale=DIVERGING_SCALE, zmin=-largest, zmax=largest), names
    )


def _with_pairwise_layout(grid: go.Figure, names: Sequence[str]) -> go.Figure:
    """Columns are labelled by the number of their row: names would not fit on a phone."""
    grid.update_layout(height=ROW_HEIGHT * len(names) + 28, margin={"l": 0, "r": 0, "t": 24, "b": 4})
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
    cells = [(labels[k], predicted) for k in present.tolist() for predicted in labels]
    grid.add_scatter(  # a heat map does not report clicks
        x=columns * len(rows),
        y=[row for row in rows for _ in columns],
        customdata=cells,
        mode="markers",
        marker={"symbol": "square", "size": 24, "opacity": 0},
        unselected={"marker": {"opacity": 0}},
        selected={"marker": {"opacity": 0}},
        text=[cell for row in text for cell in row],
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        showlegend=False,
    )
    grid.update_layout(height=36 * len(rows) + 106 + CAMERA_HEIGHT, margin={"l": 0, "r": 0, "t": CAMERA_HEIGHT, "b": 0})
    grid.update_xaxes(title="predicted", **_slanted_names(labels))
    grid.update_yaxes(title="true", autorange="reversed")
    return grid


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


def _with_row_layout(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    figure.update_layout(height=ROW_HEIGHT * len(names) + 110, margin={"l": 0, "r": 12, "t": 4, "b": 0})
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0})
    rows = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(names),
    }  # a speaker "1001" is not a number
    figure.update_yaxes(**rows, autorange="reversed", ticksuffix=" ")
    return figure


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
        figure.data[-1].update(name=name, hovertemplate=f"{emotion}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>")
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
    for i, (model, curve) in enumerate(curves.items()):
        style, dash = _model_style(i)
        line = {"color": style.colour, "width": 2, "dash": dash}
        figure.add_scatter(x=curve.x, y=curve.y, mode="lines", line=line, legendgroup=model, showlegend=False)
        figure.data[-1].update(
            name=model, hovertemplate=f"{model}: coverage %{{x:.0%}}, error rate %{{y:.1%}}<extra></extra>"
        )
        _add_line_markers(figure, curve, f"{model}, AURC {curve.area:.3f}", style.colour, style.marker, model)
    return _with_unit_axes(figure, "coverage (share of clips not abstained)", "error rate")


def _model_style(i: int) -> tuple[EmotionStyle, str]:
    """Colour, marker and dash of the i-th model; models of one colour differ in marker and dash."""
    styles = list(EMOTION_STYLES.values())
    turn, index = divmod(i, len(styles))
    shape = styles[(index + 3 * turn) % len(styles)]
    return replace(styles[-1 - index], marker=shape.marker, symbol=shape.symbol), LINE_DASHES[turn % len(LINE_DASHES)]


def _with_unit_axes(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    n_lines = -(-sum(trace.showlegend is not False for trace in figure.data) // 2)
    margin = {"l": 0, "r": 8, "t": 4, "b": 60 + 20 * n_lines}
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
    figure.update_layout(height=380 + 20 * n_lines, margin=margin, legend=legend, hovermode="closest")
    figure.update_xaxes(range=[0, 1], title=x_title, zeroline=False)
    figure.update_yaxes(range=[0, 1.02], title=y_title, zeroline=False)
    return figure


def reliability_diagram(reliabilities: Mapping[str, "Reliability"]) -> go.Figure:
    """Reliability diagram: accuracy over confidence, one line per set of probabilities.

    The diagonal is perfect calibration.

    Args:
        reliabilities: for example before and after temperature scaling. Empty bins are not drawn; the size of a marker
            grows with the number of clips.
    """
    figure = go.Figure()
    diagonal = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=diagonal, name="perfect calibration", hoverinfo="skip")
    for i, (title, bins) in enumerate(reliabilities.items()):
        style, dash = _model_style(i)
        n = np.array(bins.n_clips)
        occupied = n > 0
        figure.add_scatter(
            x=np.array(bins.confidence)[occupied],
            y=np.array(bins.accuracy)[occupied],
            customdata=n[occupied],
            mode="lines+markers",
            line={"color": style.colour, "width": 2, "dash": dash},
            marker={"symbol": style.marker, "size": 6 + 12 * np.sqrt(n[occupied] / n.max())},
            name=f"{title}, ECE {bins.ece:.3f}",
            hovertemplate=f"{title}: confidence %{{x:.0%}}, accuracy %{{y:.0%}}, %{{customdata}} clips<extra></extra>",
        )
    return _with_unit_axes(figure, "confidence", "accuracy")


def pareto_dots(models: Mapping[str, tuple[float, float, float]]) -> go.Figure:
    """UAR over latency, marker size by the size of the weights; a line joins the Pareto-optimal models.

    Args:
        models: name -> (latency in ms, UAR in [0, 1], size in 1e6 bytes).
    """
    figure = go.Figure()
    pareto_front = sorted(
        (latency_ms, uar)
        for latency_ms, uar, _ in models.values()
        if not any(other[0] < latency_ms and other[1] >= uar for other in models.values())
    )
    x, y = zip(*pareto_front, strict=True)
    line = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name="Pareto front", hoverinfo="skip")
    for i, (name, (latency_ms, uar, size_mb)) in enumerate(models.items()):
        style, _ = _model_style(i)
        figure.add_scatter(
            x=[latency_ms],
            y=[uar],
            mode="markers",
            marker={"color": style.colour, "symbol": style.marker, "size": 9 + 2 * size_mb**0.5},
            name=name,
            hovertemplate=f"{name}: %{{x:.1f}} ms, UAR %{{y:.1%}}, {size_mb:.1f} MB<extra></extra>",
        )
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "itemsizing": "constant"}
    n_lines = -(-len(figure.data) // 2)
    figure.update_layout(height=340 + 20 * n_lines, margin={"l": 0, "r": 8, "t": 4, "b": 50 + 20 * n_lines})
    figure.update_layout(legend=legend)
    figure.update_xaxes(
        type="log", title="latency of a 3 s clip on one thread, ms", zeroline=False, tickvals=LATENCY_TICKS_MS
    )
    figure.update_yaxes(tickformat=".0%", title="UAR", zeroline=False)
    return figure


def class_score_radar(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Radar chart: one closed line per model over the emotions.

    Args:
        values: model -> emotion -> value in [0, 1], e.g. F1; the axes are the emotions of the first model.
    """
    figure = go.Figure()
    axes = list(next(iter(values.values())))
    for i, (model, row) in enumerate(values.items()):
        style, dash = _model_style(i)
        figure.add_scatterpolar(
            r=[row[emotion] for emotion in (*axes, axes[0])],
            theta=[emotion_label(emotion) for emotion in (*axes, axes[0])],
            mode="lines+markers",
            line={"color": style.colour, "width": 2, "dash": dash},
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


def _slanted_names(emotions: Iterable[str]) -> dict[str, Any]:
    """Axis of emotions without their symbols: a slanted diamond looks like a square."""
    names = list(emotions)
    return {"tickvals": [emotion_label(name) for name in names], "ticktext": names, "tickangle": -45}


def count_heatmap(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Number of clips per corpus or speaker (row) and emotion (column).

    Args:
        counts: row -> emotion -> clips.
    """
    cells = [[row.get(emotion) or None for emotion in EMOTION_STYLES] for row in counts.values()]
    text = [["" if cell is None else str(cell) for cell in row] for row in cells]
    largest = max((cell for row in cells for cell in row if cell), default=1)
    columns = [emotion_label(emotion) for emotion in EMOTION_STYLES]
    figure = _heatmap(cells, columns, list(counts), text, colorscale="Viridis", zmin=0, zmax=largest)
    figure.update_xaxes(**_slanted_names(EMOTION_STYLES))
    figure = _with_row_layout(figure, list(counts))
    return figure.update_layout(height=figure.layout.height - 4 + CAMERA_HEIGHT, margin_t=CAMERA_HEIGHT)


def emotion_boxplots(groups: Sequence[Mapping], title: str) -> go.Figure:
    """Box plot per emotion and row: 5th percentile, quartiles, median, 95th percentile of the recordings.

    Args:
        groups: of one measure, from summarise_corpora, each with a key "row", the name of its row.
        title: of the axis, with its unit.
    """
    figure = go.Figure()
    for emotion, style in EMOTION_STYLES.items():
        boxes = [group for group in groups if group["emotion"] == emotion]
        if not boxes:
            continue
        figure.add_box(
            y=[group["row"] for group in boxes],
            lowerfence=[group["p5"] for group in boxes],
            q1=[group["q1"] for group in boxes],
            median=[group["median"] for group in boxes],
            q3=[group["q3"] for group in boxes],
            upperfence=[group["p95"] for group in boxes],
            orientation="h",
            name=emotion_label(emotion),
            line={"color": style.colour, "width": 1.5},
        )
    n_rows = len(dict.fromkeys(group["row"] for group in groups))
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    figure.update_layout(boxmode="group", height=110 * n_rows + 130, legend=legend)
    figure.update_layout(margin={"l": 0, "r": 8, "t": 4, "b": 110})
    figure.update_xaxes(title=title, zeroline=False)
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return figure


def score_bars(values: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Grouped bars: a group per row, a bar per column; missing values have no bar.

    Args:
        values: row -> column -> value in [0, 1].
    """
    figure = go.Figure()
    columns = list(dict.fromkeys(column for row in values.values() for column in row))
    for i, column in enumerate(columns):
        scores = {name: row[column] for name, row in values.items() if column in row}
        figure.add_bar(
            x=list(scores.values()),
            y=list(scores),
            orientation="h",
            name=column,
            marker={"color": _model_style(i)[0].colour},
            text=[f"{value:.0%}" for value in scores.values()],
            insidetextfont={"color": text_colour_on(_model_style(i)[0].colour)},
            hovertemplate=f"%{{y}}, {column}: %{{x:.1%}}<extra></extra>",
        )
    figure = _with_row_layout(figure, list(values))
    figure.update_layout(height=20 * len(values) * (len(columns) + 1) + 110, legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
    return figure


def learning_curves(curves: Mapping[str, Sequence[float]], title: str) -> go.Figure:
    """Learning curves: one line per run over its epochs.

    Args:
        curves: run -> one value per epoch.
        title: of the vertical axis.
    """
    figure = go.Figure()
    for i, (name, values) in enumerate(curves.items()):
        style, dash = _model_style(i)
        figure.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=list(values),
            mode="lines+markers",
            line={"color": style.colour, "width": 2, "dash": dash},
            marker={"symbol": style.marker, "size": 7},
            name=name,
            hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
    n_lines = -(-len(curves) // 3)
    figure.update_layout(height=340 + 20 * n_lines, margin={"l": 0, "r": 8, "t": 4, "b": 50 + 20 * n_lines})
    figure.update_layout(legend=legend, showlegend=True)
    longest = max(map(len, curves.values()), default=1)
    figure.update_xaxes(title="epoch", tick0=1, dtick=-(-longest // 10), zeroline=False)  # integer ticks
    figure.update_yaxes(title=title, zeroline=False)
    return figure

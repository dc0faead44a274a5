"""Figures of scores, a row each: rankings, classes, groups of speakers, acoustic measures of the emotions.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plotly import graph_objects as go

from ser_core.data import CORPUS_NAMES, corpus_name
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.model_style import model_style, series_colour
from ser_core.plots.style import (
    GREY,
    LEGEND_BELOW,
    ROWS_AXIS,
    SHARE_AXIS,
    emotion_label,
    text_colour_on,
    with_row_layout,
)

if TYPE_CHECKING:
    from ser_core.evaluation import RankedModel, Verdict
    from ser_core.metrics import Scores

CORPUS_SYMBOLS = {
    "ravdess": "diamond-open",
    "crema_d": "square-open",
    "tess": "triangle-up-open",
    "savee": "cross-open",
    "hindi": "hexagon-open",
    "emovo": "triangle-down-open",
    "turev": "star-open",
    "ased": "pentagon-open",
    "ravdess_song": "bowtie-open",
}
LINES = ("dot", "dash", "dashdot")  # of references
AXIS_TITLE = 40  # pixels
LINES_ABOVE = 50  # pixels of three lines of text over the plot
SCORE_TITLES = {"uar": "UAR", "macro_f1": "macro-F1", "accuracy": "accuracy"}
BOX_COLUMNS = {"y": "row", "lowerfence": "p5", "q1": "q1", "median": "median", "q3": "q3", "upperfence": "p95"}


def ranking_plot(
    ranking: Sequence["RankedModel"], measure: str, references: Mapping[str, float] | None = None
) -> go.Figure:
    """Ranking with one row per model, the best on top: the value of each corpus, and their mean.

    Args:
        ranking: the models, best first.
        measure: "uar", "macro_f1" or "accuracy".
        references: name -> value in [0, 1] of a vertical line, such as chance; a comma in a name breaks its line.
    """
    names, figure = [entry.model for entry in ranking], go.Figure()
    for corpus in dict.fromkeys(corpus for entry in ranking for corpus in entry.corpora):
        scores = {entry.model: entry.corpora[corpus][measure] for entry in ranking if corpus in entry.corpora}
        marker = {"color": GREY, "size": 7, "symbol": CORPUS_SYMBOLS.get(corpus, "circle-open")}
        title = corpus_name(corpus)
        figure.add_scatter(x=[*scores.values()], y=[*scores], mode="markers", marker=marker, name=title)
        figure.data[-1].update(hovertemplate=f"%{{y}}, {title}: %{{x:.1%}}<extra></extra>")
    means = [entry.means[measure] for entry in ranking]
    marker = {"color": [model_style(name).colour for name in names], "symbol": "circle", "size": 14}
    title = "mean of speech"  # short: two entries of the legend are side by side on a phone
    figure.add_scatter(x=means, y=names, mode="markers", marker=marker, text=[f"{mean:.0%}" for mean in means])
    figure.data[-1].update(name=title, textposition="top center", hovertemplate="%{y}: %{x:.1%}<extra></extra>")
    figure = with_row_layout(figure.update_xaxes(**SHARE_AXIS, title=SCORE_TITLES[measure]), names)
    for (name, value), dash in zip((references or {}).items(), LINES, strict=False):
        line = {"color": GREY, "width": 2, "dash": dash}
        above = f"{name}, {value:.1%}".replace(", ", "<br>")
        figure.add_vline(value, line=line, layer="below", annotation_text=above, annotation_position="top")
    if references:
        figure.update_layout(height=figure.layout.height + LINES_ABOVE, margin_t=LINES_ABOVE)
    return figure.update_layout(height=figure.layout.height + AXIS_TITLE)


def _add_references(figure: go.Figure, references: Mapping[str, float], rows: Sequence[str]) -> None:
    """Lines over all rows, each with an entry of the legend."""
    for (name, value), dash in zip(references.items(), LINES, strict=False):
        line = {"color": GREY, "width": 2, "dash": dash}
        figure.add_vline(value, line=line, layer="below")
        figure.add_scatter(x=[None], y=[rows[0]], mode="lines", line=line, name=f"{name}, {value:.1%}")


def verdict_plot(verdict: "Verdict") -> go.Figure:
    """A row a corpus: unseen speakers of it, the corpus left out of training, its listeners, and chance."""
    figure, colour = go.Figure(), model_style(verdict.model).colour
    corpora = [c for c in CORPUS_NAMES if c in verdict.unseen or c in verdict.left_out]
    names = [CORPUS_NAMES[c] for c in corpora]
    for corpus, name in zip(corpora, names, strict=True):
        ends = [values[corpus] for values in (verdict.left_out, verdict.unseen) if corpus in values]
        figure.add_scatter(x=ends, y=[name] * len(ends), mode="lines", line={"color": GREY, "width": 2})
        figure.data[-1].update(showlegend=False, hoverinfo="skip")
    for title, values, look in (
        ("unseen speakers of a corpus it was trained on", verdict.unseen, {"color": colour, "symbol": "circle"}),
        ("corpus left out of training", verdict.left_out, _open_circle(colour)),
        ("one listener, voice alone", verdict.listeners, {"color": GREY, "symbol": "diamond-tall"}),
    ):
        rows = [c for c in corpora if c in values]
        if not rows:
            continue
        x, y = [values[c] for c in rows], [CORPUS_NAMES[c] for c in rows]
        figure.add_scatter(x=x, y=y, mode="markers", marker={"size": 13, **look}, name=title)
        figure.data[-1].update(hovertemplate=f"%{{y}}, {title}: %{{x:.1%}}<extra></extra>")
    _add_references(figure, {"chance": verdict.chance}, names)
    figure = with_row_layout(figure.update_xaxes(**SHARE_AXIS, title="UAR"), names)
    return figure.update_layout(height=figure.layout.height + AXIS_TITLE)


def _open_circle(colour: str) -> dict[str, Any]:
    return {"color": colour, "symbol": "circle-open", "line": {"width": 3}}


def group_intervals(groups: Mapping[str, "Scores"], model: str, references: Mapping[str, float]) -> go.Figure:
    """UAR of each group with its 95 % interval over speakers; without one an open marker.

    Args:
        groups: name -> scores.
        references: as for ranking_plot.
    """
    figure, colour = go.Figure(), model_style(model).colour
    for title, is_known, symbol in (
        ("UAR, 95% interval over speakers", True, "circle"),
        ("UAR, too few speakers for an interval", False, "circle-open"),
    ):
        rows = {name: scores for name, scores in groups.items() if (scores.uar_ci is not None) == is_known}
        if not rows:
            continue
        errors = None
        if is_known:
            bounds = [(s.uar, *s.uar_ci) for s in rows.values() if s.uar_ci]
            high, low = [high - uar for uar, _, high in bounds], [uar - low for uar, low, _ in bounds]
            errors = {"type": "data", "symmetric": False, "array": high, "arrayminus": low, "color": colour}
        marker = {"color": colour, "symbol": symbol, "size": 11}
        figure.add_scatter(x=[s.uar for s in rows.values()], y=list(rows), error_x=errors, mode="markers", name=title)
        figure.data[-1].update(marker=marker, hovertemplate="%{y}: %{x:.1%}<extra></extra>")
    _add_references(figure, references, list(groups))
    figure.update_xaxes(**SHARE_AXIS)
    return with_row_layout(figure, list(groups))


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
    figure.update_xaxes(**SHARE_AXIS)
    return with_row_layout(figure, list(values))


def emotion_boxplots(groups: Sequence[Mapping], title: str) -> go.Figure:
    """Box plot per emotion and row: 5th percentile, quartiles, median, 95th percentile of the recordings.

    Args:
        groups: of one measure, from summarise_corpora, each with a key "row", the name of its row.
        title: of the axis, with its unit.
    """
    figure = go.Figure()
    for emotion, style in EMOTION_STYLES.items():
        boxes = [group for group in groups if group["emotion"] == emotion]
        if boxes:
            columns = {name: [group[key] for group in boxes] for name, key in BOX_COLUMNS.items()}
            line = {"color": style.colour, "width": 1.5}
            figure.add_box(**columns, orientation="h", name=emotion_label(emotion), line=line)
    n_rows = len(dict.fromkeys(group["row"] for group in groups))
    figure.update_layout(boxmode="group", height=110 * n_rows + 130, legend=LEGEND_BELOW | {"traceorder": "normal"})
    figure.update_layout(margin={"l": 0, "r": 8, "t": 4, "b": 110})
    figure.update_xaxes(title=title, zeroline=False)
    return figure.update_yaxes(**ROWS_AXIS)


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
            marker={"color": series_colour(i)},
            text=[f"{value:.0%}" for value in scores.values()],
            insidetextfont={"color": text_colour_on(series_colour(i))},
            hovertemplate=f"%{{y}}, {column}: %{{x:.1%}}<extra></extra>",
        )
    figure = with_row_layout(figure, list(values))
    figure.update_layout(height=20 * len(values) * (len(columns) + 1) + 110, legend={"traceorder": "normal"})
    figure.update_xaxes(**SHARE_AXIS)
    return figure

"""Figures of scores, a row each: rankings, classes, groups of speakers, acoustic measures of the emotions.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plotly import graph_objects as go

from ser_core.data import CORPUS_NAMES
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.clip import GREY, emotion_label, text_colour_on
from ser_core.plots.model_style import model_style, series_colour
from ser_core.plots.rows import with_row_layout

if TYPE_CHECKING:
    from ser_core.evaluation import RankedModel, Verdict
    from ser_core.metrics import Scores

CORPUS_SYMBOLS = {
    "ravdess": "diamond-open",
    "crema_d": "square-open",
    "tess": "triangle-up-open",
    "savee": "cross-open",
}


def ranking_plot(
    ranking: Sequence["RankedModel"], measure: str = "uar", references: Mapping[str, float] | None = None
) -> go.Figure:
    """Ranking with one row per model, the best on top: the value of each corpus, and their mean.

    Args:
        ranking: the models, best first.
        measure: "uar", "macro_f1" or "accuracy".
        references: name -> value in [0, 1] of a vertical line, such as chance.
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
        marker={"color": [model_style(name).colour for name in names], "symbol": "circle", "size": 14},
        text=[f"{entry.means[measure]:.0%}" for entry in ranking],
        textposition="top center",
        name="mean of the corpora of speech",
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    _add_references(figure, references or {}, names)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
    return with_row_layout(figure, names)


def _add_references(figure: go.Figure, references: Mapping[str, float], rows: Sequence[str]) -> None:
    """Lines over all rows, each with an entry of the legend."""
    for (name, value), dash in zip(references.items(), ("dot", "dash", "dashdot"), strict=False):
        line = {"color": GREY, "width": 2, "dash": dash}
        figure.add_vline(value, line=line, layer="below")
        figure.add_scatter(x=[None], y=[rows[0]], mode="lines", line=line, name=f"{name}, {value:.1%}")


def verdict_plot(verdict: "Verdict") -> go.Figure:
    """A row a corpus: unseen speakers of it, the corpus left out of training, its listeners, and chance."""
    figure, style = go.Figure(), model_style(verdict.model)
    corpora = [c for c in CORPUS_NAMES if c in verdict.unseen or c in verdict.left_out]
    names = [CORPUS_NAMES[c] for c in corpora]
    for corpus, name in zip(corpora, names, strict=True):
        ends = [values[corpus] for values in (verdict.left_out, verdict.unseen) if corpus in values]
        figure.add_scatter(x=ends, y=[name] * len(ends), mode="lines", line={"color": GREY, "width": 2})
        figure.data[-1].update(showlegend=False, hoverinfo="skip")
    unseen, left_out = (
        {"color": style.colour, "symbol": "circle", "size": 13},
        {"color": style.colour, "symbol": "circle-open", "size": 13, "line": {"width": 3}},
    )
    people = {"color": GREY, "symbol": "diamond-tall", "size": 13}
    for title, values, marker in (
        ("unseen speakers of a corpus it was trained on", verdict.unseen, unseen),
        ("corpus left out of training", verdict.left_out, left_out),
        ("one listener, voice alone", verdict.listeners, people),
    ):
        rows = [c for c in corpora if c in values]
        x, y = [values[c] for c in rows], [CORPUS_NAMES[c] for c in rows]
        figure.add_scatter(x=x, y=y, mode="markers", marker=marker, name=title)
        figure.data[-1].update(hovertemplate=f"%{{y}}, {title}: %{{x:.1%}}<extra></extra>")
    _add_references(figure, {"chance": verdict.chance}, names)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False, title="UAR")
    figure = with_row_layout(figure, names)
    return figure.update_layout(height=figure.layout.height + 40)


def group_intervals(groups: Mapping[str, "Scores"], model: str, references: Mapping[str, float]) -> go.Figure:
    """UAR of each group with its 95 % interval over speakers; without one an open marker.

    Args:
        groups: name -> scores.
        references: as for ranking_plot.
    """
    figure, colour = go.Figure(), model_style(model).colour
    for title, is_known, symbol in (
        ("UAR, 95 % interval over speakers", True, "circle"),
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
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
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
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
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
            marker={"color": series_colour(i)},
            text=[f"{value:.0%}" for value in scores.values()],
            insidetextfont={"color": text_colour_on(series_colour(i))},
            hovertemplate=f"%{{y}}, {column}: %{{x:.1%}}<extra></extra>",
        )
    figure = with_row_layout(figure, list(values))
    figure.update_layout(height=20 * len(values) * (len(columns) + 1) + 110, legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", zeroline=False)
    return figure

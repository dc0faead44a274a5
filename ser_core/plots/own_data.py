"""Figures of a collection of one's own: predicted emotions, confounds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plotly import graph_objects as go

from ser_core.labels import EMOTION_STYLES
from ser_core.plots.model_style import series_colour
from ser_core.plots.style import GREY, ROW_HEIGHT, ROWS_AXIS, SHARE_AXIS, emotion_label, with_row_layout

if TYPE_CHECKING:
    from ser_core.evaluation import Confound


def emotion_count_bars(counts: Mapping[str, tuple[int, int]]) -> go.Figure:
    """A bar for each emotion: clips predicted with confidence, and paler those on which the model abstains.

    Args:
        counts: emotion -> (clips answered, clips with abstention); emotions without any have no bar.
    """
    figure = go.Figure()
    shown = [emotion for emotion in EMOTION_STYLES if sum(counts.get(emotion, (0, 0)))]
    names = [emotion_label(emotion) for emotion in shown]
    colours = [EMOTION_STYLES[emotion].colour for emotion in shown]
    for i, (title, opacity) in enumerate((("answered", 1.0), ("not sure", 0.35))):
        values = [counts[emotion][i] for emotion in shown]
        totals = [sum(counts[emotion]) for emotion in shown]
        figure.add_bar(x=values, y=names, orientation="h", name=title, marker={"color": colours, "opacity": opacity})
        figure.data[-1].update(hovertemplate=f"%{{y}}, {title}: %{{x}}<extra></extra>")
        if i:
            figure.data[-1].update(text=totals, textposition="outside", cliponaxis=False)
    figure.update_layout(barmode="stack", height=ROW_HEIGHT * len(shown) + 24, showlegend=False, bargap=0.25)
    figure.update_layout(margin={"l": 0, "r": 32, "t": 4, "b": 4})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(**ROWS_AXIS)
    return figure


def confound_bars(confounds: Sequence["Confound"]) -> go.Figure:
    """A bar for each property: the UAR with which it predicts the label by itself; a mark where chance is."""
    figure, names = go.Figure(), [confound.name for confound in confounds]
    colours = [series_colour(4) if confound.gives_away else GREY for confound in confounds]
    figure.add_bar(x=[c.uar for c in confounds], y=names, orientation="h", name="UAR from this alone")
    figure.data[-1].update(marker={"color": colours, "opacity": 0.6}, hovertemplate="%{y}: UAR %{x:.1%}<extra></extra>")
    marker = {"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": series_colour(0)}}
    figure.add_scatter(x=[c.chance for c in confounds], y=names, mode="markers", marker=marker, name="chance")
    figure.data[-1].update(hovertemplate="%{y}, chance: %{x:.1%}<extra></extra>")
    figure.update_xaxes(**SHARE_AXIS)
    return with_row_layout(figure, names)

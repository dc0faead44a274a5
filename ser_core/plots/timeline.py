"""Figures of long trajectories; their time axis has the full width of the page, aligned with that of the player."""

from collections.abc import Mapping, Sequence

import numpy as np
from plotly import graph_objects as go

from ser_core.audio import SpeechSegments
from ser_core.inference import NO_SPEECH, NOT_ANALYSED, NOT_SURE, Segment, Trajectory, speech_mask, window_edges_s
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.clip import GREY, emotion_label, format_time, time_ticks

SPEECH_COLOUR = "#3D78AD"
TIMELINE_HEIGHT, LEGEND_HEIGHT, TICKS_HEIGHT = 300, 72, 24  # pixels
SEGMENT_ROW_HEIGHT = 30
AREAS_DOMAIN, CONFIDENCE_DOMAIN, SPEECH_DOMAIN = (0.34, 1.0), (0.1, 0.27), (0.0, 0.05)  # shares of the height
MIN_SEGMENT_FOR_SYMBOL = 0.012  # of the duration: a narrower block has no space for its symbol


def trajectory_areas(
    trajectory: Trajectory,
    leading_labels: np.ndarray,
    speech: SpeechSegments,
    duration_s: float,
    min_confidence: float = 0.0,
) -> go.Figure:
    """Stacked probabilities of all emotions, confidence of the leading one, and speech segments.

    Each window is drawn over the interval where it is the nearest one; windows without speech are empty. A click
    selects a window.

    Args:
        trajectory: of one model.
        leading_labels: index of the leading label of each window, shape = (n_windows,).
        speech: (start_s, end_s) of each segment.
        duration_s: of the recording.
        min_confidence: abstention threshold, drawn as a dotted line.
    """
    edge_s, has_speech = window_edges_s(trajectory), speech_mask(trajectory)
    confidence = np.take_along_axis(trajectory.probabilities, leading_labels[:, None], 1)[:, 0]
    figure = go.Figure()
    for emotion, values in zip(trajectory.labels, trajectory.probabilities.T, strict=True):
        _add_steps(
            figure, edge_s, np.where(has_speech, values, 0), EMOTION_STYLES[emotion].colour, emotion_label(emotion)
        )
    _add_steps(figure, edge_s, np.where(has_speech, confidence, 0), GREY, None)
    if min_confidence:
        figure.add_hline(min_confidence, yref="y2", line={"dash": "dot", "width": 1, "color": GREY})
    _add_speech(figure, speech)
    _add_hover_bars(figure, trajectory, leading_labels, edge_s)
    return _with_timeline_layout(figure, duration_s)


def _add_steps(figure: go.Figure, edge_s: np.ndarray, values: np.ndarray, colour: str, name: str | None) -> None:
    """Stepped area: with a name, on the stack of emotions; without, on the confidence axis."""
    figure.add_scatter(
        x=edge_s.astype(np.float32),
        y=np.append(values, values[-1:]).astype(np.float32),
        name=name,
        showlegend=name is not None,
        mode="lines",
        line={"shape": "hv", "width": 0, "color": colour},
        fillcolor=colour,
        stackgroup="emotions" if name else "confidence",
        yaxis="y" if name else "y2",
        hoverinfo="skip",
    )


def _add_speech(figure: go.Figure, speech: SpeechSegments) -> None:
    figure.add_bar(
        base=[start_s for start_s, _ in speech],
        x=[end_s - start_s for start_s, end_s in speech],
        y=[0.5] * len(speech),
        width=1,
        orientation="h",
        marker={"color": SPEECH_COLOUR, "line": {"width": 0}},
        yaxis="y3",
        showlegend=False,
        hoverinfo="skip",
    )


def _add_hover_bars(figure: go.Figure, trajectory: Trajectory, leading_labels: np.ndarray, edge_s: np.ndarray) -> None:
    """Transparent bars for hover and selection: an area does not report clicks."""
    transparent = {"marker": {"opacity": 0}}
    figure.add_bar(
        x=(edge_s[1:] + edge_s[:-1]) / 2,
        width=np.diff(edge_s),
        y=np.ones(len(leading_labels)),
        yaxis="y4",
        marker={"opacity": 0},
        selected=transparent,
        unselected=transparent,
        customdata=edge_s[:-1],
        hovertext=_hover_texts(trajectory, leading_labels, edge_s),
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _hover_texts(trajectory: Trajectory, leading_labels: np.ndarray, edge_s: np.ndarray) -> list[str]:
    """Hover text of each window: time, leading and second emotion, or "no speech"."""
    texts = []
    for row, label, has_speech, start_s in zip(
        trajectory.probabilities, leading_labels, speech_mask(trajectory), edge_s.tolist(), strict=False
    ):
        second = int(np.argsort(row)[-2])
        second = int(row.argmax()) if second == label else second
        pair = ", ".join(f"{emotion_label(trajectory.labels[k])} {row[k]:.0%}" for k in (label, second))
        texts.append(f"{format_time(start_s)} {pair if has_speech else NO_SPEECH}")
    return texts


def _with_timeline_layout(figure: go.Figure, duration_s: float) -> go.Figure:
    below = TICKS_HEIGHT + LEGEND_HEIGHT
    figure.update_layout(height=TIMELINE_HEIGHT + below, margin={"l": 0, "r": 0, "t": 4, "b": below})
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0})
    figure.update_layout(hovermode="closest", barmode="overlay", bargap=0)
    hidden = {"range": [0, 1], "fixedrange": True, "zeroline": False, "showgrid": False, "showticklabels": False}
    figure.update_layout(
        yaxis={**hidden, "domain": AREAS_DOMAIN},
        yaxis2={**hidden, "domain": CONFIDENCE_DOMAIN},
        yaxis3={**hidden, "domain": SPEECH_DOMAIN},
        yaxis4={**hidden, "domain": (0, 1), "overlaying": "y"},
    )
    for text, (_, top) in (("confidence", CONFIDENCE_DOMAIN), ("speech", SPEECH_DOMAIN)):
        position = {"x": 0, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        figure.add_annotation(text=text, showarrow=False, **position)
    _set_time_axis(figure, duration_s)
    figure.update_xaxes(anchor="y3")
    return figure


def _set_time_axis(figure: go.Figure, duration_s: float) -> None:
    times_s = time_ticks(duration_s)
    figure.update_xaxes(range=[0, duration_s], tickvals=times_s, ticktext=[format_time(time_s) for time_s in times_s])
    figure.update_xaxes(zeroline=False, automargin=False, fixedrange=True, showgrid=False)
    figure.update_yaxes(automargin=False)


def segment_rows(by_model: Mapping[str, Sequence[Segment]], duration_s: float) -> go.Figure:
    """Segments of each model as coloured blocks with symbols, one row per model, the first on top."""
    figure = go.Figure()
    rows = [(model, segment) for model, segments in by_model.items() for segment in segments]
    labels = dict.fromkeys(segment.label for _, segment in rows)
    for label in labels:
        if label not in (NO_SPEECH, NOT_ANALYSED):
            _add_segments(figure, label, [row for row in rows if row[1].label == label], duration_s)
    n_models = len(by_model)
    figure.update_layout(height=2 * SEGMENT_ROW_HEIGHT * n_models + TICKS_HEIGHT, barmode="overlay", showlegend=False)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": TICKS_HEIGHT})
    figure.update_yaxes(range=[n_models - 0.5, -0.9], showticklabels=False, showgrid=False, fixedrange=True)
    for row, model in enumerate(by_model):
        figure.add_annotation(
            text=model, x=0, y=row - 0.36, xref="paper", xanchor="left", yanchor="bottom", showarrow=False
        )
    _set_time_axis(figure, duration_s)
    return figure


def _add_segments(figure: go.Figure, label: str, rows: Sequence[tuple[str, Segment]], duration_s: float) -> None:
    style = EMOTION_STYLES.get(label)
    symbol = style.symbol if style else "?"
    durations_s = [segment.end_s - segment.start_s for _, segment in rows]
    figure.add_bar(
        base=[segment.start_s for _, segment in rows],
        x=durations_s,
        y=[model for model, _ in rows],
        orientation="h",
        width=0.6,
        marker={"color": style.colour if style else GREY, "opacity": 1.0 if style else 0.3},
        text=[symbol if length_s >= MIN_SEGMENT_FOR_SYMBOL * duration_s else "" for length_s in durations_s],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        insidetextfont={"color": "#FFFFFF" if style else GREY},
        hovertext=[_segment_text(segment) for _, segment in rows],
        hovertemplate="%{y}: %{hovertext}<extra></extra>",
    )


def _segment_text(segment: Segment) -> str:
    emotion = f"{emotion_label(segment.emotion)} {segment.confidence:.0%}"
    label = f"{NOT_SURE} ({emotion})" if segment.label == NOT_SURE else emotion
    return f"{format_time(segment.start_s)} to {format_time(segment.end_s)} {label}"

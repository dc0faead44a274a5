"""Figures of a voice: each measure within its normal range, and two clips over one time axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ser_core.audio import SAMPLE_RATE, measure_prosody
from ser_core.interpret import VOICE_MEASURES, VoiceGroup, VoiceRange
from ser_core.labels import EMOTION_STYLES, format_number
from ser_core.plots.clip.spectrogram import spectrogram
from ser_core.plots.style import GREY, ROWS_AXIS, emotion_label, png_source

if TYPE_CHECKING:
    from ser_core.inference import Prediction

CLIP_COLOURS = ("#3A7CB8", "#A67C1E")  # of the first and the second clip: 3:1 on both themes, no emotion's
CLIP_MARKERS = ("circle", "diamond")
WHITE_EDGE = {"color": "white", "width": 1.5}
STRIP_HEIGHT = 52  # pixels for a measure
MARGIN = 0.4  # of the normal range, drawn on both sides of it; a value further out is drawn at the edge
BAND, MIDDLE = 0.22, 0.34  # opacity of the normal range, and of its middle half
PITCH_TICKS_HZ = (75, 100, 150, 200, 300, 400, 600)


@dataclass(frozen=True)
class NamedVoice:
    """The measures of one clip, and the speakers it is compared with."""

    name: str
    measured: Mapping[str, float]
    group: VoiceGroup  # with the ranges; a measure without one is a number only


def voice_strips(voices: Sequence[NamedVoice]) -> go.Figure:
    """One strip for each measure; each voice lies in the range of its own group, always the same part of the width.

    Args:
        voices: one clip or two.
    """
    names = [n for n in VOICE_MEASURES if any(n in voice.measured for voice in voices)]
    figure = go.Figure()
    shapes, annotations = [], []
    for row, name in enumerate(names):
        shapes += _band(row, name, voices)
        annotations += _texts(row, name, voices)
    figure.update_layout(shapes=shapes, annotations=annotations)  # at once: plotly validates all at each addition
    for i, voice in enumerate(voices):
        _add_values(figure, i, voice, names)
    figure.update_layout(height=STRIP_HEIGHT * len(names) + 34, margin={"l": 2, "r": 2, "t": 2, "b": 2})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 0, "yanchor": "top"}, showlegend=len(voices) > 1)
    figure.update_xaxes(range=[-MARGIN, 1 + MARGIN], visible=False, fixedrange=True)
    figure.update_yaxes(range=[len(names) - 0.4, -0.75], visible=False, fixedrange=True)
    return figure


def _ranges(name: str, voices: Sequence[NamedVoice]) -> list[VoiceRange]:
    """Of a measure: that of each voice, once where they share it."""
    by_sex = {voice.group.sex: voice.group.ranges.get(name) for voice in voices}
    return [found for found in by_sex.values() if found]


def _band(row: int, name: str, voices: Sequence[NamedVoice]) -> list[dict]:
    """The normal range and a line; the middle half only where it is the same for both voices."""
    bar = {"type": "rect", "y0": row - 0.11, "y1": row + 0.11, "line_width": 0, "fillcolor": GREY, "layer": "below"}
    line = {"type": "line", "y0": row, "y1": row, "line": {"color": GREY, "width": 0.5}, "layer": "below"}
    ranges = _ranges(name, voices)
    if not ranges:
        return []
    halves = [(_position(found, found.at(25)), _position(found, found.at(75))) for found in ranges]
    middle = [bar | {"x0": x0, "x1": x1, "opacity": MIDDLE} for x0, x1 in halves if len(halves) == 1]
    return [bar | {"x0": 0, "x1": 1, "opacity": BAND}, *middle, line | {"x0": -MARGIN, "x1": 1 + MARGIN}]


def _texts(row: int, name: str, voices: Sequence[NamedVoice]) -> list[dict]:
    """Above the strip: the measure on the left, the numbers on the right."""
    numbers = [format_value(name, voice.measured[name]) for voice in voices if name in voice.measured]
    values = f"{' · '.join(numbers)} {VOICE_MEASURES[name].unit}"
    normal = " · ".join(format_normal(name, found) for found in _ranges(name, voices))
    normal = f"normal {normal}" if normal else "no normal range"
    text = {"showarrow": False, "y": row - 0.19, "yanchor": "bottom"}
    return [
        text | {"text": f"<b>{VOICE_MEASURES[name].title}</b>", "x": -MARGIN, "xanchor": "left"},
        text | {"text": f"<b>{values}</b>   {normal}", "x": 1 + MARGIN, "xanchor": "right"},
    ]


def _add_values(figure: go.Figure, index: int, voice: NamedVoice, names: list[str]) -> None:
    """A marker on each strip; an arrow at the edge where the value lies beyond."""
    ranges = voice.group.ranges
    rows = [row for row, name in enumerate(names) if name in voice.measured and name in ranges]
    kept = [names[row] for row in rows]
    places = [_position(ranges[name], voice.measured[name]) for name in kept]
    shown = np.clip(places, 0.03 - MARGIN, MARGIN + 0.97)
    symbols = [
        "triangle-left" if place < x else "triangle-right" if place > x else CLIP_MARKERS[index]
        for place, x in zip(places, shown, strict=True)
    ]
    look = {"size": 13, "color": CLIP_COLOURS[index], "line": WHITE_EDGE}
    key = {"symbol": CLIP_MARKERS[index], **look}  # in the legend, whatever the values
    figure.add_scatter(x=[None], y=[None], name=voice.name, mode="markers", marker=key)
    figure.add_scatter(x=shown, y=rows, name=voice.name, mode="markers", marker={"symbol": symbols, **look})
    texts = [_hover(name, voice.measured[name], ranges[name]) for name in kept]
    figure.data[-1].update(showlegend=False, text=texts, hovertemplate="%{text}<extra></extra>")


def _hover(name: str, value: float, found: VoiceRange) -> str:
    title = VOICE_MEASURES[name].title
    return f"{title}: {format_measure(name, value)}, percentile {found.percentile_of(value):.0f}"


def _position(found: VoiceRange, value: float) -> float:
    """0 at the 5th percentile, 1 at the 95th."""
    low, high = found.normal
    return (value - low) / max(high - low, 1e-9)


def format_value(name: str, value: float) -> str:
    """A value of a measure without its unit."""
    return format_number(value, f"z.{VOICE_MEASURES[name].decimals}f")


def format_normal(name: str, found: VoiceRange) -> str:
    """The normal range of a measure without its unit."""
    return " to ".join(format_value(name, edge) for edge in found.normal)


def format_measure(name: str, value: float) -> str:
    """A value of a measure with its unit."""
    return f"{format_value(name, value)} {VOICE_MEASURES[name].unit}"


def two_clips(names: Sequence[str], waveforms: Sequence[np.ndarray], onsets_s: Sequence[float]) -> go.Figure:
    """Spectrograms of two clips one above the other, and their pitch overlaid; both begin with the speech.

    Args:
        names: of the first and the second clip.
        waveforms: 16 kHz, each of shape = (n_samples,).
        onsets_s: begin of the speech in each.

    Returns:
        A figure whose first two traces are the pitch.
    """
    figure = make_subplots(3, 1, shared_xaxes=True, row_heights=[0.3, 0.3, 0.4], vertical_spacing=0.05)
    for i, (name, waveform, onset_s) in enumerate(zip(names, waveforms, onsets_s, strict=True)):
        _add_pitch(figure, i, name, waveform, onset_s)
        corner = {"xref": "x domain", "yref": f"y{i + 1 if i else ''} domain", "x": 0, "y": 1, "showarrow": False}
        corner |= {"xanchor": "left", "yanchor": "top", "bgcolor": CLIP_COLOURS[i], "font": {"color": "white"}}
        figure.add_annotation(corner | {"text": f" <b>{name}</b> "})
    for row, (waveform, onset_s) in enumerate(zip(waveforms, onsets_s, strict=True), 1):
        _add_spectrogram(figure, row, waveform, onset_s)
    ends = [len(waveform) / SAMPLE_RATE - onset for waveform, onset in zip(waveforms, onsets_s, strict=True)]
    figure.update_xaxes(range=[-max(onsets_s), max(ends)], zeroline=False, showgrid=False)
    figure.update_xaxes(title="seconds from the first speech", row=3)
    ticks = {"tickvals": np.log2(PITCH_TICKS_HZ), "ticktext": [f"{hz} Hz" for hz in PITCH_TICKS_HZ]}
    figure.update_yaxes(ticks, row=3, ticklabelposition="inside top", zeroline=False)
    for row in (1, 2):
        figure.update_yaxes(range=[0, 1], visible=False, fixedrange=True, row=row)
    figure.update_layout(height=430, margin={"l": 0, "r": 0, "t": 4, "b": 40}, showlegend=False, hovermode="closest")
    return figure


def _add_spectrogram(figure: go.Figure, row: int, waveform: np.ndarray, onset_s: float) -> None:
    """As an image of the same scale in time as the other clip's."""
    duration_s = len(waveform) / SAMPLE_RATE
    place = {"x": -onset_s, "y": 1, "sizex": duration_s, "sizey": 1, "sizing": "stretch", "layer": "below"}
    figure.add_layout_image(place, source=png_source(spectrogram(waveform).png), row=row, col=1)
    figure.add_scatter(
        x=[-onset_s, duration_s - onset_s], y=[0, 0], mode="markers", opacity=0, hoverinfo="skip", row=row, col=1
    )


def _add_pitch(figure: go.Figure, index: int, name: str, waveform: np.ndarray, onset_s: float) -> None:
    """In octaves, so that the same melody has the same shape at any height."""
    prosody = measure_prosody(waveform)
    figure.add_scatter(
        x=np.round(prosody.time_s - onset_s, 3),
        y=np.log2(prosody.pitch_hz),
        name=name,
        mode="lines+markers",  # a run of a single frame is seen too
        connectgaps=False,
        line={"color": CLIP_COLOURS[index], "width": 3},
        marker={"symbol": CLIP_MARKERS[index], "size": (3, 7)[index]},
        customdata=np.round(prosody.pitch_hz),
        hovertemplate=f"{name}: %{{customdata}} Hz at %{{x:.2f}} s<extra></extra>",
        row=3,
        col=1,
    )


def probability_differences(first: "Prediction", second: "Prediction") -> go.Figure:
    """A line for each emotion from the probability of the first clip to that of the second."""
    names = list(first.probabilities)
    figure = go.Figure()
    for name in names:
        ends = {"x": [first.probabilities[name], second.probabilities[name]], "y": [emotion_label(name)] * 2}
        line = {"color": EMOTION_STYLES[name].colour, "width": 4}
        figure.add_scatter(**ends, mode="lines", line=line, showlegend=False, hoverinfo="skip")
    for i, (clip, prediction) in enumerate(zip("AB", (first, second), strict=True)):
        figure.add_scatter(
            x=[prediction.probabilities[name] for name in names],
            y=[emotion_label(name) for name in names],
            name=clip,
            mode="markers",
            marker={"symbol": CLIP_MARKERS[i], "size": 11, "color": CLIP_COLOURS[i], "line": WHITE_EDGE},
            hovertemplate=f"{clip}: %{{y}} %{{x:.0%}}<extra></extra>",
        )
    figure.update_layout(height=28 * len(names) + 60, margin={"l": 0, "r": 8, "t": 4, "b": 24})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.1, "yanchor": "top"})
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True, zeroline=False)
    figure.update_yaxes(fixedrange=True, **ROWS_AXIS)
    return figure

"""Figures of a report: the timeline that follows the sound, and the answers of a batch."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ser_core.audio import SAMPLE_RATE
from ser_core.inference import NO_SPEECH, NOT_SURE
from ser_core.labels import EMOTIONS
from ser_core.plots.clip.spectrogram import spectrogram, waveform_envelope
from ser_core.plots.style import GREY, ROWS_AXIS, emotion_label, format_time, label_colour, png_source, time_ticks

WAVEFORM_COLUMNS = 800
GRID = "rgba(138,143,152,0.35)"  # visible on white and on black


def fit_to_report(figure: go.Figure) -> None:
    """Adapts a figure of the pages: any background, and room for the names along the axes."""
    figure.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", autosize=True)
    figure.update_xaxes(gridcolor=GRID, automargin=True)
    figure.update_yaxes(gridcolor=GRID, automargin=True)


def sound_timeline(waveform: np.ndarray) -> go.Figure:
    """Waveform and spectrogram over one time axis; the first shape is the cursor.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
    """
    duration_s = len(waveform) / SAMPLE_RATE
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.35, 0.65], vertical_spacing=0.03)
    low, high = waveform_envelope(waveform, WAVEFORM_COLUMNS)
    time_s = np.linspace(0, duration_s, len(low)).round(4)
    line = {"mode": "lines", "line": {"color": GREY, "width": 1}}
    for values, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(**line, x=time_s, y=values.round(4), fill=fill, hovertemplate="%{x:.2f} s<extra></extra>")
    place = {"x": 0, "y": 1, "sizex": duration_s, "sizey": 1, "sizing": "stretch", "layer": "below"}
    figure.add_layout_image(place, source=png_source(spectrogram(waveform).png), row=2, col=1)
    hover = {"mode": "markers", "opacity": 0, "hovertemplate": "%{x:.2f} s<extra></extra>"}
    figure.add_scatter(**hover, x=time_s, y=np.full(len(time_s), 0.5), row=2, col=1)
    cursor = {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "xref": "x2", "yref": "paper"}
    figure.add_shape(cursor | {"line": {"color": "#D55E00", "width": 2}})
    ticks_s = time_ticks(duration_s)
    figure.update_xaxes(range=[0, duration_s], zeroline=False, showgrid=False)
    figure.update_xaxes(tickvals=ticks_s, ticktext=[format_time(time) for time in ticks_s], row=2)
    figure.update_yaxes(visible=False, fixedrange=True)
    figure.update_yaxes(range=[0, 1], row=2)
    figure.update_layout(height=300, margin={"l": 0, "r": 0, "t": 4, "b": 24}, showlegend=False, hovermode="x")
    return figure


def label_count_bars(labels: Sequence[str]) -> go.Figure:
    """One bar for each emotion, and for those without one."""
    counts = Counter(labels)
    names = [name for name in (*EMOTIONS, NOT_SURE, NO_SPEECH) if counts[name]]
    colours, titles = [label_colour(name) for name in names], [emotion_label(name) for name in names]
    values = [counts[name] for name in names]
    figure = go.Figure(
        go.Bar(x=values, y=titles, orientation="h", marker_color=colours, text=values, textposition="outside")
    )
    figure.update_layout(height=30 * len(names) + 40, margin={"l": 0, "r": 30, "t": 4, "b": 24}, bargap=0.3)
    figure.update_xaxes(visible=False, range=[0, 1.08 * max(values)], fixedrange=True)
    figure.update_yaxes(**ROWS_AXIS, fixedrange=True)
    return figure

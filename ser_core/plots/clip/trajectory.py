"""The probabilities of the emotions over time, aligned with the player.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

import numpy as np
from plotly import graph_objects as go

from ser_core.inference import Trajectory, speech_mask
from ser_core.labels import EMOTION_STYLES
from ser_core.plots.style import LEGEND_BELOW, emotion_label, format_time, time_ticks

MIN_PEAK_TO_SHOW = 0.25  # emotions below it are hidden at first, except the three most probable
MAX_MARKERS = 100  # windows; more would hide the lines and slow down the browser


def trajectory_lines(trajectory: Trajectory, duration_s: float) -> go.Figure:
    """Probability of each emotion over time, at the centres of the windows; interrupted in windows without speech.

    Emotions with low probabilities are hidden until the legend is clicked. The plot fills the full width, so that its
    time axis is aligned with that of the player.
    """
    centre_s, has_speech = (trajectory.start_s + trajectory.end_s) / 2, speech_mask(trajectory)
    peaks = trajectory.probabilities[has_speech].max(0, initial=0.0)
    min_peak = min(MIN_PEAK_TO_SHOW, np.sort(peaks)[-3])
    figure = go.Figure()
    for emotion, values, peak in zip(trajectory.labels, trajectory.probabilities.T, peaks, strict=True):
        style = EMOTION_STYLES[emotion]
        figure.add_scatter(
            x=centre_s,
            y=np.where(has_speech, values, np.nan),
            name=emotion_label(emotion),
            mode="lines+markers" if len(centre_s) <= MAX_MARKERS else "lines",
            line={"color": style.colour, "width": 2},
            marker={"symbol": style.marker, "size": 7},
            unselected={"marker": {"opacity": 1}},
            visible=True if peak >= min_peak else "legendonly",
            hovertemplate=f"{emotion} %{{y:.0%}} at %{{x:.1f}} s<extra></extra>",
        )
    return _with_trajectory_layout(figure, duration_s, float(peaks.max()))


def _with_trajectory_layout(figure: go.Figure, duration_s: float, peak: float) -> go.Figure:
    top, ticks_s = max(0.5, peak) + 0.12, time_ticks(duration_s)  # space for the label above the highest grid line
    figure.update_layout(height=288, margin={"l": 0, "r": 0, "t": 4, "b": 92}, hovermode="closest", legend=LEGEND_BELOW)
    figure.update_xaxes(range=[0, duration_s], tickvals=ticks_s, ticktext=[format_time(time_s) for time_s in ticks_s])
    figure.update_xaxes(zeroline=False, automargin=False)
    figure.update_yaxes(range=[0, top], tickformat=".0%", dtick=0.25, tick0=0, fixedrange=True, zeroline=False)
    return figure.update_yaxes(ticklabelposition="inside top")

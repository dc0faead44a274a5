"""Figures of one clip: spectrogram, envelope, probabilities of models, trajectory.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from plotly import graph_objects as go
from plotly.colors import hex_to_rgb, sample_colorscale, unlabel_rgb
from torch.nn import functional as F

from ser_core.audio import FrontendConfig, LogMel, hz_to_mel
from ser_core.labels import EMOTION_STYLES, format_probability

if TYPE_CHECKING:
    from ser_core.inference import Prediction, Trajectory

MAX_IMAGE_COLUMNS = 1200  # enough for a wide screen; longer recordings are averaged
MAX_FRAMES_PER_COLUMN = 8  # bounds the computation for an hour to that for a minute
MIN_HOP_LENGTH = 64  # samples; finer frames would be redundant
SPECTROGRAM_FRONTEND = FrontendConfig(n_fft=1024, win_length=1024, n_mels=96, top_db=70.0)  # 64 ms resolve harmonics
MIN_CEILING_DB = -20.0  # silence stays black instead of showing rounding noise
FREQUENCY_TICKS_HZ = (250, 1000, 2000, 4000)

MIN_PEAK_TO_SHOW = 0.25  # emotions below it are hidden at first, except the three most probable
MIN_BAR_FOR_SYMBOL = 0.08  # a narrower segment of a bar has no space for its symbol
MAX_MARKERS = 100  # windows; more would hide the lines and slow down the browser
TIME_TICK_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
MAX_TIME_TICKS = 7
BLACK, WHITE = "#000000", "#FFFFFF"
GREY = "#8A8F98"  # legible on white and on black
ROW_HEIGHT = 26  # pixels per model


@dataclass(frozen=True)
class Spectrogram:
    """Mel spectrogram as an image whose width is the full recording."""

    png: bytes
    frequency_ticks: tuple[tuple[int, float], ...]
    """Ticks of the frequency axis: (frequency in Hz, position in 0..1 from the bottom)."""


def spectrogram(waveform: np.ndarray, n_columns: int = MAX_IMAGE_COLUMNS) -> Spectrogram:
    """Mel spectrogram of a 16 kHz waveform in the colours of magma.

    Args:
        waveform: shape = (n_samples,); the hop grows with the duration, so the computation is bounded.
        n_columns: maximum width in pixels.
    """
    hop = max(MIN_HOP_LENGTH, len(waveform) // (n_columns * MAX_FRAMES_PER_COLUMN))
    config = replace(SPECTROGRAM_FRONTEND, hop_length=hop)
    with torch.inference_mode():
        frames_db = LogMel(config).decibels(torch.from_numpy(waveform)[None])
        level_db = F.adaptive_avg_pool1d(frames_db, min(n_columns, frames_db.shape[-1]))[0].numpy()
    ceiling_db = max(float(level_db.max()), MIN_CEILING_DB)
    above_floor = 1 + (level_db - ceiling_db) / config.top_db
    nyquist = hz_to_mel(config.fmax)
    ticks = tuple((hertz, float(hz_to_mel(hertz) / nyquist)) for hertz in FREQUENCY_TICKS_HZ)
    return Spectrogram(magma_png(above_floor[::-1]), ticks)


def magma_png(values: np.ndarray) -> bytes:
    """Values in 0..1, shape = (height, width), as a PNG in the colours of magma."""
    image = Image.fromarray(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8))
    image.putpalette([channel for colour in magma_colours() for channel in colour])
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def magma_colours() -> list[tuple[int, int, int]]:
    """The 256 colours of magma, (red, green, blue) in 0..255, from dark to bright."""
    colours = sample_colorscale("Magma", np.linspace(0, 1, 256).tolist())
    return [tuple(round(channel) for channel in unlabel_rgb(colour)) for colour in colours]


def waveform_envelope(waveform: np.ndarray, n_columns: int = MAX_IMAGE_COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Minimum and maximum of each of n_columns equal intervals.

    Args:
        waveform: shape = (n_samples,), not empty.

    Returns:
        (low, high), each of shape (min(n_columns, n_samples),).
    """
    starts = np.linspace(0, len(waveform), min(n_columns, len(waveform)), endpoint=False).astype(int)
    return np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)


def format_time(time_s: float) -> str:
    """Minutes and seconds, as on the player: 1:05, or 1:05.3 with tenths other than zero."""
    minutes, tenths = divmod(round(10 * time_s), 600)
    return f"{minutes}:{tenths // 10:02d}" + (f".{tenths % 10}" if tenths % 10 else "")


def format_duration(duration_s: float) -> str:
    """Duration for a text: 12.5 s, or 2 min 5 s from one minute on."""
    return f"{duration_s:.1f} s" if duration_s < 60 else f"{int(duration_s // 60)} min {duration_s % 60:.0f} s"


def time_ticks(duration_s: float) -> list[float]:
    """Tick positions of a time axis in seconds."""
    step_s = next((step for step in TIME_TICK_STEPS_S if duration_s / step <= MAX_TIME_TICKS), TIME_TICK_STEPS_S[-1])
    return [k * step_s for k in range(1, int(duration_s / step_s) + 1)]


def text_colour_on(colour: str) -> str:
    """Black or white, by higher contrast with "#rrggbb" or "rgb(r, g, b)": at least 4.5:1 (WCAG 2.2)."""
    channels = [value / 255 for value in (hex_to_rgb if colour.startswith("#") else unlabel_rgb)(colour)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else WHITE


def emotion_label(emotion: str) -> str:
    """Symbol and name of an emotion, as in axes and legends."""
    return f"{EMOTION_STYLES[emotion].symbol} {emotion}"


def probability_bars(prediction: "Prediction", min_confidence: float | None = None) -> go.Figure:
    """One bar per emotion in the order of EMOTIONS; the predicted one in full colour, unless the model abstains.

    Args:
        prediction: of one model.
        min_confidence: abstention threshold, drawn as a dotted line.
    """
    names = list(prediction.probabilities)
    values = [prediction.probabilities[name] for name in names]
    predicted = None if prediction.abstain else prediction.emotion
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[emotion_label(name) for name in names],
            orientation="h",
            marker={
                "color": [EMOTION_STYLES[name].colour for name in names],
                "opacity": [1.0 if name == predicted else 0.55 for name in names],
            },
            text=[format_probability(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    if min_confidence is not None:
        figure.add_vline(min_confidence, line={"dash": "dot", "width": 1, "color": GREY}, layer="below")
    figure.update_layout(height=28 * len(names) + 28, margin={"l": 0, "r": 36, "t": 4, "b": 24}, bargap=0.3)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True, zeroline=False)
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticksuffix=" ")
    return figure


def aligned_probability_bars(predictions: Sequence["Prediction"]) -> go.Figure:
    """One row per model, one column per emotion from 0 to 1, so that the bars of an emotion are aligned.

    The predicted emotion is in full colour; a model that abstains has none.
    """
    emotions, names = list(predictions[0].probabilities), [prediction.model for prediction in predictions]
    figure = go.Figure()
    for column, emotion in enumerate(emotions):
        predicted = [not p.abstain and p.emotion == emotion for p in predictions]
        figure.add_bar(
            x=[prediction.probabilities[emotion] for prediction in predictions],
            base=[column] * len(names),
            y=names,
            orientation="h",
            name=emotion_label(emotion),
            marker={"color": EMOTION_STYLES[emotion].colour, "opacity": [1.0 if hit else 0.4 for hit in predicted]},
            customdata=[prediction.probabilities[emotion] for prediction in predictions],
            hovertemplate=f"%{{y}}: {emotion} %{{customdata:.1%}}<extra></extra>",
        )
    edge = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "opacity": 0.35, "layer": "below"}
    edge |= {"line": {"width": 1, "color": GREY}}
    figure.update_layout(shapes=[edge | {"x0": column, "x1": column} for column in range(len(emotions) + 1)])
    figure.update_layout(barmode="overlay", bargap=0.25, margin={"l": 0, "r": 4, "t": 4, "b": 4}, showlegend=False)
    figure.update_layout(height=ROW_HEIGHT * len(names) + 70)
    middles = [column + 0.5 for column in range(len(emotions))]
    figure.update_xaxes(
        range=[0, len(emotions)],
        tickvals=middles,
        ticktext=[emotion_label(emotion) for emotion in emotions],
        side="top",
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticksuffix=" ")
    return figure


def features_png(bands: np.ndarray) -> bytes:
    """Front-end features as a PNG: low bands at the bottom, clipped to the 1st and 99th percentile.

    Args:
        bands: shape = (n_bands, n_frames).
    """
    low, high = np.quantile(bands, [0.01, 0.99])
    return magma_png((bands[::-1] - low) / max(float(high - low), 1e-6))


def stacked_probability_bars(predictions: Sequence["Prediction"]) -> go.Figure:
    """Stacked probabilities, one row per model, the first on top; the predicted emotion in full colour.

    A model that abstains has no emotion in full colour.
    """
    names = [prediction.model for prediction in predictions]
    figure = go.Figure()
    for emotion in predictions[0].probabilities:
        values = [prediction.probabilities[emotion] for prediction in predictions]
        predicted = [not p.abstain and p.emotion == emotion for p in predictions]
        figure.add_bar(
            x=values,
            y=names,
            orientation="h",
            name=emotion_label(emotion),
            marker={"color": EMOTION_STYLES[emotion].colour, "opacity": [1.0 if hit else 0.4 for hit in predicted]},
            text=[EMOTION_STYLES[emotion].symbol if value >= MIN_BAR_FOR_SYMBOL else "" for value in values],
            textposition="inside",
            textangle=0,
            insidetextanchor="middle",
            hovertemplate=f"%{{y}}: {emotion} %{{x:.1%}}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.25, margin={"l": 0, "r": 0, "t": 4, "b": 80})
    figure.update_layout(height=ROW_HEIGHT * len(names) + 110)
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    figure.update_layout(legend=legend)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], fixedrange=True, zeroline=False)
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticksuffix=" ")
    return figure


def trajectory_lines(trajectory: "Trajectory", duration_s: float) -> go.Figure:
    """Probability of each emotion over time, at the centres of the windows; interrupted in windows without speech.

    Emotions with low probabilities are hidden until the legend is clicked. The plot fills the full width, so that its
    time axis is aligned with that of the player.
    """
    centre_s = (trajectory.start_s + trajectory.end_s) / 2
    has_speech = trajectory.speech_s > 0
    peaks = trajectory.probabilities[has_speech].max(0, initial=0.0)
    min_peak = min(MIN_PEAK_TO_SHOW, np.sort(peaks)[-3])
    figure = go.Figure()
    for emotion, values, peak in zip(trajectory.labels, trajectory.probabilities.T, peaks, strict=True):
        figure.add_scatter(
            x=centre_s,
            y=np.where(has_speech, values, np.nan),
            name=emotion_label(emotion),
            mode="lines+markers" if len(centre_s) <= MAX_MARKERS else "lines",
            line={"color": EMOTION_STYLES[emotion].colour, "width": 2},
            marker={"symbol": EMOTION_STYLES[emotion].marker, "size": 7},
            unselected={"marker": {"opacity": 1}},
            visible=True if peak >= min_peak else "legendonly",
            hovertemplate=f"{emotion} %{{y:.0%}} at %{{x:.1f}} s<extra></extra>",
        )
    top = max(0.5, peaks.max()) + 0.12  # space for the label above the highest grid line
    figure.update_layout(height=288, margin={"l": 0, "r": 0, "t": 4, "b": 92}, hovermode="closest")
    figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0})
    ticks_s = time_ticks(duration_s)
    figure.update_xaxes(range=[0, duration_s], tickvals=ticks_s, ticktext=[format_time(time_s) for time_s in ticks_s])
    figure.update_xaxes(zeroline=False, automargin=False)
    figure.update_yaxes(range=[0, top], tickformat=".0%", dtick=0.25, tick0=0, fixedrange=True, zeroline=False)
    figure.update_yaxes(ticklabelposition="inside top")
    return figure

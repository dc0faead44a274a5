"""Figures of attribution: relevance map, faithfulness curves, perturbation probes.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ser_core.audio import FrontendConfig, hz_to_mel
from ser_core.interpret import FaithfulnessCurves, PerturbationProbe, mel_band_centres_hz
from ser_core.labels import EMOTION_STYLES, format_number
from ser_core.plots.clip.spectrogram import Spectrogram
from ser_core.plots.clip.trajectory import MIN_PEAK_TO_SHOW
from ser_core.plots.style import GREY, LEGEND_BELOW, emotion_label, format_frequency, png_source

if TYPE_CHECKING:
    from ser_core.interpret import Explanation

SUPPORTING_COLOUR, OPPOSING_COLOUR = "#1E96F0", "#FF8A1F"  # apart for the colour-blind too, and from grey
RELEVANCE_COLOURS = [[0.0, OPPOSING_COLOUR], [0.5, "rgba(0,0,0,0)"], [1.0, SUPPORTING_COLOUR]]
RELEVANCE_CLIP_QUANTILE = 0.97  # of the relevance, drawn in full colour: outliers would leave the rest pale
RELEVANCE_MAP_HEIGHT = 380  # pixels


def describe_relevance(explanation: "Explanation", frontend: FrontendConfig) -> str:
    """Text: time and frequency range of half of the supporting relevance; "" if there is none."""
    supporting = np.maximum(explanation.relevance, 0)
    if not supporting.any():
        return ""
    first, last = half_mass_interval(supporting.sum(0))
    times = f"from {first * explanation.hop_s:.1f} to {(last + 1) * explanation.hop_s:.1f} s of the window"
    if len(supporting) == 1:
        return times
    low_hz, high_hz = mel_band_centres_hz(frontend)[list(half_mass_interval(supporting.sum(1)))]
    return f"{times}, and half between {round(low_hz, -1):.0f} and {round(high_hz, -1):.0f} Hz"


def half_mass_interval(profile: np.ndarray) -> tuple[int, int]:
    """Shortest interval with half of the mass of a profile: (first, last), both inclusive.

    Args:
        profile: non-negative, not all zero, shape = (n,).
    """
    cumulative = np.append(0.0, np.cumsum(profile))
    half = cumulative[-1] / 2
    ends = np.searchsorted(cumulative, cumulative[:-1] + half * (1 - 1e-9))  # tolerates rounding errors of the sum
    first = min(np.flatnonzero(ends <= len(profile)).tolist(), key=lambda i: ends[i] - i)
    return first, int(ends[first]) - 1


def relevance_map(
    explanation: "Explanation", spectrogram: Spectrogram, frontend: FrontendConfig, opacity: float
) -> go.Figure:
    """Relevance map over the spectrogram of its window, with marginal profiles over time and frequency.

    Args:
        explanation: the relevance, shape = (n_bands, n_frames).
        spectrogram: of the window only.
        frontend: defines the mel bands.
        opacity: of the map, in [0, 1].
    """
    n_bands, n_frames = explanation.relevance.shape
    sizes = {"column_widths": [0.84, 0.16], "row_heights": [0.2, 0.8]}
    figure = make_subplots(2, 2, shared_xaxes=True, shared_yaxes=True, **sizes, **_panel_spacing())
    time_s = explanation.hop_s * np.arange(n_frames)
    height = np.array([0.5]) if n_bands == 1 else _mel_height(mel_band_centres_hz(frontend), frontend)
    _add_spectrogram(figure, spectrogram, time_s)
    _add_relevance(figure, time_s, height, explanation.relevance, opacity)
    _add_profile(figure, time_s, explanation.over_time, 1, 1)
    if n_bands > 1:
        _add_profile(figure, height, explanation.over_frequency, 2, 2, mel_band_centres_hz(frontend))
    return _with_relevance_axes(figure, spectrogram, time_s)


def _add_relevance(
    figure: go.Figure, time_s: np.ndarray, height: np.ndarray, relevance: np.ndarray, opacity: float
) -> None:
    limit = _relevance_limit(relevance)
    figure.add_heatmap(
        x=time_s,
        y=height,
        z=relevance.astype(np.float32),
        zmin=-limit,
        zmax=limit,
        colorscale=RELEVANCE_COLOURS,
        opacity=opacity,
        showscale=False,
        hovertemplate="%{x:.2f} s: %{z:.3g}<extra></extra>",
        row=2,
        col=1,
    )


def _panel_spacing() -> dict[str, float]:
    return {"horizontal_spacing": 0.015, "vertical_spacing": 0.03}


def _mel_height(hertz: np.ndarray, frontend: FrontendConfig) -> np.ndarray:
    """Position on the mel axis of the spectrogram, 0..1 from the bottom."""
    return hz_to_mel(hertz) / hz_to_mel(frontend.fmax)


def _relevance_limit(values: np.ndarray) -> float:
    return float(np.quantile(np.abs(values), RELEVANCE_CLIP_QUANTILE)) or 1.0


def _add_spectrogram(figure: go.Figure, spectrogram: Spectrogram, time_s: np.ndarray) -> None:
    source = png_source(_in_grey(spectrogram.png))
    position = {"x": time_s[0], "y": 1, "sizex": time_s[-1] - time_s[0], "sizey": 1, "sizing": "stretch"}
    figure.add_layout_image(source=source, xref="x3", yref="y3", layer="below", **position)


def _in_grey(png: bytes) -> bytes:
    """The image without colour: colours belong to the map over it."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("L").save(file, "PNG")
    return file.getvalue()


def _add_profile(
    figure: go.Figure, position: np.ndarray, values: np.ndarray, row: int, col: int, hertz: np.ndarray | None = None
) -> None:
    """Positive and negative part of a profile as areas; over frequency if `hertz` is given, else over time."""
    for part, colour in ((np.maximum(values, 0), SUPPORTING_COLOUR), (np.minimum(values, 0), OPPOSING_COLOUR)):
        line = {"color": colour, "width": 1}
        if hertz is None:
            data = {"x": position, "y": part, "fill": "tozeroy", "hovertemplate": "%{x:.2f} s: %{y:.3g}<extra></extra>"}
        else:
            data = {"x": part, "y": position, "fill": "tozerox", "customdata": hertz.round()}
            data["hovertemplate"] = "%{customdata} Hz: %{x:.3g}<extra></extra>"
        figure.add_scatter(mode="lines", line=line, showlegend=False, row=row, col=col, **data)


def _with_relevance_axes(figure: go.Figure, spectrogram: Spectrogram, time_s: np.ndarray) -> go.Figure:
    hertz, heights = zip(*spectrogram.frequency_ticks, strict=True)
    ticks = {"tickvals": heights, "ticktext": [f"{format_frequency(hz)} " for hz in hertz]}
    figure.update_layout(height=RELEVANCE_MAP_HEIGHT, margin={"l": 0, "r": 0, "t": 4, "b": 24}, hovermode="closest")
    figure.update_xaxes(range=[time_s[0], time_s[-1]], showgrid=False, zeroline=False, fixedrange=True, col=1)
    figure.update_xaxes(showticklabels=False, zeroline=True, zerolinecolor=GREY, fixedrange=True, col=2)
    figure.update_xaxes(ticksuffix=" s", nticks=6, row=2, col=1)
    figure.update_yaxes(range=[0, 1], showgrid=False, zeroline=False, fixedrange=True, row=2)
    figure.update_yaxes(**ticks, row=2, col=1)
    figure.update_yaxes(showticklabels=False, zeroline=True, zerolinecolor=GREY, fixedrange=True, row=1)
    figure.update_xaxes(visible=False, row=1, col=2)
    figure.update_yaxes(visible=False, row=1, col=2)
    return figure


def faithfulness_lines(faithfulness: FaithfulnessCurves, emotion: str) -> go.Figure:
    """Deletion and insertion curves: probability of the emotion over the share kept or removed, by map and random."""
    figure = go.Figure()
    kept, removed = EMOTION_STYLES["sad"], EMOTION_STYLES["angry"]
    for name, values, style, dash in (
        ("relevant part kept", faithfulness.kept, kept, "solid"),
        ("random part kept", faithfulness.kept_at_random, kept, "dot"),
        ("relevant part removed", faithfulness.removed, removed, "solid"),
        ("random part removed", faithfulness.removed_at_random, removed, "dot"),
    ):
        figure.add_scatter(
            x=faithfulness.shares,
            y=values,
            name=name,
            mode="lines+markers",
            line={"color": style.colour, "width": 2 if dash == "solid" else 1.5, "dash": dash},
            marker={"symbol": style.marker, "size": 8 if dash == "solid" else 6},
            hovertemplate=f"{name}: %{{x:.0%}} of the spectrogram, {emotion} %{{y:.0%}}<extra></extra>",
        )
    figure.update_xaxes(tickformat=".0%", title="share of the spectrogram", zeroline=False)
    return _probability_axis(figure, emotion_label(emotion))


def probe_lines(probe: PerturbationProbe, probabilities: np.ndarray, labels: Sequence[str]) -> go.Figure:
    """Probability of each emotion over the values of a perturbation probe, at equal distances in its order.

    Emotions with low probabilities are hidden until the legend is clicked.

    Args:
        probabilities: shape = (n_values, n_classes).
    """
    figure = go.Figure()
    peaks = probabilities.max(0)
    min_peak = min(MIN_PEAK_TO_SHOW, np.sort(peaks)[-3])
    for emotion, values, peak in zip(labels, probabilities.T, peaks, strict=True):
        figure.add_scatter(
            x=[f"{value:g}" for value in probe.values],
            y=values,
            name=emotion_label(emotion),
            mode="lines+markers",
            line={"color": EMOTION_STYLES[emotion].colour, "width": 2},
            marker={"symbol": EMOTION_STYLES[emotion].marker, "size": 8},
            visible=True if peak >= min_peak else "legendonly",
            hovertemplate=f"{emotion} %{{y:.0%}} at %{{x}}<extra></extra>",
        )
    if probe.identity_value is not None:
        figure.add_vline(probe.values.index(probe.identity_value), line={"dash": "dot", "width": 1, "color": GREY})
    ticks = {"tickvals": figure.data[0].x, "ticktext": [format_number(value) for value in probe.values]}
    figure.update_xaxes(type="category", title=probe.title, zeroline=False, **ticks)
    return _probability_axis(figure, "probability")


def _probability_axis(figure: go.Figure, title: str) -> go.Figure:
    margin = {"l": 0, "r": 8, "t": 4, "b": 100}
    figure.update_layout(height=330, margin=margin, legend=LEGEND_BELOW, hovermode="closest")
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", dtick=0.25, title=title, fixedrange=True, zeroline=False)
    return figure

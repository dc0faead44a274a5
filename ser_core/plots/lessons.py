"""Figures of the page "Learn": mel filters, spectra, feature maps, the circumplex, unseen speakers.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ser_core.audio import SAMPLE_RATE, hz_to_mel
from ser_core.interpret import CIRCUMPLEX_COORDINATES, LESSON_TOP_DB, mel_band_edges_hz
from ser_core.labels import EMOTION_STYLES, format_probability
from ser_core.plots.clip.spectrogram import FREQUENCY_TICKS_HZ, magma_png
from ser_core.plots.model_style import series_colour
from ser_core.plots.style import GREY, LEGEND_BELOW, ROWS_AXIS, emotion_label, format_frequency, png_source

if TYPE_CHECKING:
    from ser_core.audio import Prosody

MIN_IMAGE_ROWS = 256  # pixels: an image of few bands is enlarged in blocks, not blurred by the browser
FEATURE_MAP_COLUMNS = 4
FEATURE_MAP_HEIGHT = 118  # pixels
FEATURE_MAP_GAP = 0.02  # between tiles, of the width
NARROW_MARGIN = {"l": 0, "r": 0, "t": 4, "b": 32}
FIRST_COLOUR, SECOND_COLOUR = EMOTION_STYLES["sad"].colour, EMOTION_STYLES["angry"].colour  # colour-blind safe


def log_mel_image(level_db: np.ndarray, fmax: float, start_s: float, duration_s: float) -> go.Figure:
    """Log-mel spectrogram in the colours of magma, with axes.

    Args:
        level_db: shape = (n_mels, n_frames).
        fmax: upper edge of the highest band, in Hz.
        start_s: start of the excerpt in the recording, to which the time axis refers.
        duration_s: of the excerpt.
    """
    figure = go.Figure()
    _add_image(figure, 1 + (level_db - level_db.max()) / LESSON_TOP_DB, (start_s, 0.0, duration_s, 1.0))
    ticks = [hertz for hertz in FREQUENCY_TICKS_HZ if hertz < fmax]
    heights = hz_to_mel(ticks) / hz_to_mel(fmax)
    figure.update_layout(height=260, margin=NARROW_MARGIN)
    figure.update_xaxes(range=[start_s, start_s + duration_s], ticksuffix=" s", fixedrange=True, showgrid=False)
    figure.update_yaxes(
        range=[0, 1], tickvals=heights, ticktext=[f"{format_frequency(hertz)} " for hertz in ticks], fixedrange=True
    )
    figure.update_yaxes(showgrid=False, zeroline=False)
    return figure


def _add_image(figure: go.Figure, values: np.ndarray, box: tuple[float, float, float, float], axes: str = "") -> None:
    """Add values in 0..1, shape = (height, width), in a box (left, bottom, width, height); axes: "" or " domain"."""
    rows = np.repeat(values[::-1], max(1, MIN_IMAGE_ROWS // len(values)), axis=0)
    rows = np.repeat(rows, max(1, MIN_IMAGE_ROWS // rows.shape[1]), axis=1)
    left, bottom, width, height = box
    figure.add_layout_image(
        source=png_source(magma_png(rows)),
        xref=f"x{axes}",
        yref=f"y{axes}",
        x=left,
        y=bottom + height,
        sizex=width,
        sizey=height,
        sizing="stretch",
        layer="below",
    )


def mel_filter_triangles(n_mels: int, fmax: float) -> go.Figure:
    """Filters of a mel filterbank over frequency, drawn at equal height."""
    figure = go.Figure()
    edges = mel_band_edges_hz(n_mels, fmax)
    for first, colour in ((0, FIRST_COLOUR), (1, SECOND_COLOUR)):  # neighbours differ in colour
        filters = edges[first::2]
        x = [value for corners in filters for value in (*corners.tolist(), None)]
        y = [value for _ in filters for value in (0, 1, 0, None)]
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": colour, "width": 1.5}, hoverinfo="skip")
    figure.update_layout(height=130, margin=NARROW_MARGIN, showlegend=False)
    ticks = range(1000, SAMPLE_RATE // 2, 1000)
    names = [format_frequency(hertz) for hertz in ticks]
    figure.update_xaxes(range=[0, SAMPLE_RATE / 2], tickvals=[*ticks], ticktext=names, tickangle=0, fixedrange=True)
    figure.update_xaxes(zeroline=False)
    figure.update_yaxes(visible=False, range=[0, 1.05], fixedrange=True)
    return figure


def spectral_envelope_lines(original_db: np.ndarray, kept_db: np.ndarray, fmax: float) -> go.Figure:
    """One frame of a log-mel spectrogram and its reconstruction, each of shape = (n_mels,)."""
    figure, bands = go.Figure(), np.arange(len(original_db))
    for values, title, line in (
        (original_db, "all bands", {"color": GREY, "width": 1.5}),
        (kept_db, "from the cepstral coefficients", {"color": FIRST_COLOUR, "width": 3}),
    ):
        hover = f"{title}: %{{y:.0f}} dB<extra></extra>"
        figure.add_scatter(x=bands, y=values, mode="lines", name=title, line=line, hovertemplate=hover)
    ticks = [hertz for hertz in FREQUENCY_TICKS_HZ if hertz < fmax]
    positions = hz_to_mel(ticks) / hz_to_mel(fmax) * (len(bands) + 1) - 1  # band k peaks at edge k + 1
    figure.update_layout(height=260, margin=NARROW_MARGIN | {"b": 56})
    figure.update_layout(legend=LEGEND_BELOW)
    names = [format_frequency(hertz) for hertz in ticks]
    figure.update_xaxes(tickvals=positions, ticktext=names, fixedrange=True, zeroline=False)
    figure.update_yaxes(ticksuffix=" dB", fixedrange=True, zeroline=False)
    return figure


def feature_map_grid(maps: Sequence[tuple[str, np.ndarray]]) -> go.Figure:
    """Grid of titled feature maps, each of shape = (n_bands, n_steps) and scaled from its minimum to its maximum."""
    figure, n_rows = go.Figure(), -(-len(maps) // FEATURE_MAP_COLUMNS)
    width, height = 1 / FEATURE_MAP_COLUMNS - FEATURE_MAP_GAP, 0.8 / n_rows
    for i, (title, values) in enumerate(maps):
        row, column = divmod(i, FEATURE_MAP_COLUMNS)
        left, bottom = column / FEATURE_MAP_COLUMNS, 1 - (row + 1) / n_rows
        span = float(np.ptp(values)) or 1.0
        _add_image(figure, (values - values.min()) / span, (left, bottom, width, height), " domain")
        place = {"x": left, "y": bottom + height, "xanchor": "left", "yanchor": "bottom"}
        figure.add_annotation(text=title, xref="x domain", yref="y domain", showarrow=False, **place)
    figure.update_layout(height=FEATURE_MAP_HEIGHT * n_rows, margin={"l": 0, "r": 0, "t": 0, "b": 0})
    figure.update_xaxes(visible=False, fixedrange=True)
    return figure.update_yaxes(visible=False, fixedrange=True)


def circumplex_plot(
    weights: Mapping[str, float] | None = None, prediction: tuple[float, float] | None = None
) -> go.Figure:
    """Emotions on the circumplex of valence and arousal.

    Args:
        weights: emotion -> probability, shown by the marker size.
        prediction: (valence, arousal) of a model.
    """
    figure = go.Figure()
    figure.add_shape(type="circle", x0=-1, y0=-1, x1=1, y1=1, line={"color": GREY, "width": 1}, layer="below")
    for emotion in CIRCUMPLEX_COORDINATES:
        _add_emotion(figure, emotion, weights[emotion] if weights else None)
    if prediction:
        marker = {"symbol": "x-thin", "size": 16, "line": {"width": 3, "color": GREY}}
        text = {"mode": "markers+text", "text": ["prediction"], "textposition": "top center"}
        hover = "valence %{x:.2f}, arousal %{y:.2f}<extra>prediction</extra>"
        figure.add_scatter(x=prediction[:1], y=prediction[1:], name="prediction", marker=marker, **text)
        figure.data[-1].update(hovertemplate=hover)
    figure.update_layout(height=400, margin={"l": 0, "r": 0, "t": 4, "b": 40}, showlegend=False)
    plain = {"tickvals": [0], "showticklabels": False, "showgrid": True, "fixedrange": True, "constrain": "domain"}
    figure.update_xaxes(range=[-1.35, 1.35], title="unpleasant ← valence → pleasant", **plain)
    upright = {"scaleanchor": "x", "constraintoward": "top"}  # no gap above on a phone
    return figure.update_yaxes(range=[-1.3, 1.2], title="calm ← arousal → excited", **upright, **plain)


def _add_emotion(figure: go.Figure, emotion: str, weight: float | None) -> None:
    """A marker at the place of an emotion, as large as its probability."""
    (valence, arousal), style = CIRCUMPLEX_COORDINATES[emotion], EMOTION_STYLES[emotion]
    share = "" if weight is None else f": {format_probability(weight)}"
    figure.add_scatter(
        x=[valence],
        y=[arousal],
        mode="markers+text",
        name=emotion,
        text=[emotion],
        textposition="bottom center" if arousal <= 0 else "top center",
        marker={"color": style.colour, "symbol": style.marker, "size": 10 + 30 * (weight or 0)},
        hovertemplate=f"{emotion_label(emotion)}{share}<extra></extra>",
    )


def seen_and_unseen_speakers(values: Mapping[str, tuple[float, float]], protocols: tuple[str, str]) -> go.Figure:
    """UAR per corpus on unseen speakers, and under a protocol that shares the speakers of some corpora.

    Args:
        values: corpus -> (unseen, shared), in [0, 1].
        protocols: their titles, for the legend.
    """
    rows, figure = list(values), go.Figure()
    x = [value for pair in values.values() for value in (*pair, None)]
    y = [row for row in rows for _ in range(3)]
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": GREY, "width": 3}, hoverinfo="skip", showlegend=False)
    for k, (symbol, colour) in enumerate((("circle", FIRST_COLOUR), ("diamond", SECOND_COLOUR))):
        title = protocols[k]  # not "shared speakers": those of other corpora are unseen all the same
        marker = {"color": colour, "symbol": symbol, "size": 12}
        figure.add_scatter(x=[pair[k] for pair in values.values()], y=rows, mode="markers", name=title, marker=marker)
        figure.data[-1].update(hovertemplate="%{y}: %{x:.1%}")
    figure.update_layout(height=44 * len(rows) + 110, margin=NARROW_MARGIN | {"b": 84}, legend=LEGEND_BELOW)
    figure.update_xaxes(range=[0, 1.04], tickformat=".0%", title="UAR", fixedrange=True, zeroline=False)
    return figure.update_yaxes(fixedrange=True, **ROWS_AXIS)


def prosody_curves(voices: Mapping[str, "Prosody"]) -> go.Figure:
    """Pitch above, level below, over time; the last voice in colour, the others grey.

    Args:
        voices: title -> prosody.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08)
    for i, (title, found) in enumerate(voices.items(), 1):
        line = {"color": series_colour(5) if i == len(voices) else GREY, "width": 2}
        for row, values, unit in ((1, found.pitch_hz, "Hz"), (2, found.level_dbfs, "dBFS")):
            figure.add_scatter(x=found.time_s, y=values, mode="lines", line=line, name=title, row=row, col=1)
            figure.data[-1].update(showlegend=row == 1, legendgroup=title)
            figure.data[-1].update(hovertemplate=f"{title}: %{{y:.0f}} {unit} at %{{x:.2f}} s<extra></extra>")
    figure.update_layout(height=320, margin={"l": 0, "r": 8, "t": 4, "b": 70}, legend=LEGEND_BELOW)
    figure.update_yaxes(title="pitch, Hz", type="log", tickvals=[75, 100, 150, 200, 300, 400, 600], row=1, col=1)
    figure.update_yaxes(title="level, dBFS", row=2, col=1)
    figure.update_xaxes(title="seconds", row=2, col=1)
    return figure.update_xaxes(zeroline=False).update_yaxes(zeroline=False)

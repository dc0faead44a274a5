"""What figures share: colours, names of emotions, times, axes, legends.

Emotions are identified by text and symbol as well as colour; fonts and background are left to the theme of the page.
"""

import base64
from collections.abc import Sequence

from plotly import graph_objects as go
from plotly.colors import hex_to_rgb, unlabel_rgb

from ser_core.labels import EMOTION_STYLES

TIME_TICK_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200)
MAX_TIME_TICKS = 7
BLACK, WHITE = "#000000", "#FFFFFF"
GREY = "#8A8F98"  # legible on white and on black
ROW_HEIGHT = 26  # pixels per model
LEGEND_LINE = 20  # pixels
LEGEND_BELOW = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
SHARE_TICKS = ".3~%"  # of an axis as narrow as its values: decimals where neighbouring ticks need them
SHARE_AXIS = {"range": [0, 1.04], "tickformat": ".0%", "zeroline": False}  # markers at 100 % are whole, and labelled
ROWS_AXIS = {"autorange": "reversed", "ticksuffix": " "}  # the first row on top


def format_time(time_s: float) -> str:
    """Minutes and seconds, as on the player: 1:05, or 1:05.3 with tenths other than zero."""
    minutes, tenths = divmod(round(10 * time_s), 600)
    return f"{minutes}:{tenths // 10:02d}" + (f".{tenths % 10}" if tenths % 10 else "")


def format_duration(duration_s: float) -> str:
    """Duration for a text: 12.5 s, or 2 min 5 s from one minute on."""
    if round(duration_s, 1) < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes} min {seconds} s"


def format_frequency(hertz: float) -> str:
    """As on every axis of frequency: 250 Hz, 4 kHz."""
    return f"{hertz / 1000:g} kHz" if hertz >= 1000 else f"{hertz:g} Hz"


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


def emotion_label(label: str) -> str:
    """Symbol and name of an emotion, as in axes and legends; any other label as it is."""
    return f"{EMOTION_STYLES[label].symbol} {label}" if label in EMOTION_STYLES else label


def label_colour(label: str) -> str:
    return EMOTION_STYLES[label].colour if label in EMOTION_STYLES else GREY


def png_source(png: bytes) -> str:
    """An image as the source of a layout image."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def with_row_layout(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    """Layout of a figure that has a row a model, a corpus or a group."""
    n_lines = -(-sum(trace.showlegend is not False for trace in figure.data) // 2)  # two entries a line on a phone
    height = ROW_HEIGHT * len(names) + 50 + LEGEND_LINE * max(n_lines, 3)
    figure.update_layout(height=height, margin={"l": 0, "r": 12, "t": 4, "b": 0})
    figure.update_layout(legend=LEGEND_BELOW | {"maxheight": 0.75})  # by default half, and the rest is scrolled
    rows = {"categoryorder": "array", "categoryarray": list(names)}
    return figure.update_yaxes(type="category", **rows, **ROWS_AXIS)  # a speaker "1001" is not a number

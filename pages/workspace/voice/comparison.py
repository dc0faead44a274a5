"""Two clips side by side: what the model predicts for each, their spectrograms and pitch over one time axis."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.emotion import coloured
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace import sound
from ser_core.inference import Prediction, prediction_label
from ser_core.labels import EMOTION_STYLES, format_probability
from ser_core.plots import probability_differences, two_clips

NAMES = ("A", "B")
PITCH = "two-clips"  # key of the chart


def draw_clips(
    clips: Sequence[SessionClip], prepared: Sequence[PreparedClip], results: Sequence[ModelResult | None]
) -> None:
    """The clip of the session first."""
    for column, name, clip, ready, result in zip(st.columns(2), NAMES, clips, prepared, results, strict=True):
        with column.container(border=True, key=f"clip-{name}"):
            _draw_clip(name, clip, ready, result)


def draw_difference(prepared: Sequence[PreparedClip], results: Sequence[ModelResult | None]) -> None:
    """Spectrograms and pitch over one time axis; the difference of the predictions."""
    onsets_s = [ready.speech[0][0] if ready.speech else 0.0 for ready in prepared]
    figure = two_clips(NAMES, [ready.waveform for ready in prepared], onsets_s)
    chart(
        figure,
        key=PITCH,
        numbers=False,
        alt="Spectrograms and pitch of both clips",
        on_select=lambda: _play_from(prepared, onsets_s),
        selection_mode="points",
    )
    if all(results):
        _draw_probabilities(*(result.prediction for result in results))


def _draw_clip(name: str, clip: SessionClip, ready: PreparedClip, result: ModelResult | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        label, icon, about = f"Play {name}", ":material/play_arrow:", (name, clip, ready)
        st.button(label, icon=icon, on_click=_play, args=about, key=f"play-{name}")
        st.markdown(f"**{plain(clip.name)}**")
    if result:
        label = prediction_label(result.prediction)
        certain = f", {format_probability(result.prediction.confidence)}" if label in EMOTION_STYLES else ""
        st.markdown(f"{coloured(label)}{certain}")


def _play(name: str, clip: SessionClip, ready: PreparedClip) -> None:
    if name == NAMES[0]:
        sound.play(0.0)
    else:
        sound.play_other(replace(ready.tracks[-1], name=clip.name))


def _play_from(prepared: Sequence[PreparedClip], onsets_s: Sequence[float]) -> None:
    """A click on a pitch contour plays that clip, the first one from there."""
    points = st.session_state[PITCH]["selection"]["points"]
    if not points:
        return
    if points[0]["curve_number"] == 0:
        sound.play(max(0.0, float(points[0]["x"]) + onsets_s[0]))
    else:
        sound.play_other(replace(prepared[1].tracks[-1], name=NAMES[1]))


def _draw_probabilities(first: Prediction, second: Prediction) -> None:
    st.markdown(describe_difference(first, second))
    chart(
        probability_differences(first, second),
        key="difference",
        alt="; ".join(
            f"{name}: {format_probability(p)} and {format_probability(second.probabilities[name])}"
            for name, p in first.probabilities.items()
        ),
    )


def describe_difference(first: Prediction, second: Prediction) -> str:
    """Whether the two are predicted alike, and which probability differs most."""
    names = [prediction_label(prediction) for prediction in (first, second)]
    shown = [coloured(name) for name in names]
    if names[0] == names[1]:
        text = f"Both clips are predicted as {shown[0]}."
    else:
        text = f"A is predicted as {shown[0]}, B as {shown[1]}."
    most = max(first.probabilities, key=lambda name: abs(second.probabilities[name] - first.probabilities[name]))
    before, after = (format_probability(one.probabilities[most]) for one in (first, second))
    return f"{text} The largest difference is {coloured(most)}: {before} in A, {after} in B."

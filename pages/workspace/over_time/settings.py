"""Settings of the view "Over time": models, windows, smoothing, reference. None but the models runs one."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.model_picker import choose_models, get_model
from pages.ui.session import SessionClip
from pages.workspace import clip_bar
from pages.workspace.trajectories import ENROLLED, NO_REFERENCE, WindowSettings, grid_hop_s
from ser_core.inference import (
    EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING,
    NO_SMOOTHING,
    OWN_RECORDING,
    Smoothing,
)
from ser_core.models import models_for_long_audio

ACCURATE_UP_TO_S = 60.0  # a longer recording begins with the fast model
WINDOWS = (1, 2, 4, 8)  # times the shortest
HOPS = (1, 2, 4, 10)  # times the hop of the predictions
SMOOTHINGS = {
    NO_SMOOTHING: ((), "", ""),
    EMA_SMOOTHING: (
        (1, 2, 3, 5, 10, 20),
        "Time constant",
        "Exponential moving average: the past fades with this time constant.",
    ),
    MEDIAN_SMOOTHING: (
        (3, 5, 9, 15, 31),
        "Windows",
        "Each probability becomes the median over this many windows around it.",
    ),
    HYSTERESIS_SMOOTHING: ((1, 2, 3, 5, 10, 20), "Hold", "A new emotion counts only if it leads for this long."),
}


@dataclass(frozen=True)
class Choice:
    """What was chosen."""

    models: tuple[str, ...]
    view: WindowSettings
    reference: str  # see ClipTrajectories


def choose(clip: SessionClip) -> Choice:
    """Draw the settings."""
    models = choose_models(_by_preference(clip.recording.duration_s), key="timeline-models")
    return Choice(tuple(models), _choose_view(models, grid_hop_s(clip)), _choose_reference(models))


def _by_preference(duration_s: float) -> tuple[str, ...]:
    """The models, the one to begin with first: that of the other views, unless it is slow."""
    names, chosen = models_for_long_audio(), clip_bar.settings().model
    if chosen not in names or duration_s > ACCURATE_UP_TO_S:
        return names
    return (chosen, *(name for name in names if name != chosen))


WINDOW_HELP = (
    "In the shortest an emotion is recognised best where emotions change. A longer one is the mean of its predictions, "
    "weighted by speech, as for a full recording."
)


def _choose_view(models: Sequence[str], grid_s: float) -> WindowSettings:
    own_s = sorted({get_model(name).trajectory_window_s for name in models}) or [0.0]
    left, right = st.columns(2)
    window = left.selectbox(
        "Window",
        WINDOWS,
        format_func=lambda n: " or ".join(f"{n * window_s:g} s" for window_s in own_s) if models else str(n),
        key="window",
        bind="query-params",
        help=WINDOW_HELP,
    )
    hops_s = [n * grid_s for n in HOPS if n * grid_s <= window * own_s[0]] or [grid_s]
    hop_s = right.selectbox(
        "Hop",
        hops_s,
        format_func="{:g} s".format,
        key="hop",
        bind="query-params",
        help=f"From one window to the next. Models are run every {grid_s:g} s; a wider hop shows a subset.",
    )
    return WindowSettings(window, hop_s, _choose_smoothing())


def _choose_smoothing() -> Smoothing:
    left, right = st.columns(2)
    kind = left.selectbox(
        "Smoothing of the segments",
        list(SMOOTHINGS),
        key="smoothing",
        bind="query-params",
        help="The timeline averages by itself, over more time the more of the recording is in view.",
    )
    amounts, label, text = SMOOTHINGS[kind]
    if not amounts:
        return Smoothing()
    unit = "" if kind == MEDIAN_SMOOTHING else " s"
    amount = right.selectbox(
        label, amounts, index=2, format_func=lambda n: f"{n}{unit}", key=kind, bind="query-params", help=text
    )
    return Smoothing(kind, amount)


def _choose_reference(models: Sequence[str]) -> str:
    """The recording itself as the reference, if a model takes one; else the enrolled voice, if it is switched on."""
    if not any(get_model(name).takes_reference for name in models):
        return NO_REFERENCE
    own = st.toggle(
        "Relative to this recording",
        key="own-reference",
        help="For one speaker: models that take reference clips use this recording, from 10 s of speech on.",
    )
    if own:
        return OWN_RECORDING
    return ENROLLED if clip_bar.settings().enrolled else NO_REFERENCE

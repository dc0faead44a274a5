"""The first lesson: what a voice carries beside words, changed by hand and played again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from pages.learn.sound import Excerpt, excerpt, first_model
from pages.ui.chart import chart
from pages.ui.session import remember
from ser_core.audio import SAMPLE_RATE, Prosody, encode_wav, measure_prosody
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction, predict
from ser_core.interpret import PERTURBATION_PROBES, perturb_waveform
from ser_core.labels import format_number, format_probability
from ser_core.models import SERModel
from ser_core.plots import prosody_curves, stacked_probability_bars

EXCERPT_S = 4.0
CHANGES = {"Pitch": "semitones", "Speed": "times as fast", "Gain": "dB", "Phone band": "Hz at most"}
"""Probe -> unit of its values."""
FIRST_PITCH = 4  # semitones: enough to hear
AS_RECORDED, CHANGED = "as recorded", "changed"


def show() -> None:
    """Pitch, level, tempo, timbre: change one, hear it, and see what a model predicts then."""
    st.markdown(
        "Beside words a voice carries four things that move with emotion: **pitch**, the melody; **level**, how loud; "
        "**tempo**, how fast and with which pauses; **timbre**, from breathy to sharp. Anger and joy are both high, "
        "loud and fast, sadness is low, soft and slow. Who speaks changes all four as well: that is why it is hard."
    )
    part = excerpt(EXCERPT_S)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.segmented_control("Change", list(CHANGES), default="Pitch", required=True, key="voice-change")
        probe = PERTURBATION_PROBES[name]
        start = FIRST_PITCH if name == "Pitch" else probe.values[0]
        value = st.select_slider(
            f"{name}, {CHANGES[name]}", sorted(probe.values), start, format_number, key=f"voice-{name}"
        )
    changed = remember(lambda: perturb_waveform(probe, part.waveform, value), part.id, "changed", name, value)
    st.caption(probe.about)
    st.audio(encode_wav(changed), alt=f"The clip with {name} at {value}")
    _show_curves(part, changed)
    model = first_model(with_stages=False)
    if model is not None:
        found = {AS_RECORDED: part.waveform, CHANGED: changed}
        keys = {AS_RECORDED: (), CHANGED: (name, value)}
        _show_predictions(model, [_predicted(model, part.id, w, title, keys[title]) for title, w in found.items()])


def _show_curves(part: Excerpt, changed: np.ndarray) -> None:
    before, after = measure_prosody(part.waveform), measure_prosody(changed)
    pitch = f"Median pitch {_pitch(before)}, {CHANGED} {_pitch(after)}"
    about = f"{pitch}; peak level {_level(before)}, {CHANGED} {_level(after)}"
    chart(prosody_curves({AS_RECORDED: before, CHANGED: after}), key="voice-curves", numbers=False, alt=about)
    st.caption(f"{about}. Duration {part.duration_s:.1f} s, {CHANGED} {len(changed) / SAMPLE_RATE:.1f} s.")


def _pitch(found: Prosody) -> str:
    return f"{np.median(found.voiced_hz):.0f} Hz" if len(found.voiced_hz) else "unknown"


def _level(found: Prosody) -> str:
    return f"{format_number(found.level_dbfs.max(), 'z.0f')} dBFS"


def _show_predictions(model: SERModel, found: Sequence[Prediction]) -> None:
    if found[0].speech_s < MIN_SPEECH_TO_PREDICT_S:
        st.caption("No speech was detected, so there is no prediction.")
        return
    alt = "; ".join(f"{p.model}: {p.emotion} {format_probability(p.confidence)}" for p in found)
    st.caption(
        f"What {model.name} predicts. The words are the same; only the voice has changed. In full colour: the "
        "prediction; where the model is not sure there is none."
    )
    chart(stacked_probability_bars(found), key="voice-predictions", alt=alt)


def _predicted(model: SERModel, clip: str, waveform: np.ndarray, title: str, change: tuple) -> Prediction:
    """Computed once for each change; the title is in the place of the name of the model."""
    found = remember(lambda: predict(model, waveform), clip, "excerpt", model.name, model.version, EXCERPT_S, *change)
    return replace(found, model=title)

"""Tests on the view "Why": faithfulness, randomised weights, and perturbations of the audio."""

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages.ui.chart import chart
from pages.ui.components.player import track
from pages.ui.model_picker import get_model
from pages.ui.session import is_remembered, remember
from pages.workspace import sound
from pages.workspace.why import state
from pages.workspace.why.state import ExplainedWindow
from ser_core.interpret import CLEAR_GAIN, PERTURBATION_PROBES, AttributionTarget, Explanation, FaithfulnessCurves
from ser_core.labels import format_number, format_probability
from ser_core.plots import emotion_label, faithfulness_lines, probe_lines

SHOWS_THE_SOUND, PARTLY = 0.5, 0.25  # rank correlation with the maps of models that have learned nothing


def show_trust(
    explained: ExplainedWindow, found: Explanation, question: AttributionTarget, curves: FaithfulnessCurves
) -> None:
    """Two tests of the map: against random parts of the audio, and against models with randomised weights."""
    st.subheader("Can the map be trusted?", anchor=False)
    by_map, by_weights = st.columns(2, gap="large")
    with by_map:
        verdict = _faithful_words(curves, question)
        chart(faithfulness_lines(curves, question.emotion), key="why-faithful", alt=verdict)
        st.caption(verdict)
    with by_weights:
        _show_sanity(explained, found, question)


def _faithful_words(curves: FaithfulnessCurves, question: AttributionTarget) -> str:
    kept, kept_random = curves.kept.mean(), curves.kept_at_random.mean()
    removed, removed_random = curves.removed.mean(), curves.removed_at_random.mean()
    return (
        f"{_against_chance(*curves.gains)} Mean probability of "
        f"{emotion_label(question.emotion)} with parts kept: {kept:.0%} by the map, {kept_random:.0%} at random "
        "(more is "
        f"better); with parts removed: {removed:.0%} and {removed_random:.0%} (less is better)."
    )


def _against_chance(*gains: float) -> str:
    """How much better the map is than chance in each of the two tests, in words."""
    better, worse = sum(gain > CLEAR_GAIN for gain in gains), sum(gain < -CLEAR_GAIN for gain in gains)
    if better == 2:
        return "The map is clearly better than chance in both tests."
    if better:
        other = ", and clearly worse in the other" if worse else ", and not in the other"
        return f"The map is clearly better than chance in one test{other}."
    return f"The map is {'clearly worse' if worse else 'not clearly better'} than chance."


def _show_sanity(explained: ExplainedWindow, found: Explanation, question: AttributionTarget) -> None:
    """On demand: it takes as long as several explanations."""
    if not get_model(explained.model).is_neural:
        st.caption(f"{explained.model} is not a neural network: it has no weights to randomise.")
        return
    st.markdown("The same map for models with randomised weights (sanity check).")
    clicked = st.button("Shuffle the weights", key="sanity")
    if not clicked and not is_remembered(*state.sanity_key(explained, found, question)):
        return
    correlations = state.randomisation_test(explained, found, question)
    with st.container(horizontal=True, gap="medium"):
        for i, value in enumerate(correlations):
            st.metric(
                f"Shuffle {i + 1}", "flat" if math.isnan(value) else f"{round(value, 2) + 0:.2f}", width="content"
            )
    st.markdown(_sanity_words(correlations))
    st.caption(
        "Rank correlation (Spearman) of the two maps, after Adebayo et al. 2018. 0: they have nothing in common; "
        "1: they are the same. Flat: the shuffled model's map is the same everywhere."
    )


def _sanity_words(correlations: Sequence[float]) -> str:
    known = [abs(value) for value in correlations if not math.isnan(value)]
    strongest = max(known, default=0.0)
    if strongest >= SHOWS_THE_SOUND:
        return "**The map depends more on the audio than on the model**: a randomised model gives a similar one."
    if strongest >= PARTLY:
        return "**The map depends on the trained weights in part**: some of it follows from the audio alone."
    return "**The map depends on the trained weights**: randomised models give a different one."


@st.fragment
def show_probe(explained: ExplainedWindow) -> None:
    """Predictions under perturbations of the audio."""
    st.subheader("Robustness to perturbations", anchor=False)
    kind = st.segmented_control("Change the window", list(PERTURBATION_PROBES), key="probe")
    if kind is None:
        st.caption("Choose a perturbation. The model is run at each of its values.")
        return
    probe, probabilities = PERTURBATION_PROBES[kind], state.probe_probabilities(explained, kind)
    labels = list(explained.probabilities)
    chart(
        probe_lines(probe, probabilities, labels),
        key=f"probe-{kind}",
        alt=f"Probability of each emotion over {probe.title}. {_stays(probabilities, labels, explained)}",
    )
    st.caption(f"{probe.about} {_stays(probabilities, labels, explained)}")
    value = _choose_value(explained, kind)
    row = probabilities[probe.values.index(value)]
    ranked = ", ".join(f"{emotion_label(labels[i])} {format_probability(row[i])}" for i in np.argsort(-row)[:3])
    st.markdown(f"{explained.model} at this value: {ranked}.")


def _choose_value(explained: ExplainedWindow, kind: str) -> float:
    """A value of the perturbation, and a button that plays the window with it."""
    probe = PERTURBATION_PROBES[kind]
    first = probe.values[0] if probe.identity_value is None else probe.identity_value
    title = f"Value to listen to: {probe.title}"
    value = st.select_slider(title, probe.values, first, format_number, key=f"value-{kind}")
    waveform = state.perturbed_waveform(explained, kind, value)
    drawn = remember(
        lambda: track(f"{kind} {format_number(value)} {probe.unit}", waveform, explained.id),
        explained.id,
        "worse track",
        kind,
        value,
    )
    play = {"on_click": sound.play_other, "args": (drawn,)}
    st.button(f"Play {drawn.name}", icon=":material/play_arrow:", key="play-probe", **play)
    return value


def _stays(probabilities: np.ndarray, labels: Sequence[str], explained: ExplainedWindow) -> str:
    same = sum(labels[i] == explained.emotion for i in probabilities.argmax(1))
    return f"At {same} of {len(probabilities)} values the prediction remains {emotion_label(explained.emotion)}."

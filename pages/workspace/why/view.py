"""The view "Why": the relevant parts to listen to, the map they come from, tests of the map, perturbations."""

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.chart import chart
from pages.ui.emotion import coloured
from pages.ui.model_picker import get_model
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.ui.voice.personal import describe_voice
from pages.workspace import clip_bar
from pages.workspace.why import checks, controls, export, listening, methods, state
from pages.workspace.why.state import ExplainedWindow
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, SpeakerReferenceError
from ser_core.interpret import SELF_ATTENTION, AttributionTarget, Explanation
from ser_core.labels import format_probability
from ser_core.models import AdapterError, CheckpointError
from ser_core.plots import (
    OPPOSING_COLOUR,
    SUPPORTING_COLOUR,
    describe_relevance,
    emotion_label,
    format_time,
    relevance_map,
)


def draw(clip: SessionClip) -> None:
    settings = clip_bar.settings()
    if settings.model is None:
        show_no_model()
        return
    try:
        prepared = analysis.prepare_clip(clip, settings)
        result = analysis.answer(prepared, settings)
        get_model(settings.model)  # which may have been deleted since the prediction
    except (AdapterError, CheckpointError, SpeakerReferenceError) as error:
        show_problem(error)
        return
    if result.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        _show_no_speech(result)
    else:
        _show_explanation(clip, prepared, result)


def _show_no_speech(result: ModelResult) -> None:
    st.info(
        f"{result.prediction.speech_s:.1f} s of speech were found, and {MIN_SPEECH_TO_PREDICT_S:g} s are needed. "
        "Record or choose another clip.",
        title="There is no prediction to explain",
    )


def _show_explanation(clip: SessionClip, prepared: PreparedClip, result: ModelResult) -> None:
    """First what to listen to, then the settings it depends on; workspace.css hides them until the parts are there."""
    first, below = st.container(key="why-parts"), st.container(key="why-settings")
    with below:
        explained = controls.choose_window(prepared, result)
        question, chosen, percent = controls.choose_question(explained)
        method = chosen or methods.preferred(explained, question)
    with first:
        found = state.explanation(explained, method, question)
        words = describe_relevance(found, explained.frontend)
        _show_question(result, explained, question)
        st.markdown(_summary(found, words))
        listening.show_parts(clip, explained, found, question, percent)
    with below:
        _show_map(explained, found, words)
        is_new = state.known_curves(explained, method, question) is None
        curves = methods.measure(explained, method, question)
        if (chosen is None and methods.try_next(explained, question)) or is_new:
            st.rerun()  # with the result in the menu, or with the better method
    checks.show_trust(explained, found, question, curves)
    checks.show_probe(explained)
    export.show_export(clip, explained, found, question)


def _show_question(result: ModelResult, explained: ExplainedWindow, question: AttributionTarget) -> None:
    """The question, and the prediction for the window."""
    instead_of = f" and not {coloured(question.instead_of)}" if question.instead_of else ""
    st.subheader(f"Why {coloured(question.emotion)}{instead_of}?", anchor=False)
    chosen = [question.emotion, *([question.instead_of] if question.instead_of else [])]
    values = ", ".join(
        f"{emotion_label(emotion)} {format_probability(explained.probabilities[emotion])}" for emotion in chosen
    )
    others = "" if explained.emotion in chosen else f" The prediction is {emotion_label(explained.emotion)}."
    unsure = " For the full clip the model is not sure." if result.prediction.abstain else ""
    where_s = f"{format_time(explained.start_s)} to {format_time(explained.end_s)}"
    about_voice = describe_voice([explained.made_by])
    st.caption(f"{plain(explained.model)}, {where_s}: {values}.{others}{unsure} {about_voice}".rstrip())


@st.fragment
def _show_map(explained: ExplainedWindow, found: Explanation, words: str) -> None:
    """The map over the spectrogram and its profiles."""
    spot = st.container()
    opacity = st.slider("Opacity of the map", 0, 100, 70, 5, format="%d%%", key="why-opacity", width=250)
    with spot:
        chart(
            relevance_map(found, state.window_spectrogram(explained), explained.frontend, opacity / 100),
            key="why-map",
            numbers=False,
            alt=f"{found.method} over the spectrogram. {_summary(found, words)}",
        )
        st.caption(_colours(found))
    st.caption(methods.ABOUT[found.method] + _completeness(found) + methods.describe_limits(explained.model))


def _colours(found: Explanation) -> str:
    supporting, opposing = (f':color[■]{{foreground="{colour}"}}' for colour in (SUPPORTING_COLOUR, OPPOSING_COLOUR))
    if found.method == SELF_ATTENTION:
        return f"{supporting} blue: attended to. Above: over time, which counts from the beginning of the window."
    right = "; at the right: all moments" if len(found.relevance) > 1 else ""
    return (
        f"{supporting} blue: supports it; {opposing} orange: opposes it. Above: all frequencies together{right}. "
        "Time counts from the beginning of the window."
    )


def _summary(found: Explanation, words: str) -> str:
    subject = "the attention" if found.method == SELF_ATTENTION else "what supports it"
    return f"Half of {subject} is {words}." if words else "Nothing here supports it."


def _completeness(found: Explanation) -> str:
    if found.score_difference is None:
        return ""
    return (
        f" The map sums to {found.relevance.sum():.2f}; from silence to this sound the score changed by "
        f"{found.score_difference:.2f}; {found.completeness_error:.2f} are not explained."
    )

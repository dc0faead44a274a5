"""What is explained: the window, the emotion, instead of which other one, by which method, and how much is kept."""

from dataclasses import dataclass, field

import streamlit as st

from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.model_picker import get_model
from pages.ui.session import PageState, session
from pages.workspace.why import methods, state
from pages.workspace.why.state import ExplainedWindow
from ser_core.inference import speech_mask
from ser_core.interpret import AttributionTarget, attribution_methods
from ser_core.labels import format_probability
from ser_core.plots import emotion_label, format_time

AUTOMATIC = "automatic"
WIDTH = 160  # pixels: two of them fit side by side on a phone


@dataclass
class WhyState(PageState):
    methods: dict[str, str] = field(default_factory=dict)  # chosen, by model


def choose_window(prepared: PreparedClip, result: ModelResult) -> ExplainedWindow:
    """The clip's only window, or one of several."""
    trajectory, place = result.trajectory, 0
    if len(trajectory.start_s) > 1:
        place = st.selectbox(
            "Window",
            range(len(trajectory.start_s)),
            state.most_confident_window(result),
            format_func=lambda i: _window_name(result, i),
            key=f"why-window {prepared.id} {trajectory.model}",
            help="Input window of the model. A longer clip is analysed in several windows.",
        )
    return state.window(prepared, result, place)


def _window_name(result: ModelResult, i: int) -> str:
    trajectory = result.trajectory
    times = f"{format_time(trajectory.start_s[i])} to {format_time(trajectory.end_s[i])}"
    if not speech_mask(trajectory)[i]:
        return f"{times}, no speech"
    return f"{times}, {emotion_label(trajectory.emotions[i])} {format_probability(trajectory.confidence[i])}"


INSTEAD_OF_HELP = (
    "Explains how far the score of one emotion is above that of the other. Leave it empty to explain the score itself."
)


def choose_question(explained: ExplainedWindow) -> tuple[AttributionTarget, str | None, int]:
    """The question, the method or None for the preferred one, and the percent of the spectrogram to keep."""
    key = f"{explained.id} {explained.model} {explained.made_by.emotions}"
    with st.container(horizontal=True, vertical_alignment="bottom", key="why-controls"):
        possible = explained.made_by.emotions
        likeliest = possible.index(explained.emotion)
        emotion = st.selectbox("Why", possible, likeliest, format_func=emotion_label, key=f"why {key}", width=WIDTH)
        instead_of = st.selectbox(
            "Why not",
            [other for other in possible if other != emotion],
            None,
            format_func=emotion_label,
            placeholder="any other",
            key=f"why-not {key} {emotion}",
            help=INSTEAD_OF_HELP,
            width=WIDTH,
        )
        question = AttributionTarget(emotion, instead_of)
        method = _choose_method(explained, question)
        percent = st.slider("Share kept, the most relevant first", 5, 95, 20, 5, format="%d%%", key="share", width=250)
    return question, method, percent


def _choose_method(explained: ExplainedWindow, question: AttributionTarget) -> str | None:
    """A menu with the results of the tests; another widget when they change: browsers know options by their text."""
    known = session().page(WhyState).methods
    options = [AUTOMATIC, *attribution_methods(get_model(explained.model))]
    names = {method: methods.badge(explained, method, question) for method in options[1:]}
    names[AUTOMATIC] = f"Automatic: {names[methods.preferred(explained, question)]}"
    before = known.get(explained.model, AUTOMATIC)
    key = f"method {explained.model} {explained.id} {' '.join(names.values())}"
    chosen = st.selectbox(
        "Method",
        options,
        options.index(before) if before in options else 0,
        format_func=names.get,
        key=key,
        on_change=lambda: known.update({explained.model: st.session_state[key]}),
        help="Two tests on this clip: keeping the relevant parts preserves the prediction, and removing them changes "
        "it, more than with random parts. Automatic takes the first method that passes both.",
        width=380,
    )
    return None if chosen == AUTOMATIC else chosen

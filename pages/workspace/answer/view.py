"""The view "Answer": the predicted emotion, how sure and how often right, what the other models predict, next steps."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import analysis, export
from pages.ui.analysis import ModelResult, PreparedClip, Settings
from pages.ui.chart import chart
from pages.ui.emotion import coloured, segment_cell
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import SessionClip, session
from pages.ui.text import describe_expectation, plain
from pages.ui.voice.clips import offer_enrolment
from pages.ui.voice.personal import PersonalModel, describe_voice
from pages.workspace import clip_bar, sound, views
from pages.workspace.answer import details, feedback
from pages.workspace.answer.agreement import show_agreement
from pages.workspace.answer.hero import show_emotion
from pages.workspace.answer.plane import show_plane
from pages.workspace.trajectories import ENROLLED, NO_REFERENCE, timeline_segments
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction, Segment, SpeakerReferenceError
from ser_core.labels import EMOTIONS, describe_choice, format_probability
from ser_core.models import FAST_MODEL, AdapterError, CheckpointError, available_models, models_with_reference
from ser_core.plots import emotion_label, probability_bars

CHANGES_FROM_S = 30.0  # one emotion says little about a longer recording


def draw(clip: SessionClip) -> Callable[[], None] | None:
    """Draws the answer; returns what fills in the other models, to be called at the end of the page.

    Parts of changing length have containers of their own: otherwise what follows moves when the answer changes, and its
    old place stays on the screen, greyed, until the other models are filled in.
    """
    settings = clip_bar.settings()
    prepared = analysis.prepare_clip(clip, settings)
    with st.container():
        details.show_advice(prepared.quality)
    first_look = st.empty()
    result = _answer(prepared, settings, first_look)
    if result is None:
        _show_no_answer(prepared, settings)
        return None
    segments = _segments(clip, prepared, settings, result)
    sound.show_strip([segment_cell(segment) for segment in segments])
    left, right = st.columns(2, gap="medium")
    with left:
        _show_answer(clip, result)
    first_look.empty()  # only now: there is an answer at every moment
    fill_in = _show_evidence(left, right, prepared, settings.model, result)
    with st.container():
        feedback.show_feedback(clip, result)
    if clip.utterance is None:  # an actor of a corpus is not the person here
        offer_enrolment(clip, result.prediction)
    details.show_details(prepared.quality, result)
    details.show_export(clip, prepared, result, segments)
    return fill_in


def _show_no_answer(prepared: PreparedClip, settings: Settings) -> None:
    if settings.model is None:
        show_no_model()
    details.show_details(prepared.quality, None)


def _answer(prepared: PreparedClip, settings: Settings, first_look: DeltaGenerator) -> ModelResult | None:
    """The answer, after a first one of the fast model where the chosen one takes long; None with the reason shown."""
    try:
        if _worth_a_first_look(prepared, settings):
            with first_look.container():
                _show_first_look(analysis.model_result(prepared, PersonalModel(FAST_MODEL)))
        return analysis.answer(prepared, settings)
    except (CheckpointError, AdapterError, SpeakerReferenceError) as error:
        show_problem(error)
        return None


def _segments(clip: SessionClip, prepared: PreparedClip, settings: Settings, result: ModelResult) -> Sequence[Segment]:
    """Those of the timeline where there is one of the same predictions, so that the strip agrees with it."""
    reference = ENROLLED if settings.enrolled else NO_REFERENCE
    known = None if settings.my_voice else timeline_segments(clip, prepared, settings.model, reference)
    return known or export.clip_segments(clip, prepared.quality, result)


def _worth_a_first_look(prepared: PreparedClip, settings: Settings) -> bool:
    """Whether the fast model can answer while the chosen one is still running."""
    if settings.model in (None, FAST_MODEL) or FAST_MODEL not in available_models():
        return False
    return not (
        settings.my_voice or settings.enrolled or analysis.is_predicted(prepared, PersonalModel(settings.model))
    )


def _show_first_look(result: ModelResult) -> None:
    show_emotion(result.prediction)
    st.caption(f"First look by {result.prediction.model}. A more accurate model is running.")


def _show_answer(clip: SessionClip, result: ModelResult) -> None:
    prediction = result.prediction
    show_emotion(prediction)
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return
    if prediction.abstain:
        st.markdown(plain(prediction.reason))
    if expected := describe_expectation(prediction, result.metrics):
        st.markdown(expected)
    if prediction.reference_note:
        st.warning(plain(prediction.reference_note))
    choice = describe_choice(prediction.possible_emotions)
    among = f"Chosen {choice}." if choice and choice not in expected.lower() else ""  # where no rate names it
    if about := f"{describe_voice([result.model])} {among} {_way_to_an_answer(result)}".strip():
        st.caption(about)
    with st.container(horizontal=True, vertical_alignment="center"):
        _show_next(prediction, clip.recording.duration_s)
        if clip.utterance:
            _show_truth(clip)


def _way_to_an_answer(result: ModelResult) -> str:
    """What makes the model sure more often, where its confidence is too low; "" where all of it is done."""
    prediction, ways = result.prediction, []
    if not prediction.abstain or prediction.confidence >= result.min_confidence:
        return ""
    if prediction.possible_emotions == EMOTIONS:
        ways.append("name the emotions that can occur, in Options")
    if result.model.reference is None and prediction.model in models_with_reference():
        ways.append("enrol the voice, on the page My voice")
    return f"It is sure more often if you {', or '.join(ways)}." if ways else ""


def _show_next(prediction: Prediction, duration_s: float) -> None:
    """A button to the view that says most about this clip; the switch above leads to all of them."""
    view, text = "why", "Why not sure?" if prediction.abstain else f"Why {emotion_label(prediction.emotion)}?"
    if duration_s > CHANGES_FROM_S:
        view, text = "over_time", "Over time"
    st.button(text, key=f"next-{view}", on_click=views.show, args=(view,), type="primary")


def _show_evidence(
    left: DeltaGenerator, right: DeltaGenerator, prepared: PreparedClip, chosen: str, result: ModelResult
) -> Callable[[], None] | None:
    """The probabilities of this model, below the answer; the plane and what the others predict, beside it."""
    if result.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return None
    with left:
        if result.min_confidence:  # 0: no development speakers to find a threshold on
            st.caption(f"Dotted line: below {result.min_confidence:.0%} the model abstains (“not sure”).")
        chart(
            probability_bars(result.prediction, result.min_confidence or None),
            key="bars",
            alt="Probabilities: "
            + ", ".join(f"{n} {format_probability(p)}" for n, p in result.prediction.probabilities.items()),
        )
    with right:
        show_plane(result)
        return show_agreement(prepared, chosen, result)


def _show_truth(clip: SessionClip) -> None:
    if session().revealed != clip.id:
        st.button("Reveal the label", on_click=_reveal, args=(clip.id,), key="reveal", icon=":material/visibility:")
        return
    st.markdown(f"The label is {coloured(clip.utterance.emotion)}.", width="content")


def _reveal(clip_id: str) -> None:
    session().revealed = clip_id

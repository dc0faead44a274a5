"""Was it right? One label for the clip: kept in the session for enrolment, and where a folder is configured, stored."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from pages.ui.analysis import ModelResult
from pages.ui.clip import OWN_KINDS
from pages.ui.export import offer_download, rows_as_csv
from pages.ui.session import PageState, SessionClip, session
from pages.ui.text import counted, plain
from pages.ui.voice.clips import enrolment_state
from ser_core.data import (
    FEEDBACK_FILE,
    FEEDBACK_FOLDER_HINT,
    Feedback,
    FeedbackError,
    delete_feedback,
    feedback_folder,
    read_feedback,
    save_feedback,
)
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction
from ser_core.labels import EMOTIONS
from ser_core.plots import emotion_label


@dataclass
class FeedbackState(PageState):
    problem: str = ""  # why the latest label could not be saved


def show_feedback(clip: SessionClip, result: ModelResult) -> None:
    """The question, where there is speech, then the label with a way back."""
    label = enrolment_state().labels.get(clip.id)
    if label is None and result.prediction.speech_s >= MIN_SPEECH_TO_PREDICT_S:
        _ask(clip, result)
    elif label is not None:
        _show_label(clip, label, result.prediction)
    _show_stored()
    state = session().page(FeedbackState)
    if state.problem:
        st.warning(plain(state.problem))
        state.problem = ""


def _ask(clip: SessionClip, result: ModelResult) -> None:
    prediction = result.prediction
    st.markdown("Which emotion was meant?" if prediction.abstain else "Was it right?")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="label-buttons"):
        if not prediction.abstain:
            args = (clip, result, prediction.emotion)
            st.button("Yes", key="right", on_click=_label, args=args, icon=":material/check:", shortcut="Y")
            st.markdown("No, it was", width="content")
        for i, emotion in enumerate(EMOTIONS, 1):
            args = (clip, result, emotion)
            key = f"meant-{emotion}"
            st.button(emotion_label(emotion), key=key, on_click=_label, args=args, shortcut=str(i), type="tertiary")


def _show_label(clip: SessionClip, label: str, prediction: Prediction) -> None:
    right = label == prediction.emotion and not prediction.abstain
    verdict = "as predicted" if right else "not as predicted"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Your label: **{emotion_label(label)}**, {verdict}.", width="content")
        st.button("Change", key="relabel", on_click=_unlabel, args=(clip,), type="tertiary")
    if feedback_folder() is None:
        purpose = ", for the enrolment of your voice" if clip.kind in OWN_KINDS else ""
        st.caption(f"Kept in this session{purpose}. {FEEDBACK_FOLDER_HINT}")


def _label(clip: SessionClip, result: ModelResult, emotion: str) -> None:
    enrolment_state().labels[clip.id] = emotion
    folder = feedback_folder()
    if folder:
        prediction = result.prediction
        answer = (prediction.model, emotion, prediction.emotion, prediction.confidence, prediction.abstain)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        _try(save_feedback, Feedback(clip.id, *answer, clip.recording.duration_s, now, session().visitor), folder)


def _unlabel(clip: SessionClip) -> None:
    enrolment_state().labels.pop(clip.id, None)


def _show_stored() -> None:
    """The labels that this visitor stored, to download or to delete."""
    folder = feedback_folder()
    if folder is None:
        return
    try:
        stored = read_feedback(folder, session().visitor)
    except FeedbackError as error:
        st.warning(plain(str(error)))
        return
    if stored:
        _show_table(stored, folder)


def _show_table(stored: list[Feedback], folder: Path) -> None:
    right = sum(f.meant == f.answered and not f.abstained for f in stored)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{counted(len(stored), 'label')} in {FEEDBACK_FILE}, {right} as predicted: label and prediction, never "
            "the audio.",
            width="content",
        )
        offer_download("CSV", rows_as_csv([asdict(f) for f in stored]), "feedback.csv", "text/csv", type="tertiary")
        st.button(
            "Delete all",
            on_click=_try,
            args=(delete_feedback, folder, session().visitor),
            key="delete-feedback",
            type="tertiary",
        )


def _try(action, *args) -> None:
    """A callback may not raise: the error is shown below the buttons."""
    try:
        action(*args)
    except FeedbackError as error:
        session().page(FeedbackState).problem = str(error)

"""Feedback: the person's label and the prediction, stored only where a folder is configured."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import streamlit as st

from pages.ui.analysis import ModelResult
from pages.ui.export import rows_as_csv
from pages.ui.session import PageState, SessionClip, session
from pages.ui.text import plain
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
from ser_core.labels import EMOTIONS
from ser_core.plots import emotion_label


@dataclass
class FeedbackState(PageState):
    problem: str = ""  # why the latest label could not be saved


def show_feedback(clip: SessionClip, result: ModelResult) -> None:
    """The choice of a label, with its storage."""
    label = st.pills("Your label for this clip", EMOTIONS, format_func=emotion_label, key=f"meant-{clip.id}", wrap=True)
    folder = feedback_folder()
    if label:
        right = label == result.prediction.emotion and not result.prediction.abstain
        st.caption(f"{'The' if right else 'Not the'} prediction of {plain(result.prediction.model)}.")
    if folder is None:
        if label:
            st.caption(f"Your label is deleted with this session. {FEEDBACK_FOLDER_HINT}")
        return
    try:
        with st.container(horizontal=True, vertical_alignment="center"):
            entry = Feedback(
                clip.id, *_feedback_fields(result, label or ""), clip.recording.duration_s, _now(), session().visitor
            )
            st.button(
                "Save my label", disabled=not label, on_click=_try, args=(save_feedback, entry, folder), key="keep"
            )
            _show_kept(read_feedback(folder, session().visitor), folder)
        st.caption(f"Saved in {FEEDBACK_FILE} of the folder you chose: your label and the prediction, never the audio.")
    except FeedbackError as error:
        st.warning(plain(str(error)))
    state = session().page(FeedbackState)
    if state.problem:
        st.warning(plain(state.problem))
        state.problem = ""


def _feedback_fields(result: ModelResult, label: str) -> tuple[str, str, str, float, bool]:
    prediction = result.prediction
    return prediction.model, label, prediction.emotion, prediction.confidence, prediction.abstain


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _show_kept(saved: list[Feedback], folder) -> None:
    """The labels that this session saved, to download or to delete."""
    if not saved:
        return
    right = sum(f.meant == f.answered and not f.abstained for f in saved)
    st.text(f"{len(saved)} saved, {right} predicted correctly")
    content = rows_as_csv([asdict(f) for f in saved])
    st.download_button("CSV", content, "feedback.csv", "text/csv", icon=":material/download:")
    st.button("Delete all", on_click=_try, args=(delete_feedback, folder, session().visitor), key="delete-feedback")


def _try(action, *args) -> None:
    """A callback may not raise: the error is shown below the buttons."""
    try:
        action(*args)
    except FeedbackError as error:
        session().page(FeedbackState).problem = str(error)

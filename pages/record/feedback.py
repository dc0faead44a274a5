"""What the person meant, beside what the model heard: kept only where a folder was chosen for it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import streamlit as st

from pages.ui.analysis import Answer
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
    problem: str = ""  # why the latest answer could not be kept


def show_feedback(clip: SessionClip, answer: Answer) -> None:
    """Eight names to choose from, and what becomes of the choice."""
    meant = st.pills("I meant", EMOTIONS, format_func=emotion_label, key=f"meant-{clip.id}", wrap=True)
    folder = feedback_folder()
    if meant:
        right = meant == answer.prediction.emotion and not answer.prediction.abstain
        st.caption(f"{'That is' if right else 'That is not'} what {plain(answer.prediction.model)} heard.")
    if folder is None:
        if meant:
            st.caption(f"Your answer is forgotten with this session. {FEEDBACK_FOLDER_HINT}")
        return
    try:
        with st.container(horizontal=True, vertical_alignment="center"):
            said = Feedback(clip.id, *_judged(answer, meant or ""), clip.recording.duration_s, _now())
            st.button(
                "Keep my answer", disabled=not meant, on_click=_try, args=(save_feedback, said, folder), key="keep"
            )
            _show_kept(read_feedback(folder), folder)
        st.caption(f"Kept in {FEEDBACK_FILE} of the folder you chose: your answer and the model's, never the sound.")
    except FeedbackError as error:
        st.warning(plain(str(error)))
    state = session().page(FeedbackState)
    if state.problem:
        st.warning(plain(state.problem))
        state.problem = ""


def _judged(answer: Answer, meant: str) -> tuple[str, str, str, float, bool]:
    prediction = answer.prediction
    return prediction.model, meant, prediction.emotion, prediction.confidence, prediction.abstain


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _show_kept(answers: list[Feedback], folder) -> None:
    """Take it along, or delete it."""
    if not answers:
        return
    right = sum(f.meant == f.answered and not f.abstained for f in answers)
    st.text(f"{len(answers)} kept, {right} heard as meant")
    content = rows_as_csv([asdict(f) for f in answers])
    st.download_button("CSV", content, "feedback.csv", "text/csv", icon=":material/download:")
    st.button("Delete all", on_click=_try, args=(delete_feedback, folder), key="delete-feedback")


def _try(action, *args) -> None:
    """A callback may not fail: what went wrong is said below the buttons."""
    try:
        action(*args)
    except FeedbackError as error:
        session().page(FeedbackState).problem = str(error)

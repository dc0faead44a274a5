"""Whether the files should be the reference of each other: suggested once they are analysed, counted with labels."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.many_files.batch import Batch
from pages.many_files.state import model_now, together_key, upload_state
from pages.many_files.together import is_together
from pages.ui.text import plain
from pages.ui.voice.personal import PersonalModel
from ser_core.evaluation import describe_collection
from ser_core.inference import MIN_SUGGESTED_COLLECTION, Prediction
from ser_core.models import models_with_reference

# Of the labels, or else of the predictions: what all files share would be hidden. Predictions of an unknown corpus
# differ for clips of a single mood too: hence the question.
MOST_OF_ONE_EMOTION = 0.5


def show_each_other(batch: Batch, found: Sequence[Prediction]) -> None:
    """A suggestion while the first model predicts each file alone; what was gained while it does not.

    Args:
        found: predictions of the first model for the files with speech.
    """
    if upload_state().running or batch.models[0] not in models_with_reference():
        return
    now = model_now(batch.models[0])
    if is_together(now):
        _show_gain(batch, now)
    elif (
        not now.reference
        and _may_be_a_reference(_emotions(batch, found))
        and (measured := describe_collection(now.name))
    ):
        _suggest(len(found), measured)


def _emotions(batch: Batch, found: Sequence[Prediction]) -> list[str]:
    """The labels of the files with speech, where enough have one; their predictions otherwise."""
    labels = [row.label.emotion for row in batch.labelled if row.has_speech and row.label]
    return labels if len(labels) >= MIN_SUGGESTED_COLLECTION else [prediction.emotion for prediction in found]


def _may_be_a_reference(emotions: Sequence[str]) -> bool:
    n_files = len(emotions)
    return n_files >= MIN_SUGGESTED_COLLECTION and max(Counter(emotions).values()) <= MOST_OF_ONE_EMOTION * n_files


def _suggest(n_files: int, measured: str) -> None:
    with st.container(border=True):
        st.markdown(
            f"**Are these {n_files} recordings of one kind** (microphone, room, language) and of several moods? "
            f"Relative to each other more are right. {measured}"
        )
        st.button("Predict them relative to each other", icon=":material/join_inner:", on_click=_switch_on)


def _switch_on() -> None:
    upload_state().together.on = st.session_state[together_key()] = True


def _show_gain(batch: Batch, now: PersonalModel) -> None:
    """How many of the labelled files are right, alone and relative to each other."""
    alone = PersonalModel(now.name)
    rows = [row for row in batch.labelled if row.has_speech and {alone, now} <= row.item.kept.keys()]
    if rows:
        before, after = (sum(row.item.kept[m].emotion == row.label.emotion for row in rows) for m in (alone, now))
        st.caption(
            f"{plain(now.name)}: of {len(rows)} labelled files with speech, {before} are right alone and {after} "
            "relative to each other."
        )

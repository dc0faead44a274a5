"""A classifier of one's own on the labelled files, with cross-validation by speaker."""

import json
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from pages.many_files import state
from pages.many_files.batch import TRAINING, Batch, BatchRow, confusion, predictions_of
from pages.ui.chart import chart
from pages.ui.export import download_rows, offer_download
from pages.ui.model_picker import get_model
from pages.ui.text import plain
from ser_core.data import UNKNOWN_SPEAKER
from ser_core.evaluation import MIN_CLIPS_PER_EMOTION, OwnHead, clips_for_head, missing_for_head, train_own_head
from ser_core.inference import NOT_ANALYSED
from ser_core.metrics import format_percent, uar
from ser_core.plots import confusion_heatmap, emotion_label


def show(batch: Batch) -> None:
    """Train, see what it is worth, apply, download."""
    labelled = [row for row in batch.labelled if row.item.embedding is not None and row.has_speech]
    st.markdown(
        f"A logistic regression on the embeddings of {state.space_model()} learns **your** labels. It is tested on "
        "speakers it was not trained on, so that the figure holds for new speakers."
    )
    if not labelled:
        st.info(batch.impossible_note or "Give labels first: the view “Labels” says how.")
        return
    _offer_training(labelled)
    now = state.upload_state()
    if now.head and set(now.head_files) <= {row.file_id for row in batch.rows}:
        _show_head(batch, now.head, [row for row in labelled if row.file_id in now.head_files])
        _show_applied(batch, now.head)


def _offer_training(labelled: list[BatchRow]) -> None:
    """On the emotions with enough files, where these are two; which are left out, or else what is missing."""
    emotions = [row.label.emotion for row in labelled]
    rows = [labelled[i] for i in clips_for_head(emotions)]
    is_enough = len({row.label.emotion for row in rows}) > 1
    if note := _left_out(emotions, rows) if is_enough else missing_for_head(emotions):
        st.caption(plain(note))
    n_files = len(rows if is_enough else labelled)
    if st.button(f"Train on {n_files} files", type="primary", key="train-head", disabled=not is_enough):
        _train(rows)


def _left_out(emotions: Sequence[str], rows: Sequence[BatchRow]) -> str:
    few = Counter(emotions) - Counter(row.label.emotion for row in rows)
    counts = ", ".join(f"{emotion} ({n_files})" for emotion, n_files in few.items())
    return f"Left out, with fewer than {MIN_CLIPS_PER_EMOTION} files: {counts}." if few else ""


def _train(labelled: list[BatchRow]) -> None:
    now = state.upload_state()
    emotions = [row.label.emotion for row in labelled]
    speakers = [row.label.speaker or UNKNOWN_SPEAKER for row in labelled]
    with st.spinner("Training and cross-validating"):
        now.head = train_own_head(np.stack([row.item.embedding for row in labelled]), emotions, speakers)
    now.head_files = tuple(row.file_id for row in labelled)


def _show_head(batch: Batch, head: OwnHead, rows: list[BatchRow]) -> None:
    """Its UAR beside those of the models and of chance."""
    if not head.by_speaker:
        st.warning(
            "The files name no speakers, or one: the same voices are in training and test. The figure holds for these "
            "voices only. Give speakers in a column `speaker`, or in folders."
        )
    speakers = f", {head.scores.n_speakers} speakers, no speaker in training and test"
    how = f"{head.n_folds} folds" + (speakers if head.by_speaker else " by file")
    lines = _score_lines(batch, head, rows)
    left, right = st.columns([1, 1.1], gap="large")
    with left:
        st.dataframe(
            lines, hide_index=True, key="head-scores", alt="UAR of your own classifier, the models, and chance"
        )
        interval = " Brackets: 95% interval over speakers." if head.scores.uar_ci else ""
        st.caption(f"Cross-validation: {how}.{interval}")
        if len(rows) < head.scores.n_clips:
            st.caption("The models are not compared: some of its labels cannot occur, by the choice in Models.")
        content = json.dumps(head.to_dict(state.space_model(), get_model(state.space_model()).version))
        offer_download("Download the classifier", content, "own_classifier.json", "application/json")
    with right:
        alt = f"Confusion matrix of your own classifier on {head.scores.n_clips} files, cross-validated"
        chart(confusion_heatmap(head.confusion, head.labels, counts=True), key="head-matrix", alt=alt)


def _score_lines(batch: Batch, head: OwnHead, rows: list[BatchRow]) -> list[dict]:
    lines = [_line("your own classifier", format_percent(head.scores.uar, head.scores.uar_ci), 0)]
    for model in batch.models if len(rows) == head.scores.n_clips else ():  # otherwise they are scored on other files
        n_known = sum(batch.part(row, model) == TRAINING for row in rows)
        has_run = len(predictions_of(rows, model)) == len(rows)  # on some of them it compares with nothing
        uar_percent = format_percent(float(uar(confusion(rows, model))), None) if has_run else NOT_ANALYSED
        lines.append(_line(model, uar_percent, n_known))
    return [*lines, _line("chance", format_percent(1 / len(head.labels), None), 0)]


def _line(classifier: str, uar_percent: str, n_known: int) -> dict:
    return {
        "classifier": classifier,
        "UAR %": uar_percent,
        "trained on": f"{n_known} of these files" if n_known else "",
    }


def _show_applied(batch: Batch, head: OwnHead) -> None:
    """Its predictions for the files without a label."""
    spoken = [row for row in batch.rows if row.item.embedding is not None and row.has_speech]
    rows = [row for row in spoken if not (row.label and row.label.emotion)]
    if not rows:
        return
    st.subheader("Files without a label", anchor=False)
    percent = {"probability": st.column_config.NumberColumn(format="percent")}
    table = applied_rows(rows, head, emotion_label)
    st.dataframe(table, hide_index=True, column_config=percent, alt="Predictions of your own classifier")
    download_rows("Download its predictions", applied_rows(rows, head), "own_classifier_predictions.csv")


def applied_rows(rows: Sequence[BatchRow], head: OwnHead, written: Callable[[str], str] = str) -> list[dict]:
    """Rows of the table and of the CSV; `written` formats an emotion."""
    probabilities = head.probabilities(np.stack([row.item.embedding for row in rows]))
    return [
        {
            "file": row.item.name,
            "your own classifier": written(head.labels[int(p.argmax())]),
            "probability": float(p.max()),
        }
        for row, p in zip(rows, probabilities, strict=True)
    ]

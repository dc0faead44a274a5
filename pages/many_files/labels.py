"""What the labels are worth: confusion, confounds, doubtful labels, duplicates; each playable."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from pages.many_files import state
from pages.many_files.batch import Batch, BatchRow, confusion, predictions_of
from pages.ui.chart import chart
from pages.ui.export import download_rows
from ser_core.evaluation import Confound, DoubtfulLabel, find_duplicates, measure_confounds, rank_doubtful_labels
from ser_core.inference import stack_probabilities
from ser_core.labels import EMOTIONS
from ser_core.plots import confound_bars, confusion_heatmap, emotion_label


def show(batch: Batch) -> None:
    """With labels all of it, otherwise duplicates alone, and how to give labels."""
    labelled = batch.labelled
    if labelled:
        left, right = st.columns([1.1, 1], gap="large")
        with left:
            _show_confusion(batch, labelled)
        with right:
            _show_confounds(labelled)
        _show_doubtful(batch, labelled)
    elif note := batch.impossible_note:
        st.info(note)
    else:
        st.info(
            "Labels are read from folders named after emotions, from a CSV with the columns path and emotion, or from "
            "the file names of known corpora. Add such a table under “Add files”.",
            title="None of these files has a label",
        )
    _show_duplicates(batch.rows)


def _show_confusion(batch: Batch, labelled: Sequence[BatchRow]) -> None:
    st.subheader("Confusion", anchor=False)
    models = batch.models
    model = st.selectbox("Model", models, key="batch-confusion") if len(models) > 1 else models[0]
    counts = confusion(labelled, model)
    if not counts.sum():
        st.caption(f"{model} has not run on these files yet.")
        return
    alt = f"Confusion matrix of {model} on {int(counts.sum())} files"
    chart(confusion_heatmap(counts, EMOTIONS, counts=True), key="batch-matrix", alt=alt)


def _show_confounds(labelled: Sequence[BatchRow]) -> None:
    """What predicts the label without any emotion."""
    st.subheader("What gives the label away?", anchor=False)
    found = _confounds(
        tuple(row.label.emotion for row in labelled),
        tuple((row.label.sentence, row.label.speaker) for row in labelled),
        tuple((round(row.item.level_db, 1), round(row.item.duration_s, 2)) for row in labelled),
    )
    if not found:
        st.caption("At least ten files with labels of two emotions are needed.")
        return
    _warn_of_confounds([confound.name for confound in found if confound.gives_away])
    alt = "; ".join(f"{c.name}: UAR {c.uar:.0%}, chance {c.chance:.0%}" for c in found)
    chart(confound_bars(found), key="confounds", alt=alt)
    st.caption(
        "UAR of guessing the label from one property, cross-validated over files; the bar is coloured where it beats "
        "permuted labels (p < 0.01). Louder anger may be real; a sentence or a speaker per emotion is a fault of the "
        "collection."
    )


def _warn_of_confounds(names: Sequence[str]) -> None:
    if names:
        st.warning(
            f"The label can be guessed from the {' and from the '.join(names)} alone, better than chance. A model "
            "trained on these files may learn that instead of emotion."
        )
    else:
        st.caption("None of these properties predicts the label better than chance.")


@st.cache_data(max_entries=8, show_spinner="Looking for confounds", scope="session")
def _confounds(emotions: tuple, known: tuple, measured: tuple) -> list[Confound]:
    sentences, speakers = zip(*known, strict=True)
    level_db, duration_s = zip(*measured, strict=True)
    groups = {name: values for name, values in (("sentence", sentences), ("speaker", speakers)) if any(values)}
    quantities = {"level": level_db, "duration": duration_s}
    return measure_confounds(emotions, groups, quantities, np.random.default_rng(0))


def _show_doubtful(batch: Batch, labelled: Sequence[BatchRow]) -> None:
    """Labels that the first model, or one's own classifier, speaks against."""
    st.subheader("Doubtful labels", anchor=False)
    rows, probabilities, judge = _judged(batch, [row for row in labelled if row.has_speech])
    if not rows:
        return
    found = rank_doubtful_labels(probabilities, [row.label.emotion for row in rows], EMOTIONS)
    st.caption(
        f"Files that {judge} predicts confidently as another emotion than their label, the most doubtful first "
        "(confident learning). Confidently: with at least the mean probability that files labelled so get. Listen "
        "before you change a label: the model may be wrong."
    )
    if not found:
        st.caption("None.")
        return
    table = [doubtful_row(rows[one.index], one, emotion_label) for one in found]
    _playable(table, [[rows[one.index]] for one in found], "doubtful")
    plain_rows = [doubtful_row(rows[one.index], one) for one in found]
    download_rows("Download the doubtful labels", plain_rows, "doubtful_labels.csv")


def doubtful_row(row: BatchRow, found: DoubtfulLabel, written: Callable[[str], str] = str) -> dict:
    """A row of the table and of the CSV, which may be a table of labels again; `written` formats an emotion."""
    return {
        "file": row.item.name,
        "label": written(found.label),
        "probability of the label": found.label_probability,
        "predicted": written(found.suggestion),
        "probability": found.suggestion_probability,
    }


def _judged(batch: Batch, labelled: Sequence[BatchRow]) -> tuple[list[BatchRow], np.ndarray, str]:
    """Files with probabilities that do not come from their own labels: (rows, (n, n_emotions), by what)."""
    now = state.upload_state()
    by_id = {row.file_id: row for row in labelled}
    if now.head and set(now.head_files) <= by_id.keys():
        spread = np.zeros((len(now.head_files), len(EMOTIONS)))
        spread[:, [EMOTIONS.index(label) for label in now.head.labels]] = now.head.held_out
        return [by_id[i] for i in now.head_files], spread, "your own classifier (cross-validated)"
    pairs = predictions_of(labelled, batch.models[0])
    if not pairs:
        return [], np.empty((0, len(EMOTIONS))), ""
    return [row for row, _ in pairs], stack_probabilities([p for _, p in pairs]), batch.models[0]


def _show_duplicates(rows: Sequence[BatchRow]) -> None:
    """Files with the same sound; those with two labels are faults for certain."""
    known = [row for row in rows if row.item.embedding is not None]
    found = find_duplicates([row.item.digest for row in known], np.stack([row.item.embedding for row in known]))
    st.subheader("Duplicates", anchor=False)
    if not found:
        st.caption("No two files have the same or nearly the same sound.")
        return
    table = [
        {
            "file": known[pair.first].item.name,
            "same sound as": known[pair.second].item.name,
            "labels": _both_labels(known[pair.first], known[pair.second]),
            "how": "identical" if pair.is_exact else f"similarity {pair.similarity:.3f}",
        }
        for pair in found
    ]
    _playable(table, [[known[pair.first], known[pair.second]] for pair in found], "duplicates")
    download_rows("Download the duplicates", table, "duplicates.csv")


def _both_labels(first: BatchRow, second: BatchRow) -> str:
    names = [row.label.emotion for row in (first, second) if row.label and row.label.emotion]
    return " / ".join(dict.fromkeys(names))


def _playable(table: list[dict], sounds: Sequence[Sequence[BatchRow]], key: str) -> None:
    """A table whose chosen row is played."""
    columns = {
        name: st.column_config.NumberColumn(format="percent") for name in ("probability of the label", "probability")
    }
    event = st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        column_config=columns,
        alt=f"Files, {key}",
    )
    for i in event.selection.rows:
        for n, row in enumerate(sounds[i] if i < len(sounds) else ()):
            st.text(row.item.name)
            st.audio(state.files()[row.file_id], autoplay=not n, alt=f"The file {row.item.name}")

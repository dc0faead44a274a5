"""What came out, before any table: counts of the emotions, abstentions, and accuracy by part of the corpora."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.many_files.batch import OWN, PARTS, TRAINING, UNSEEN, Batch, confusion, predictions_of
from pages.many_files.each_other import show_each_other
from pages.many_files.state import upload_state
from pages.ui.chart import chart
from pages.ui.emotion import CHOICE_HELP, choose_only
from pages.ui.layout import show_rows
from pages.ui.text import UAR_HELP
from ser_core.inference import Prediction
from ser_core.labels import EMOTIONS
from ser_core.metrics import accuracy, uar
from ser_core.plots import LabelScores, emotion_count_bars, format_duration

PART_NOTES = {
    UNSEEN: "corpus recordings the model was not trained on",
    OWN: "no recording of a known corpus",
    "development": "used to choose settings of the model",
    TRAINING: "the model was trained on these very recordings: no evidence",
}

COPIES_HELP = "The same sound as another file: listed under Labels, Duplicates. Scores count each recording once."


def show_overview(batch: Batch) -> None:
    """Figures, the counts of the first model, the accuracy where there are labels, and what may raise it."""
    model = batch.models[0]
    found = [p for row, p in predictions_of(batch.rows, model) if row.has_speech]
    with st.container(horizontal=True):
        _show_figures(batch, model, found)
    if found:
        left, right = st.columns([1, 1.1], gap="medium") if batch.labelled else (st.container(), None)
        with left:
            _show_counts(model, found)
        if right:
            with right:
                _show_accuracy(batch)
    else:
        st.caption(f"{model} has found no speech so far.")
    _show_possible(batch)
    show_each_other(batch, found)


def _show_figures(batch: Batch, model: str, found: Sequence[Prediction]) -> None:
    unsure = 100 * sum(p.abstain for p in found) / max(len(found), 1)
    st.metric("files", len(batch.rows), width=110)
    st.metric("audio", format_duration(sum(row.item.duration_s for row in batch.rows)), width=140)
    st.metric("not sure", f"{unsure:.0f}%", help=f"{model} abstains", width=110)
    n_silent = sum(not row.has_speech for row in batch.rows)
    others = {"no speech": n_silent, "unreadable": len(batch.unreadable), "with a label": len(batch.labelled)}
    for title, n_files in others.items():
        if n_files:
            st.metric(title, n_files, width=110)
    if batch.n_copies:
        st.metric("copies", batch.n_copies, help=COPIES_HELP, width=110)


def _show_counts(model: str, found: Sequence[Prediction]) -> None:
    counts = {emotion: Counter(p.abstain for p in found if p.emotion == emotion) for emotion in EMOTIONS}
    st.caption(f"Emotions predicted by {model}; the pale part: not sure")
    chart(
        emotion_count_bars({emotion: (c[False], c[True]) for emotion, c in counts.items()}),
        key="batch-counts",
        numbers=False,
        alt=", ".join(f"{emotion} {sum(c.values())}" for emotion, c in counts.items() if c),
    )


def _show_accuracy(batch: Batch) -> None:
    """UAR of each model by the part of the corpora that a file is from, unseen speakers first."""
    rows = [row for model in batch.models for row in _accuracy_rows(batch, model)]
    rows.sort(key=lambda row: PARTS.index(row["recordings"]))
    st.caption("Against the labels, unseen speakers first", help=UAR_HELP)
    show_rows(rows, "UAR and accuracy of each model by part", key="accuracy")
    if note := _training_note(rows):
        st.caption(note)


def _show_possible(batch: Batch) -> None:
    """Labels that the chosen emotions leave out of the scores, or an offer to choose those of the labels."""
    if note := batch.impossible_note:
        st.caption(note)
    emotions = {row.label.emotion for row in batch.labelled if row.label}
    if batch.possible == EMOTIONS and 1 < len(emotions) < len(EMOTIONS) and not upload_state().running:
        label = f"Choose among the {len(emotions)} emotions of the labels only"
        st.button(label, icon=":material/filter_alt:", on_click=choose_only, args=(emotions,), help=CHOICE_HELP)


def label_scores(batch: Batch, model: str) -> LabelScores | None:
    """One model against the labels, for a report; None without a labelled file that it has run on."""
    rows = _accuracy_rows(batch, model)
    notes = " ".join(filter(None, (_training_note(rows), batch.impossible_note)))
    return LabelScores(rows, confusion(batch.labelled, model), notes) if rows else None


def _training_note(rows: Sequence[dict]) -> str:
    has_training = any(row["recordings"] == TRAINING for row in rows)
    return f"{TRAINING.capitalize()}: {PART_NOTES[TRAINING]}." if has_training else ""


def _accuracy_rows(batch: Batch, model: str) -> list[dict]:
    rows = []
    for part in PARTS:
        counts = confusion([row for row in batch.labelled if batch.part(row, model) == part], model)
        if counts.sum():
            scores = {"UAR %": _percent(uar(counts)), "accuracy %": _percent(accuracy(counts))}
            named = {"recordings": part} | ({"model": model} if len(batch.models) > 1 else {})
            rows.append(named | {"files": int(counts.sum())} | scores)
    return rows


def _percent(value: float) -> float:
    return round(100 * float(value), 1)

"""The predictions of one model: confusion matrix, clips, calibration, curves."""

import streamlit as st

from pages.ui.chart import chart
from pages.ui.clip_table import show_clips
from pages.ui.results import EvaluationResults
from ser_core.data import corpus_name
from ser_core.evaluation import PredictionTable
from ser_core.metrics import precision_recall_curves, roc_curves
from ser_core.models import DEFAULT_MODEL
from ser_core.plots import (
    confusion_heatmap,
    emotion_label,
    precision_recall_lines,
    reliability_diagram,
    risk_coverage_lines,
    roc_lines,
)

EVERYTHING = "all"


def choose_model(found: EvaluationResults) -> str:
    """The model whose predictions are shown: the default one, then the best."""
    names = sorted(found.predictions, key=lambda name: name != DEFAULT_MODEL)
    return st.selectbox("Model", names, key="looked-at", bind="query-params")


def show_model(found: EvaluationResults) -> None:
    """Confusion matrix of one model, and the clips of each cell."""
    st.subheader("Confusion matrix", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = choose_model(found)
        present = [EVERYTHING, *dict.fromkeys(found.predictions[model].corpora.tolist())]
        corpus = st.selectbox("Corpus", present, format_func=corpus_name, key="corpus", width=180)
        counts = st.toggle("Counts", key="counts")
    corpus = None if corpus == EVERYTHING else corpus
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        cell = _show_confusion(found, model, corpus, counts)
    with right:
        st.caption("Click a cell, or choose here, to see its clips.")
        labels = found.comparison.labels
        true, predicted = _emotion("Label", labels, cell[0]), _emotion("Predicted", labels, cell[1])
        clips = found.clips(model, corpus, true, predicted)
        st.markdown(f"**{len(clips)}** clips, the most confident predictions first")
    show_clips(clips, f"{found.comparison.split}_{model}_clips.csv")


def _show_confusion(found: EvaluationResults, model: str, corpus: str | None, counts: bool) -> tuple:
    """Draws the matrix; label and prediction of the chosen cell, or (None, None)."""
    event = chart(
        confusion_heatmap(found.confusion(model, corpus), found.comparison.labels, counts),
        key=f"confusion-{found.comparison.split}-{model}-{corpus}-{counts}",
        on_select="rerun",
        selection_mode="points",
        alt="Confusion matrix; choose a cell, or the two emotions next to it, to see its clips.",
    )
    points = event.selection.points if event else []
    return tuple(points[0]["customdata"]) if points else (None, None)


def _emotion(title: str, labels: tuple[str, ...], chosen: str | None) -> str | None:
    options = (EVERYTHING, *labels)
    index = options.index(chosen) if chosen else 0
    picked = st.selectbox(title, options, index, format_func=emotion_label, key=f"{title}-{chosen}")
    return None if picked == EVERYTHING else picked


OTHER_RECORDINGS = (
    "The temperature was fitted on other recordings than these test clips (see the model card). Above the dotted line "
    "the model is right more often than its confidence says."
)


AREAS = {
    "ROC": "AUC: area under the curve, 0.5 by chance.",
    "Precision and recall": "AP: average precision, by chance the share of the emotion.",
}


def show_confidence(found: EvaluationResults) -> None:
    """Reliability diagram and risk-coverage curves."""
    st.subheader("Calibration", anchor=False)
    model = choose_model(found)
    left, right = st.columns(2, gap="medium")
    with left:
        _show_reliability(found, model)
    with right:
        st.caption(
            "All models: error rate against coverage, when the least confident predictions are left out. AURC: area "
            "under this curve, 0 at best."
        )
        curves = found.risk_curves()
        alt = ", ".join(f"{name}: area {curve.area:.3f}" for name, curve in curves.items())
        chart(risk_coverage_lines(curves), key="risk", alt=alt)
    _show_curves(model, found.predictions[model])


def _show_reliability(found: EvaluationResults, model: str) -> None:
    bins = found.reliabilities(model)
    st.caption(
        f"{model}: the dotted line is perfect calibration. ECE, expected calibration error: mean gap between "
        "confidence and accuracy, here of all corpora pooled. The logits are divided by the temperature before "
        "the softmax."
    )
    alt = ", ".join(f"{title}: expected calibration error {b.ece:.3f}" for title, b in bins.items())
    chart(reliability_diagram(bins, model), key="reliability", alt=alt)
    if bins["after temperature"].ece > bins["before temperature"].ece:
        st.caption(OTHER_RECORDINGS)


def _show_curves(model: str, predictions: PredictionTable) -> None:
    """ROC and precision-recall curves, computed on demand."""
    box = st.expander(f"{model}: each emotion against the rest", key=f"curves-{model}", on_change="rerun")
    if not box.open:
        return
    for column, curves, draw, title in zip(
        box.columns(2, gap="medium"),
        (roc_curves, precision_recall_curves),
        (roc_lines, precision_recall_lines),
        ("ROC", "Precision and recall"),
        strict=True,
    ):
        with column:
            st.caption(f"{title}. {AREAS[title]}")
            by_class = curves(predictions.probabilities, predictions.y_true)
            drawn = {predictions.labels[k]: curve for k, curve in by_class.items()}
            areas = ", ".join(f"{name} {curve.area:.2f}" for name, curve in drawn.items())
            chart(draw(drawn), key=title, alt=f"{title}, areas: {areas}")

"""Views of the page "Evaluation": figures with their tables and caveats."""

import streamlit as st

from pages.ui import results
from pages.ui.chart import chart
from pages.ui.clip_table import download_rows, show_clips
from pages.ui.results import EvaluationResults
from ser_core.data import CORPUS_NAMES
from ser_core.evaluation import CrossValidationResult, PredictionTable, RankedModel
from ser_core.metrics import format_percent, precision_recall_curves, roc_curves
from ser_core.plots import (
    class_score_dots,
    confusion_heatmap,
    emotion_label,
    precision_recall_lines,
    ranking_plot,
    reliability_diagram,
    risk_coverage_lines,
    roc_lines,
    score_heatmap,
)

MEASURES = {"uar": "UAR", "macro_f1": "macro-F1", "accuracy": "accuracy"}
TITLES = {
    "resonet": "ResoNet's split",
    "ravdess-random": "RAVDESS, random clips",
    "speaker-independent-8": "Unseen speakers of eight corpora, fold",
    "speaker-independent": "Unseen speakers, fold",
    "left-out": "Unseen corpus, trained on seven",
    "leave-one-corpus-out": "Unseen corpus",
}
EVERYTHING = "all"
RANKING, CONFUSION, CONFIDENCE, COMPARISON = "Ranking", "Confusion", "Confidence", "Comparison"


def title_of(split: str) -> str:
    """Display name of a test part."""
    name = next((name for name in TITLES if split.startswith(name)), None)
    return TITLES[name] + split.removeprefix(name).replace("-", " ", 1) if name else split


def show_empty() -> None:
    st.info(
        "With the recordings in `SER_CORPORA`: `python -m scripts.evaluate all --write`.",
        title="No model has been evaluated yet",
    )


def choose_part() -> str:
    """One view at a time: drawing all of them takes too long."""
    return st.segmented_control(
        "View",
        (RANKING, CONFUSION, CONFIDENCE, COMPARISON),
        default=RANKING,
        required=True,
        key="show",
        bind="query-params",
        label_visibility="collapsed",
    )


def _choose_model(found: EvaluationResults) -> str:
    """The model whose predictions are shown, the best one first."""
    return st.selectbox("Model", list(found.predictions), key="looked-at", bind="query-params")


def show_ranking(found: EvaluationResults) -> None:
    """All models, the best one on top."""
    comparison = found.comparison
    st.markdown(f"**{title_of(comparison.split)}.** {comparison.about}")
    if comparison.note:
        st.warning(
            "Some test speakers are in the training data. These figures say little about unseen speakers: "
            "use them only to compare models."
        )
    measure = st.segmented_control(
        "Measure", MEASURES, format_func=MEASURES.get, default="uar", key="measure", bind="query-params"
    )
    measure = measure or "uar"
    chart(
        ranking_plot(comparison.ranking, measure),
        key="ranking",
        numbers=False,
        alt=f"{MEASURES[measure]} of {len(comparison.ranking)} models; the table below has the numbers.",
    )
    rows = [_row(standing) for standing in comparison.ranking]
    st.dataframe(rows, hide_index=True, alt="Every model with its scores, averaged over the corpora")
    pooled = ", ".join(f"{s.model} {100 * s.pooled['uar']:.1f}" for s in comparison.ranking)
    st.caption(
        "Ranked by the UAR on left-out corpora, of the models that have it (the same recipe, trained on the other "
        "corpora), then by the mean over the corpora of this test part. UAR: mean of the recalls of the emotions; "
        "all eight are candidates for every clip. Results of weights that are not shipped cannot be repeated here."
    )
    st.caption(f"Pooled over all clips, where the largest corpus decides, UAR %: {pooled}.")
    download_rows("Download the ranking", rows, f"{comparison.split}_ranking.csv")
    corpora = {
        s.model: {CORPUS_NAMES[name]: scores["uar"] for name, scores in s.corpora.items()} for s in comparison.ranking
    }
    st.subheader("By corpus and emotion", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption("UAR of each corpus; in the table 95 % intervals over speakers, from eight of a corpus on")
        chart(score_heatmap(corpora), key="corpora", numbers=False, alt="UAR by model and corpus")
        with st.expander("Table"):
            rows = [_corpora_row(standing) for standing in comparison.ranking]
            st.dataframe(rows, hide_index=True, alt="UAR in percent by model and corpus, with intervals over speakers")
            download_rows("Download the corpora", rows, f"{comparison.split}_corpora.csv")
    with right:
        st.caption("F1 of each emotion")
        f1 = {s.model: {e: scores["f1"] for e, scores in s.per_class.items()} for s in comparison.ranking}
        chart(class_score_dots(f1), key="classes", alt="F1 by model and emotion")


def _row(standing: RankedModel) -> dict:
    left_out = None if standing.left_out is None else round(100 * standing.left_out, 1)
    means = {f"{title} %, mean": round(100 * standing.means[m], 1) for m, title in MEASURES.items()}
    rest = {"ECE, mean": round(standing.ece, 3), "weights shipped": standing.shipped}
    return {"model": standing.model, "left-out corpora UAR %": left_out} | means | rest


def _corpora_row(standing: RankedModel) -> dict:
    return {"model": standing.model} | {
        CORPUS_NAMES[name]: format_percent(scores["uar"], scores["uar_ci"]) for name, scores in standing.corpora.items()
    }


def show_all_folds(split: str) -> None:
    """Cross-validation: models trained once per fold, so that every speaker is tested as an unseen speaker."""
    models = results.all_folds(split)
    if not models:
        return
    st.subheader("All folds", anchor=False)
    st.caption(
        "UAR in percent, mean over the folds that test a corpus; in brackets the lowest and the highest of them. "
        "Each fold has a model of its own, made by the same recipe from the speakers of the other folds. "
        "The last columns are means over the corpora; a model without development speakers has no threshold, so no "
        "figure of abstention."
    )
    rows = [_folds_row(model) for model in models.values()]
    st.dataframe(rows, hide_index=True, alt="UAR of each corpus over all folds, by model")
    download_rows("Download all folds", rows, f"{split}_all_folds.csv")


def _folds_row(model: CrossValidationResult) -> dict:
    row = {"model": model.model, "folds": len(model.measured_folds)}
    for corpus, spreads in model.corpora.items():
        uar = spreads["uar"]
        row[CORPUS_NAMES[corpus]] = format_percent(uar.mean, (uar.lowest, uar.highest))
    row["mean"] = round(100 * model.mean_uar, 1)
    if (found := model.mean_confidence) and model.calibrated:
        row |= {"ECE": round(found.ece, 3), "answered %": round(100 * found.coverage)}
        row["right when answered %"] = round(100 * found.accuracy_when_answered)
    return row


def show_published(found: EvaluationResults) -> None:
    """Published results on this test part."""
    rows = [_published(standing) for standing in found.comparison.ranking if standing.published]
    if not rows:
        return
    st.subheader("Comparison with published results", anchor=False)
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="",
        alt="Accuracy and macro-F1 here, as published, and the difference in points",
    )


def _published(standing: RankedModel) -> dict:
    row = {"model": standing.model}
    for measure in ("accuracy", "macro_f1"):
        if measure in standing.published:
            title = MEASURES[measure]
            row[f"{title} %"] = round(100 * standing.pooled[measure], 1)
            row[f"{title} %, published"] = round(100 * standing.published[measure], 1)
            row[f"{title}, points"] = round(100 * standing.difference[measure], 1)
    return row


def show_model(found: EvaluationResults) -> None:
    """Confusion matrix of one model, and the clips of each cell."""
    st.subheader("Confusion matrix", anchor=False)
    with st.container(horizontal=True):
        model = _choose_model(found)
        present = [EVERYTHING, *dict.fromkeys(found.predictions[model].corpora.tolist())]
        corpus = st.selectbox("Corpus", present, format_func=lambda c: CORPUS_NAMES.get(c, c), key="corpus")
        counts = st.toggle("Counts", key="counts")
    corpus = None if corpus == EVERYTHING else corpus
    matrix = found.confusion(model, corpus)
    labels = found.comparison.labels
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        event = chart(
            confusion_heatmap(matrix, labels, counts),
            key=f"confusion-{found.comparison.split}-{model}-{corpus}-{counts}",
            on_select="rerun",
            selection_mode="points",
            alt="Confusion matrix; choose a cell, or the two emotions next to it, to see its clips.",
        )
    points = event.selection.points if event else []
    with right:
        st.caption("Click a cell, or choose here, to see its clips.")
        chosen = tuple(points[0]["customdata"]) if points else (None, None)
        true = _emotion("Label", labels, chosen[0])
        predicted = _emotion("Predicted", labels, chosen[1])
        clips = found.clips(model, corpus, true, predicted)
        st.markdown(f"**{len(clips)}** clips, the most confident predictions first")
    show_clips(clips, f"{found.comparison.split}_{model}_clips.csv")


def _emotion(title: str, labels: tuple[str, ...], chosen: str | None) -> str | None:
    options = (EVERYTHING, *labels)
    index = options.index(chosen) if chosen else 0
    picked = st.selectbox(
        title, options, index, format_func=lambda e: e if e == EVERYTHING else emotion_label(e), key=f"{title}-{chosen}"
    )
    return None if picked == EVERYTHING else picked


def show_confidence(found: EvaluationResults) -> None:
    """Reliability diagram and risk-coverage curves."""
    st.subheader("Calibration", anchor=False)
    model = _choose_model(found)
    left, right = st.columns(2, gap="medium")
    with left:
        bins = found.reliabilities(model)
        st.caption(f"{model}: the dotted line is perfect calibration")
        chart(
            reliability_diagram(bins),
            key="reliability",
            alt=", ".join(f"{title}: expected calibration error {b.ece:.3f}" for title, b in bins.items()),
        )
    with right:
        st.caption("All models: error rate against coverage, when the least confident predictions are left out")
        curves = found.risk_curves()
        chart(
            risk_coverage_lines(curves),
            key="risk",
            alt=", ".join(f"{name}: area {curve.area:.3f}" for name, curve in curves.items()),
        )
    _show_curves(model, found.predictions[model])


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
            st.caption(title)
            by_class = curves(predictions.probabilities, predictions.y_true)
            drawn = {predictions.labels[k]: curve for k, curve in by_class.items()}
            areas = ", ".join(f"{name} {curve.area:.2f}" for name, curve in drawn.items())
            chart(draw(drawn), key=title, alt=f"{title}, areas: {areas}")

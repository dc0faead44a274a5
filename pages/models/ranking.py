"""The ranking of the models on one test part, its folds, and published results."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import streamlit as st

from pages.ui import results
from pages.ui.chart import chart
from pages.ui.export import download_rows, offer_table
from pages.ui.layout import show_rows
from pages.ui.results import EvaluationResults
from pages.ui.text import plain, split_title
from ser_core.data import CORPUS_NAMES, SPEAKER_INDEPENDENT, SPEAKER_INDEPENDENT_8
from ser_core.evaluation import (
    Comparison,
    CrossValidationResult,
    RankedModel,
    listener_uars,
    mean_over_corpora,
    published_table,
)
from ser_core.metrics import format_percent
from ser_core.plots import SCORE_TITLES, class_score_dots, ranking_plot, score_heatmap

WIDER = {SPEAKER_INDEPENDENT: SPEAKER_INDEPENDENT_8}  # protocol -> another one whose test parts hold its clips


def show_ranking(found: EvaluationResults) -> None:
    """All models, the best one on top."""
    comparison = found.comparison
    st.markdown(f"**{split_title(comparison.split)}.** {comparison.about}")
    added = _trained_on_more(comparison)
    ranking = [*added, *comparison.ranking]
    _show_plot(comparison, ranking)
    if added:
        names = " and ".join(standing.model for standing in added)
        st.caption(f"{names}: the same test clips, but trained on more corpora.")
    _show_table(comparison, ranking)
    st.subheader("By corpus and emotion", anchor=False)
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        _show_corpora(comparison, ranking)
    with right:
        st.caption("F1 of each emotion")
        f1 = {s.model: {e: scores["f1"] for e, scores in s.per_class.items()} for s in comparison.ranking}
        chart(class_score_dots(f1), key="classes", alt="F1 by model and emotion")


def _show_plot(comparison: Comparison, ranking: Sequence[RankedModel]) -> None:
    measure = st.segmented_control(
        "Measure", SCORE_TITLES, format_func=SCORE_TITLES.get, default="uar", key="measure", bind="query-params"
    )
    measure = measure or "uar"
    chart(
        ranking_plot(ranking, measure, _references(comparison) if measure == "uar" else {}),
        key="ranking",
        numbers=False,
        alt=f"{SCORE_TITLES[measure]} of {len(ranking)} models; the table below has the numbers.",
    )


def _show_table(comparison: Comparison, ranking: Sequence[RankedModel]) -> None:
    rows = [_row(standing) | _left_out(standing, ranking) for standing in ranking]
    show_rows(rows, "Every model with its scores, averaged over the corpora")
    pooled = ", ".join(f"{s.model} {100 * s.pooled['uar']:.1f}" for s in comparison.ranking)
    measured = any(standing.left_out is not None for standing in ranking)
    first = "UAR on left-out corpora where the table has it (same recipe, trained on three corpora), then by the "
    st.caption(
        f"Ranked by the {first if measured else ''}mean UAR over the corpora of this test part. UAR: mean of the "
        "recalls of the emotions; all eight are candidates for every clip. Macro-F1: mean of their F1, the harmonic "
        "mean of precision and recall. ECE, expected calibration error: mean gap between confidence and accuracy, 0 at "
        "best. Results of weights that are not shipped cannot be repeated here."
    )
    st.caption(f"Pooled over all clips, where the largest corpus decides, UAR %: {pooled}.")
    download_rows("Download the ranking", rows, f"{comparison.split}_ranking.csv")


def _show_corpora(comparison: Comparison, ranking: Sequence[RankedModel]) -> None:
    corpora = {s.model: {CORPUS_NAMES[name]: scores["uar"] for name, scores in s.corpora.items()} for s in ranking}
    st.caption("UAR of each corpus; in the table 95% intervals over speakers, from eight of a corpus on")
    chart(score_heatmap(corpora), key="corpora", numbers=False, alt="UAR by model and corpus")
    rows = [_corpora_row(standing) for standing in ranking]
    alt = "UAR in percent by model and corpus, with intervals over speakers"
    offer_table(rows, alt, "corpora-table", "Download the corpora", f"{comparison.split}_corpora.csv")


def _references(comparison: Comparison) -> dict[str, float]:
    """Name -> UAR of chance, and of the listeners to these corpora."""
    people = {f"listener, {CORPUS_NAMES[c]}": uar for c, uar in listener_uars().items()}
    there = {f"listener, {CORPUS_NAMES[c]}" for c in comparison.pooled_corpora}
    return {"chance": 1 / len(comparison.labels)} | {name: uar for name, uar in people.items() if name in there}


def _trained_on_more(comparison: Comparison) -> list[RankedModel]:
    """Models whose own test part holds the clips of this one: only scores by corpus can be compared."""
    protocol, _, fold = comparison.split.rpartition("-")
    other = f"{WIDER.get(protocol)}-{fold}"
    if other not in results.splits():
        return []
    corpora, known = comparison.ranking[0].corpora, {standing.model for standing in comparison.ranking}
    wider = results.load_results(other).comparison.ranking
    return [_restricted(standing, corpora) for standing in wider if standing.model not in known]


def _restricted(standing: RankedModel, corpora: Iterable[str]) -> RankedModel:
    scores = {corpus: standing.corpora[corpus] for corpus in corpora}
    means = {measure: mean_over_corpora({"corpora": scores}, measure) for measure in SCORE_TITLES}
    return replace(standing, corpora=scores, means=means, left_out=None, ece=None)


def _row(standing: RankedModel) -> dict:
    means = {f"{title} %, mean": round(100 * standing.means[m], 1) for m, title in SCORE_TITLES.items()}
    rest = {"ECE, mean": standing.ece and round(standing.ece, 3), "weights shipped": standing.shipped}
    return {"model": standing.model} | means | rest


def _left_out(standing: RankedModel, ranking: Sequence[RankedModel]) -> dict:
    """A column of its own where any model has this figure."""
    if all(one.left_out is None for one in ranking):
        return {}
    return {"left-out corpora UAR %": standing.left_out and round(100 * standing.left_out, 1)}


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
    show_rows(rows, "UAR of each corpus over all folds, by model")
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
    """Published results on this test part, where they come from, and how far they compare."""
    rows = [_published(standing) for standing in found.comparison.ranking if standing.reached is not None]
    table = published_table(found.comparison.split)
    if not rows or table is None:
        return
    st.subheader("Comparison with published results", anchor=False)
    show_rows(rows, "Accuracy and macro-F1 here, as published, and the difference in points")
    st.caption(plain(f"Pooled over all clips, here and there. Published: {table['source']}. {table['note']}"))


def _published(standing: RankedModel) -> dict:
    row = {"model": standing.model, "published as": standing.published["title"]}
    for measure in ("accuracy", "macro_f1"):
        if measure in standing.published:
            title = SCORE_TITLES[measure]
            row[f"{title} %"] = round(100 * standing.pooled[measure], 1)
            row[f"{title} %, published"] = round(100 * standing.published[measure], 1)
            row[f"{title}, points"] = round(100 * standing.difference[measure], 1)
    return row

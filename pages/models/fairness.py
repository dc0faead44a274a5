"""Scores of groups of speakers: does a model work equally well for all?"""

import streamlit as st

from pages.models.predictions import EVERYTHING, choose_model
from pages.ui import results
from pages.ui.chart import chart
from pages.ui.export import offer_table
from pages.ui.results import EvaluationResults
from ser_core.data import CORPUS_NAMES, corpus_name
from ser_core.evaluation import GROUPINGS, PredictionTable, score_groups
from ser_core.metrics import Scores, format_percent
from ser_core.plots import group_intervals

FIRST_CORPUS = "crema_d"  # sex and age of every speaker are known, and there are many of them


def show_groups(found: EvaluationResults) -> None:
    """UAR by sex, by age and by corpus, with intervals."""
    with st.container(horizontal=True):
        model = choose_model(found)
        table = results.unseen_predictions(found.comparison.split, model)
        part = _choose_corpus(table)
    of_all_folds = len(table.utterances) > len(found.predictions[model].utterances)
    whose = " of all folds together, whichever is chosen as the test part" if of_all_folds else ""
    charted = "" if part is table else f", {_n_speakers(part)} of them in the charts by sex and age"
    st.caption(
        f"{_n_speakers(table)} test speakers{whose}{charted}. The bars are 95% intervals over speakers: where "
        "those of two groups overlap widely, the difference may be chance. UAR is comparable only between groups with "
        "the same emotions."
    )
    rows: list[dict] = []
    for column, by in zip((*st.columns(2, gap="medium"), st.container()), GROUPINGS, strict=True):
        groups = score_groups(table if by == "corpus" else part, by)
        rows += [_row(by, name, scores) for name, scores in groups.items()]
        with column:
            _show_grouping(by, groups, model, {"chance": 1 / len(table.labels)})
    name = f"{found.comparison.split}_{model}_groups.csv"
    offer_table(rows, "UAR of every group of speakers", "groups-table", "Download the groups", name)


def _n_speakers(table: PredictionTable) -> int:
    return len(set(table.speakers.tolist()))


def _choose_corpus(table: PredictionTable) -> PredictionTable:
    """The predictions for the chosen corpus, or for all."""
    found = dict.fromkeys(table.corpora.tolist())
    corpora = [corpus for corpus in dict.fromkeys([*CORPUS_NAMES, *found]) if corpus in found]
    options = [EVERYTHING, *corpora]
    start = options.index(FIRST_CORPUS) if FIRST_CORPUS in corpora else 0
    title = "Sex and age in"
    corpus = st.selectbox(title, options, start, format_func=corpus_name, key="group-corpus")
    return table if corpus == EVERYTHING else table.of_corpus(corpus)


def _show_grouping(by: str, groups: dict[str, Scores], model: str, references: dict[str, float]) -> None:
    st.markdown(f"**By {by}**")
    if not groups:
        st.caption(f"The {by} of these speakers is unknown.")
        return
    alt = "; ".join(f"{name}: UAR {format_percent(s.uar, s.uar_ci)} %" for name, s in groups.items())
    chart(group_intervals(groups, model, references), key=f"by-{by}", numbers=False, alt=alt)


def _row(by: str, name: str, scores: Scores) -> dict:
    found = format_percent(scores.uar, scores.uar_ci)
    return {"by": by, "group": name, "UAR %": found, "speakers": scores.n_speakers, "clips": scores.n_clips}

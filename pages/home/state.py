"""Models and recordings found on this machine, read from files alone, and how to get the others."""

from collections import Counter

import streamlit as st

from pages.ui import results
from pages.ui.text import UAR_HELP
from ser_core.data import CORPUS_NAMES, OTHER_LANGUAGE_CORPORA, ProtocolError, split_name
from ser_core.evaluation import INTENDED_USE, ResultError, mean_over_corpora, ranking_key
from ser_core.models import HOW_TO_TRAIN, MODELS, CheckpointError, available_models, read_metrics

ROW_HEIGHT = 24  # pixels: all models fit on one screen
PARAGRAPH = "\n\n"
UNSEEN = {
    "left-out corpora": "Mean over the corpora, each tested by a model trained on the others: other rooms and people.",
    "unseen speakers": "All folds, mean over the corpora: new speakers of known corpora.",
    "fold 0": "Fold 0 alone, mean over the corpora.",
}
"""Title of a column -> the test, in the order of the ranking."""
PROTOCOL = st.column_config.TextColumn(width=152)


def show_models() -> None:
    """The models that are there: trained under what, and how good. Then those that are missing."""
    found = available_models()
    if not found:
        st.info(HOW_TO_TRAIN, title="No trained model yet")
        return
    headlines = _headlines()
    rows = sorted((_row(name, headlines.get(name, {})) for name in found), key=_ranking)
    rows.sort(key=lambda row: row["model"] != found[0])  # stable: the default model, then the ranking
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height="content",
        placeholder="",
        column_config={"protocol": PROTOCOL} | {name: _uar_column(test) for name, test in UNSEEN.items()},
        alt=f"{len(found)} models are here",
    )
    st.caption(
        "The default model, then the others by UAR in percent. Models of other protocols have no figure here: "
        "see Evaluation and docs/results.md."
    )
    if missing := [name for name in MODELS if name not in found]:
        st.caption(f"Not installed: {', '.join(missing)}. See docs/training.md, or `python -m scripts.train --help`.")


def _headlines() -> dict[str, dict[str, float]]:
    try:
        return results.headlines()
    except (ResultError, ProtocolError):  # the page Evaluation names the file
        return {}


def _uar_column(test: str):
    return st.column_config.NumberColumn(help=f"{UAR_HELP} {test}", format="%.1f", width=64)


def _row(name: str, headline: dict[str, float]) -> dict:
    """A damaged or foreign metrics.json is reported, not shown. No figure where test speakers are known."""
    try:
        metrics = read_metrics(name)
        if not metrics:
            return {"model": name, "protocol": "found, not evaluated"}
        protocol, fold = metrics["protocol"], metrics["fold"]
        uars, own = dict(headline), mean_over_corpora(metrics, "uar")
        if (protocol, fold) == ("speaker-independent", "0"):
            uars["fold 0"] = own
        row = {"model": name, "protocol": split_name(protocol, fold)}
        return row | {title: round(100 * uars[title], 1) for title in UNSEEN if title in uars}
    except (CheckpointError, AttributeError, KeyError, TypeError):
        return {"model": name, "protocol": "found, metrics damaged"}


def _ranking(row: dict) -> tuple:
    """Left-out corpora where a model has them, then unseen speakers; the others by name."""
    fold_0 = row.get("fold 0")
    return fold_0 is None, ranking_key(row.get("left-out corpora"), fold_0 or 0.0, row["model"])


def show_corpora() -> None:
    """How many recordings of each corpus are there."""
    counted = Counter(name.split("/")[0] for name in results.recordings())
    shown = [corpus for corpus in CORPUS_NAMES if counted[corpus] or corpus not in OTHER_LANGUAGE_CORPORA]
    states = [f"{CORPUS_NAMES[c]} {f'{counted[c]:,}' if counted[c] else 'missing'}" for c in shown]
    st.markdown("**Recordings of actors:** " + " · ".join(states))
    if not all(counted[corpus] for corpus in shown):
        st.caption(
            "Set `SER_CORPORA` to the folder with RAVDESS, CREMA-D, TESS and SAVEE and restart; to train, run "
            "`python -m scripts.prepare_corpora` once."
        )


def show_use() -> None:
    """Intended use, in the words of the cards."""
    st.subheader("Intended use", anchor=False)
    st.markdown(f":small[{INTENDED_USE.partition(PARAGRAPH)[0]}]")


def show_limits() -> None:
    """Out of scope, in the words of the cards."""
    st.subheader("Out of scope", anchor=False)
    st.markdown(f":small[{INTENDED_USE.partition(PARAGRAPH)[2]}]")

"""Models and recordings found on this machine, read from files alone, and how to get the others."""

from collections import Counter

import streamlit as st

from pages.ui import results
from pages.ui.text import UAR_HELP
from ser_core.data import CORPUS_NAMES, OTHER_LANGUAGE_CORPORA, split_name
from ser_core.evaluation import INTENDED_USE
from ser_core.models import HOW_TO_TRAIN, MODELS, CheckpointError, available_models, read_metrics

ROW_HEIGHT = 24  # pixels: all models fit on one screen
PARAGRAPH = "\n\n"
UAR = st.column_config.NumberColumn(
    help=f"{UAR_HELP} Here on the test part of the protocol; only figures of one protocol can be compared.",
    format="%.1f",
    width=64,
)
PROTOCOL = st.column_config.TextColumn(width=152)


def show_models() -> None:
    """The models that are there: trained under what, and how good. Then those that are missing."""
    found = available_models()
    if not found:
        st.info(HOW_TO_TRAIN, title="No trained model yet")
        return
    st.dataframe(
        [_row(name) for name in found],
        hide_index=True,
        row_height=ROW_HEIGHT,
        height="content",
        placeholder="",
        column_config={"protocol": PROTOCOL, "UAR %": UAR},
        alt=f"{len(found)} models are here",
    )
    if missing := [name for name in MODELS if name not in found]:
        st.caption(f"Not installed: {', '.join(missing)}. See docs/training.md, or `python -m scripts.train --help`.")


def _row(name: str) -> dict:
    """A damaged or foreign metrics.json is reported, not shown."""
    try:
        metrics = read_metrics(name)
        if not metrics:
            return {"model": name, "protocol": "found, not evaluated"}
        protocol = split_name(metrics["protocol"], metrics["fold"])
        return {"model": name, "protocol": protocol, "UAR %": round(100 * metrics["pooled"]["uar"], 1)}
    except (CheckpointError, KeyError, TypeError):
        return {"model": name, "protocol": "found, metrics damaged"}


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

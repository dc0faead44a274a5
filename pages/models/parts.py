"""What can be seen on the page: the views, and the test parts by name."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.text import split_title
from ser_core.evaluation import Comparison

SPLIT = "split"  # of the widget, and in the address
SUMMARY, RANKING, CONFUSION, CONFIDENCE = "Summary", "Ranking", "Confusion", "Confidence"
FAIRNESS, COMPARISON, CARD, TRAINING = "Groups of speakers", "Comparison", "Model card", "Training"
VIEWS = (SUMMARY, RANKING, CONFUSION, CONFIDENCE, FAIRNESS, COMPARISON, CARD, TRAINING)


def choose_part() -> str:
    """One view at a time: drawing all of them takes too long."""
    return st.segmented_control(
        "View",
        VIEWS,
        default=SUMMARY,
        required=True,
        key="show",
        bind="query-params",
        label_visibility="collapsed",
        wrap=True,
    )


def choose_split(names: Sequence[str]) -> str | None:
    """The test part; None, with what to do, where nothing was evaluated."""
    if not names:
        st.info(
            "With the recordings in `SER_CORPORA`: `python -m scripts.evaluate all --write`.",
            title="No model has been evaluated yet",
        )
        return None
    named = st.query_params.get(SPLIT)  # by its name: a bound widget would expect the title
    if named in names and SPLIT not in st.session_state:
        st.session_state[SPLIT] = named
    chosen = st.selectbox("Test part", names, format_func=split_title, key=SPLIT)
    if chosen != names[0] or named:
        st.query_params[SPLIT] = chosen
    return chosen


def warn_of_shared_speakers(comparison: Comparison) -> None:
    """Above every view of a test part that is no test of unseen speakers: an address may lead to any of them."""
    if comparison.note:
        st.warning(
            "Some test speakers are in the training data. These figures say little about unseen speakers: "
            "use them only to compare models."
        )

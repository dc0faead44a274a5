"""The verdict on a model in two sentences and one chart."""

import streamlit as st

from pages.ui.chart import chart
from pages.ui.export import download_rows
from pages.ui.layout import opened, show_rows
from pages.ui.problems import show_no_model
from pages.ui.results import read_verdict, read_verdicts
from pages.ui.text import UAR_HELP, plain
from ser_core.data import CORPUS_NAMES
from ser_core.evaluation import Verdict
from ser_core.models import available_models
from ser_core.plots import verdict_plot

PEOPLE_CORPUS = "crema_d"  # the one with votes of thousands of listeners


def show_verdict() -> None:
    """Of the default model, in one sentence; what to do where nothing was measured."""
    names = available_models()
    if not names:
        show_no_model()
        return
    found = read_verdict(names[0])
    if found.mean_unseen is None:
        st.info(f"`python -m scripts.evaluate {names[0]} --write`", title=f"{names[0]} has not been evaluated yet")
        return
    st.markdown(describe_verdict(found), help=UAR_HELP)


def describe_verdict(found: Verdict) -> str:
    """One sentence on the model, and one on people, in Markdown."""
    shares = [f"**{found.mean_unseen:.0%}** where only the speakers are new"]
    if found.mean_left_out is not None:
        shares.insert(0, f"**{found.mean_left_out:.0%}** in corpora left out of training")
    sentence = (
        f"Of acted emotions, **{plain(found.model)}** recognises {' and '.join(shares)} (UAR); "
        f"guessing gives {found.chance:.1%}."
    )
    people = found.listeners.get(PEOPLE_CORPUS)
    own = [values[PEOPLE_CORPUS] for values in (found.left_out, found.unseen) if PEOPLE_CORPUS in values]
    if people is None or not own:
        return sentence
    reached = " and ".join(f"{value:.0%}" for value in own)
    return f"{sentence} On {CORPUS_NAMES[PEOPLE_CORPUS]} it reaches {reached}, one human listener {people:.0%}."


def show_by_corpus() -> None:
    """The figures of each corpus, of any model that has some."""
    verdicts = read_verdicts(available_models())
    names = [name for name, found in verdicts.items() if found.unseen]
    if not names:
        return
    st.subheader("What to expect, by corpus", anchor=False)
    found = verdicts[st.selectbox("Model", names, key="model", bind="query-params")]
    left_out = " and left out of training" if found.left_out else ""
    alt = f"UAR of {found.model} by corpus, for unseen speakers{left_out}; the table has the numbers."
    chart(verdict_plot(found), key="verdict", numbers=False, alt=alt)
    expected = "the open circles" if found.left_out else "less than this; how much less was not measured"
    whose = (
        "all speakers of the corpus, each tested once by a model of the same recipe that was not trained on them"
        if found.all_folds
        else "the test speakers of this model alone, of some corpora only one or two"
    )
    st.caption(
        f"A new microphone, room or language is a corpus the model was not trained on: expect {expected}. "
        f"Filled circles: {whose}. All corpora are acted speech."
    )
    if box := opened("Table", "verdict-table"):
        with box:
            rows = show_table(found)
            download_rows("Download the numbers", rows, f"{found.model}_corpora.csv")


def show_table(found: Verdict) -> list[dict]:
    """The figures of each corpus; returns the rows."""
    rows = [_row(found, corpus) for corpus in CORPUS_NAMES if corpus in found.unseen or corpus in found.left_out]
    show_rows(rows, f"UAR in percent of {found.model} by corpus")
    return rows


def _row(found: Verdict, corpus: str) -> dict:
    unseen = "unseen speakers, all folds" if found.all_folds else "unseen speakers"  # the card has those of one fold
    columns = {"left out of training": found.left_out, unseen: found.unseen, "one listener": found.listeners}
    percents = {f"{k}, UAR %": round(100 * v[corpus], 1) if corpus in v else None for k, v in columns.items()}
    return {"corpus": CORPUS_NAMES[corpus]} | percents

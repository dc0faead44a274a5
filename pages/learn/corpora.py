"""The lesson on acted corpora: every figure comes from a result file, and is omitted where that is missing."""

import streamlit as st

from pages.ui.chart import chart
from pages.ui.results import load_results, statistics
from pages.ui.text import UAR_HELP, plain, split_title
from ser_core.data import CORPUS_NAMES, ProtocolError
from ser_core.evaluation import (
    ComparisonError,
    EvaluationResult,
    LeakageReport,
    ResultError,
    list_results,
    load_result,
    result_path,
)
from ser_core.interpret import emotion_eta_squared, shared_speaker_fraction
from ser_core.plots import seen_and_unseen_speakers

UNSEEN, SHARED = "speaker-independent-0", "resonet"  # test parts
MEASURE = "pitch_sd_semitones"
EXPLAINED = "explained by emotion"  # short: a phone shows the figures below it


def show() -> None:
    st.markdown(
        "Actors speak given words in quiet rooms, and each plays an emotion in the same way again and again. A model "
        "can learn the habits of these few people instead of emotion; if the same people are in training and in test, "
        "the test cannot reveal it. Everyday emotions are mostly weaker, and mixed."
    )
    names = [path.stem for path in list_results(UNSEEN) if result_path(SHARED, path.stem).is_file()]
    if names:
        start = names.index("resonet") if "resonet" in names else 0
        name = st.selectbox("Model", names, start, key="model", help=UAR_HELP)
        try:
            _show_gap(*(_result(name, split) for split in (UNSEEN, SHARED)))
        except (ResultError, ProtocolError) as error:
            st.warning(plain(str(error)))
    else:
        st.caption(
            "The effect of known speakers is not measured yet: train a model under `--protocol resonet` and under "
            "`--protocol speaker-independent --fold 0`, then `python -m scripts.evaluate all --write`."
        )
    _show_leak()
    _show_regularity()


def _result(name: str, split: str) -> EvaluationResult:
    path = result_path(split, name)
    return _read(path, path.stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner="Reading the results")
def _read(path, modified_ns: int) -> EvaluationResult:
    return load_result(path)


def _show_gap(unseen: EvaluationResult, shared: EvaluationResult) -> None:
    """The same model trained and tested twice: without and with voices that it knows."""
    known = shared_speaker_fraction(shared.protocol, shared.fold)
    pairs = {
        CORPUS_NAMES[c] + (", speakers known" if known[c] else ""): (
            unseen.metrics["corpora"][c]["uar"],
            shared.metrics["corpora"][c]["uar"],
        )
        for c in shared.metrics["corpora"]
        if c in unseen.metrics["corpora"]
    }
    titles = split_title(UNSEEN), split_title(SHARED)
    alt = "; ".join(f"{row}: UAR {one:.0%} unseen, {other:.0%} under {SHARED}" for row, (one, other) in pairs.items())
    chart(seen_and_unseen_speakers(pairs, titles), key="gap", alt=alt)
    st.caption(
        f"UAR of {unseen.model}, trained twice: “{titles[0]}”, and “{titles[1]}”, where the test speakers of "
        f"{_listed([CORPUS_NAMES[c] for c in known if known[c]])} are in training too and the others are not."
    )


def _listed(names: list[str]) -> str:
    return " and ".join(names) if names else "no corpus"


def _show_leak() -> None:
    """Effect of leakage: a split drawn without a seed."""
    try:
        leaks = load_results(SHARED).comparison.leaks if list_results(SHARED) else ()
    except (ResultError, ComparisonError, ProtocolError) as error:
        st.warning(plain(str(error)))
        return
    for leak in leaks:
        st.markdown(f"**A split that is drawn twice.** {_leaked(leak)}")
    if leaks:
        st.page_link(
            "pages/models/page.py",
            label="All figures on leakage",
            icon=":material/bar_chart:",
            query_params={"split": SHARED, "show": "Comparison"},
        )
    else:
        st.caption("Leakage is not measured yet; docs/results.md, “What leakage is worth”, has the commands.")


def _leaked(leak: LeakageReport) -> str:
    """In words: every corpus of whose test clips some were trained on."""
    parts = [
        f"{part.groups['training'].share:.0%} of the test clips of {CORPUS_NAMES[c]} were in training, and the "
        f"accuracy is {part.leaked['accuracy']:.1%} instead of {part.twin['accuracy']:.1%}"
        for c, part in leak.parts.items()
        if c in CORPUS_NAMES and part.twin and part.groups["training"].n_clips
    ]
    return "A split script without a seed draws other speakers at every run. Here: " + "; ".join(parts) + "."


def _show_regularity() -> None:
    """How much of a property of the sound is decided by the emotion alone: the more, the more regular the acting."""
    found = statistics()
    if not found:
        st.caption("The regularity of the acting is not measured yet: `python -m scripts.corpus_statistics`.")
        return
    measure = found["measures"][MEASURE]
    rows = [
        {
            "corpus": CORPUS_NAMES[corpus],
            "speakers": sum(found["speakers"][corpus].values()),
            EXPLAINED: round(emotion_eta_squared(_groups(found, corpus)), 2),
        }
        for corpus in found["clips"]
    ]
    st.markdown(
        f"**How regular the acting is.** {measure['title']}: how far the pitch moves within a recording. The more of "
        "it is explained by the emotion, the easier the test; the rest is speaker, words and chance."
    )
    percent = st.column_config.NumberColumn(
        format="percent", help="Eta squared: the share of its variance between emotions."
    )
    st.dataframe(rows, hide_index=True, column_config={EXPLAINED: percent}, alt="How regular each corpus is")


def _groups(found: dict, corpus: str) -> list[dict]:
    return [g for g in found["groups"] if (g["measure"], g["corpus"], g["sex"]) == (MEASURE, corpus, "all")]

"""The training runs on this machine: state, curves, confusion, settings."""

import time

import streamlit as st

from pages.ui.chart import chart
from pages.ui.layout import show_rows
from ser_core.data import corpus_name
from ser_core.plots import confusion_heatmap, learning_curves
from ser_core.training import (
    DEV_CONFUSION_KEY,
    DEV_UAR,
    RunRecord,
    config_differences,
    flatten_config,
    list_runs,
    mean_dev_uar,
)

REFRESH_S = 5
STALLED_S = 900  # a run without progress for longer than its epochs take has stopped
TITLES = {
    "loss": "loss",
    "learning_rate": "learning rate",
    "seconds": "seconds an epoch",
    "clips_per_s": "clips per second",
}


@st.fragment(run_every=REFRESH_S)
def show_empty() -> None:
    """Until the first run has started."""
    if list_runs():
        st.rerun()
    st.info(
        "With the recordings in `SER_CORPORA`: `python -m scripts.prepare_corpora`, then "
        "`python -m scripts.train resonet --fold 0`. A run appears here after it has started.",
        title="No training runs yet",
    )


@st.fragment(run_every=REFRESH_S)
def show_runs() -> None:
    """State, curves and confusion; looks again while something is being trained."""
    runs = list_runs()
    rows = [_row(run) for run in runs]
    st.subheader("Training runs", anchor=False)
    show_rows(rows, "All runs, the latest first")
    st.caption(
        "Columns with %: UAR on development speakers after the last epoch; best: the highest mean over "
        "the corpora of speech."
    )
    names = [run.name for run in runs if run.curve]
    if not names:
        st.caption("No epoch is finished yet.")
        return
    chosen = st.multiselect("Runs", names, names[:3], key="runs")
    shown = [run for run in runs if run.name in chosen]
    if not shown:
        st.caption("Choose at least one run.")
        return
    _show_curves(shown)
    _show_confusion(shown)


def _show_curves(shown: list[RunRecord]) -> None:
    """One measure of each run over its epochs."""
    measures = list(dict.fromkeys(measure for run in shown for measure in run.metric_names))
    default = next((m for m in measures if m.startswith(DEV_UAR)), measures[0])
    measure = st.selectbox("Curve", measures, measures.index(default), format_func=_title, key="curve")
    lines = {run.name: run.values(measure) for run in shown if run.values(measure)}
    chart(
        learning_curves(lines, _title(measure), measure.startswith(DEV_UAR)),
        key="curves",
        alt=", ".join(f"{name}: {values[-1]:.4g} after {len(values)} epochs" for name, values in lines.items()),
    )


def _title(measure: str) -> str:
    return f"development UAR, {_corpus(measure)}" if measure.startswith(DEV_UAR) else TITLES.get(measure, measure)


def _corpus(measure: str) -> str:
    return corpus_name(measure.removeprefix(DEV_UAR))


def _row(run: RunRecord) -> dict:
    last = run.curve[-1] if run.curve else {}
    uars = {f"{_corpus(name)} %": round(100 * uar, 1) for name, uar in last.items() if name.startswith(DEV_UAR)}
    best, epoch = _best(run)
    return {
        "run": run.name,
        "epochs": f"{len(run.curve)} of {run.n_epochs}",
        "state": _state(run),
        "loss": round(last["loss"], 3) if "loss" in last else None,
        **uars,
        "best %": best,
        "at epoch": epoch,
        "minutes": round(sum(run.values("seconds")) / 60, 1),
        "clips/s": last.get("clips_per_s"),
    }


def _best(run: RunRecord) -> tuple[float | None, int | None]:
    """The highest UAR in percent that a mean over the speech corpora reached, and after which epoch."""
    uars = ((mean_dev_uar(record), epoch) for epoch, record in enumerate(run.curve, 1))
    means = [(uar, epoch) for uar, epoch in uars if uar is not None]
    best, epoch = max(means, default=(None, None))
    return best and round(100 * best, 1), epoch


def _state(run: RunRecord) -> str:
    if run.is_finished:
        return "finished"
    longest_s = max(run.values("seconds"), default=STALLED_S)
    return "training" if time.time() - run.updated_s < max(STALLED_S, 3 * longest_s) else "stopped: --resume"


def _show_confusion(runs: list[RunRecord]) -> None:
    """Confusion matrix on development speakers after any epoch."""
    known = [run for run in runs if run.curve and run.curve[-1].get(DEV_CONFUSION_KEY)]
    if not known:
        st.caption("These runs had no development speakers, so there is no confusion to show.")
        return
    st.subheader("Confusion on development speakers", anchor=False)
    with st.container(horizontal=True):
        name = st.selectbox("Run", [run.name for run in known], key="confusion-run")
        run = next(run for run in known if run.name == name)
        corpora = list(run.curve[-1][DEV_CONFUSION_KEY])
        corpus = st.selectbox("Corpus", corpora, format_func=corpus_name, key="confusion-corpus")
    epoch = _choose_epoch(run)
    matrix = run.curve[epoch - 1].get(DEV_CONFUSION_KEY, {}).get(corpus)
    if matrix is None:
        st.caption("No confusion matrix of this epoch.")
        return
    chart(
        confusion_heatmap(matrix, run.config["model"]["labels"]),
        key="dev confusion",
        alt=f"Confusion matrix of {name} on {corpus_name(corpus)} after epoch {epoch}",
    )


def _choose_epoch(run: RunRecord) -> int:
    """The chosen epoch, or the latest one before it."""
    wanted = run.n_epochs
    if wanted > 1:  # up to the last epoch of all: a range that grows with the run would forget what was chosen
        wanted = st.slider("After epoch", 1, wanted, wanted, key=f"epoch-{run.name}")
    epoch = min(wanted, len(run.curve))
    if epoch < wanted:
        st.caption(f"Epoch {epoch} is the latest so far.")
    return epoch


def show_settings(runs: tuple[RunRecord, ...]) -> None:
    """Settings of a run and the command that repeats it; of several, also what differs between two."""
    st.subheader("Settings of a run", anchor=False)
    names = [run.name for run in runs]
    with st.container(horizontal=True):
        one = st.selectbox("Run", names, key="one")
        other = st.selectbox("Against", names, 1, key="other") if len(names) > 1 else one
    first, second = (next(run for run in runs if run.name == name) for name in (one, other))
    if other != one:
        _show_difference(first, second)
    with st.expander(f"All settings of {one}"):
        values = [{"setting": name, "value": str(value)} for name, value in flatten_config(first.config).items()]
        st.dataframe(values, hide_index=True, alt=f"The full config of {one}")
    for name, run in {one: first, other: second}.items():  # of both: only the command has protocol and fold
        if command := run.config.get("command"):
            st.caption(f"To repeat {name}:")
            st.code(command, language="bash", wrap_lines=True)


def _show_difference(first: RunRecord, second: RunRecord) -> None:
    found = config_differences(first, second)
    if not found:
        st.caption("Recipe, architecture and start weights are the same; the commands have protocol and fold.")
        return
    rows = [{"setting": name, first.name: str(a), second.name: str(b)} for name, (a, b) in found.items()]
    st.dataframe(rows, hide_index=True, alt="Settings that differ")

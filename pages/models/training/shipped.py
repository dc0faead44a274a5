"""How the shipped models were made: recipes and results, and the log of experiments that led to them."""

import streamlit as st

from pages.ui.chart import chart
from pages.ui.export import offer_table
from pages.ui.layout import show_rows
from pages.ui.results import read_json
from pages.ui.text import split_title
from ser_core import paths
from ser_core.data import SPEAKER_OVERLAP, split_name
from ser_core.evaluation import mean_over_corpora
from ser_core.models import CheckpointError, available_models, read_metrics
from ser_core.plots import experiment_dots, learning_curves
from ser_core.training import CURVE_FILE, Experiment, mean_dev_uar, read_curve, read_experiments

NO_CURVES = (
    "Models without a curve here kept recipe and result of their training, not the figures of each epoch. "
    "Your own runs record every epoch; their curves are shown first."
)


def show_shipped() -> None:
    """One row a model: on what, how long and from what it was trained, and what came out."""
    rows = [row for name in available_models() if (row := _row(name))]
    if not rows:
        return
    protocols = list(dict.fromkeys(row["trained under"] for row in rows))
    rows.sort(key=lambda row: protocols.index(row["trained under"]))  # only within one can figures be compared
    st.subheader("Models on this machine", anchor=False)
    show_rows(rows, "How each model was trained, and its UAR")
    st.caption(
        "UAR: mean over the corpora of the test part of its own protocol. Compare only rows trained under the same "
        "protocol, as the part Ranking does. The full recipe of each is in its `config.json`, the command in its card."
    )
    _show_curves([row["model"] for row in rows])
    st.caption(NO_CURVES)


def _show_curves(names: list[str]) -> None:
    """UAR of development speakers, or else the loss, over the epochs of those whose checkpoint has a curve."""
    found = {name: curve for name in names if (curve := read_curve(paths.CHECKPOINTS / name / CURVE_FILE))}
    lines = {name: uars for name, curve in found.items() if (uars := [mean_dev_uar(record) for record in curve])}
    losses = {name: [record.get("loss") for record in curve] for name, curve in found.items()}
    for title, key, curves in (("development UAR, mean over corpora", "uar", lines), ("training loss", "loss", losses)):
        curves = {name: values for name, values in curves.items() if None not in values}
        if curves:
            words = ", ".join(f"{name}: {values[-1]:.3g} after {len(values)} epochs" for name, values in curves.items())
            chart(learning_curves(curves, title, key == "uar"), key=f"shipped-{key}", alt=f"{title}: {words}")


def _row(name: str) -> dict | None:
    config = read_json(paths.CHECKPOINTS / name / "config.json")
    training = config.get("training") or {}
    if not training.get("protocol"):
        return None
    recipe = training.get("recipe") or {}
    return {
        "model": name,
        "UAR %": _uar_percent(name),
        "trained under": split_title(split_name(training["protocol"], training.get("fold"))),
        "clips": training.get("n_clips"),
        "epochs": recipe.get("epochs"),
        "learning rate": recipe.get("learning_rate"),
        "made from": _made_from(training, config.get("model") or {}),
        "test speakers": SPEAKER_OVERLAP.get(training["protocol"], "unseen"),
    }


def _made_from(training: dict, model: dict) -> str:
    """What the training started from.

    Args:
        training, model: parts of a config.
    """
    if members := training.get("members"):
        names = [member if isinstance(member, str) else member.get("name", "") for member in members]
        return f"fusion of {' and '.join(filter(None, names))}" if any(names) else f"fusion of {len(members)} models"
    if teachers := training.get("teachers"):
        return f"distilled from {len(teachers)} teachers"
    if encoder := model.get("encoder"):  # weights of their own, which the training did not make
        return f"head on the encoder {encoder}"
    return f"started from {training['start']}" if training.get("start") else "scratch"


def _uar_percent(name: str) -> float | None:
    try:
        return round(100 * mean_over_corpora(read_metrics(name), "uar"), 1)
    except (CheckpointError, KeyError, TypeError):
        return None


def show_experiments() -> None:
    """The search for the recipe: every training that was tried, on development speakers."""
    experiments = read_experiments()
    if not experiments:
        return
    st.subheader("How the recipe was found", anchor=False)
    kept = sum(experiment.kept for experiment in experiments)
    st.caption(
        f"{len(experiments)} trainings in the order they were made, judged on development speakers; no test clip was "
        "used. Compare only those of one model, fold and number of epochs, which the pointer shows. Filled: the "
        f"{kept} better than all such before them. The table names what each one tried."
    )
    alt = f"{len(experiments)} experiments; the table has what was changed and the UAR of each."
    chart(experiment_dots(experiments), key="experiments", numbers=False, alt=alt)
    rows = [_experiment_row(i, experiment) for i, experiment in enumerate(experiments, 1)]
    about = "All experiments with their changes"
    offer_table(rows, about, "experiments-table", "Download the experiments", "experiments.csv")


def _experiment_row(i: int, experiment: Experiment) -> dict:
    return {
        "experiment": i,
        "question": experiment.purpose,
        "model": experiment.model,
        "fold": experiment.fold,
        "epochs": experiment.epochs,
        "development UAR %": round(100 * experiment.mean_uar, 1),
        "best so far": experiment.kept,
        "minutes": round(experiment.seconds / 60, 1),
    }

"""What is there on this machine, in a sentence, and what is loaded before it is needed."""

from threading import Thread

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.problems import show_no_model
from pages.ui.samples import example
from pages.ui.text import plain
from ser_core.evaluation import INTENDED_USE, describe_expected_accuracy
from ser_core.models import DEFAULT_MODEL, FAST_MODEL, CheckpointError, available_models, read_metrics


def show_state(expectation: DeltaGenerator) -> None:
    """How often the model of the example is right, or how to get a model; the limits.

    Args:
        expectation: the place for how often it is right.
    """
    found, shown = available_models(), example()
    if not found:
        show_no_model()
    else:
        if shown and shown.model in found:
            with expectation:
                _show_expectation(shown.model)
        st.page_link("pages/models/page.py", label="How good are the models?", icon=":material/bar_chart:")
    with st.expander("Intended use and limits", key="limits"):
        st.markdown(INTENDED_USE)


def _show_expectation(name: str) -> None:
    try:
        expected = describe_expected_accuracy(name, read_metrics(name))
    except CheckpointError as error:
        expected = str(error)
    if expected:
        st.markdown(plain(expected))


def load_ahead() -> None:
    """Loads the models of a first answer while the person still reads or speaks."""
    names = [name for name in (FAST_MODEL, DEFAULT_MODEL) if name in available_models()]
    # no daemon: a process that ends in the middle of torch's work is aborted
    Thread(target=_load, args=(names,), daemon=False).start()


def _load(names: list[str]) -> None:
    from ser_core.inference import shared_model  # here: torch takes seconds to import, and the page is there already

    for name in names:
        try:
            shared_model(name)
        except CheckpointError:
            continue  # the page that needs it says why

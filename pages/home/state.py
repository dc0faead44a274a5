"""What is there on this machine, in a sentence, and what is loaded before it is needed."""

from threading import Thread

import streamlit as st

from pages.ui.text import plain
from ser_core.evaluation import INTENDED_USE, describe_expected_accuracy
from ser_core.models import DEFAULT_MODEL, FAST_MODEL, HOW_TO_TRAIN, CheckpointError, available_models, read_metrics


def show_state() -> None:
    """How good the default model is, or how to get one; the limits."""
    found = available_models()
    if not found:
        st.info(HOW_TO_TRAIN, title="No trained model yet")
    else:
        _show_default(found[0], len(found))
    with st.expander("Intended use and limits", key="limits"):
        st.markdown(INTENDED_USE)


def _show_default(name: str, n_models: int) -> None:
    others = f"; {n_models - 1} more to compare with" if n_models > 1 else ""
    try:
        expected = describe_expected_accuracy(name, read_metrics(name))
    except CheckpointError as error:
        expected = str(error)
    st.markdown(plain(f"The default model is {name}{others}. {expected}"))
    st.page_link("pages/models/page.py", label="How good are the models?", icon=":material/bar_chart:")


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

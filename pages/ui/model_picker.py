"""Which models are asked: chosen once, kept over page changes by the address, and told in the sidebar."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.text import plain, record
from ser_core.inference import loaded_models, shared_model
from ser_core.models import CheckpointError, SERModel

MOST_TOLD = 3  # in the sidebar


def choose_model(names: Sequence[str]) -> str:
    """One of them."""
    if st.session_state.get("model") in names:  # Streamlit takes only along what was clicked, not what an address named
        st.session_state.model = st.session_state.model
    chosen = st.selectbox("Model", names, key="model", bind="query-params") if len(names) > 1 else names[0]
    _tell([chosen])
    return chosen


def choose_models(names: Sequence[str], label: str = "Models", n_first: int = 1) -> list[str]:
    """Some of them, by default the first ones; those that cannot be loaded are left out, with the reason."""
    chosen = list(names)
    if len(names) > 1:
        chosen = st.multiselect(label, names, list(names[:n_first]), key="models", bind="query-params", wrap=True)
    usable = []
    for name in chosen:
        try:
            model(name)
            usable.append(name)
        except CheckpointError as error:
            st.warning(plain(str(error)))
    _tell(usable)
    return usable


def versions(names: Sequence[str]) -> str:
    """Which models they are exactly; they can be loaded."""
    return "; ".join(f"{plain(name)}, version {model(name).version}" for name in names)


def _tell(names: Sequence[str]) -> None:
    """What is known of them."""
    for name in names[:MOST_TOLD]:
        try:
            found = model(name)
        except CheckpointError:
            continue  # the page says why
        st.sidebar.markdown(f"**{plain(name)}**")
        st.sidebar.caption(
            f"Version {found.version}. Tells {len(found.config.labels)} emotions apart. {record(found.metrics)} "
            + plain(found.note)
        )
    if len(names) > MOST_TOLD:
        st.sidebar.caption(f"and {len(names) - MOST_TOLD} more models")


def model(name: str) -> SERModel:
    """A trained model in eval mode, shared by all sessions and by the requests of other programs.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    if name in loaded_models():
        return shared_model(name)
    with st.spinner("Loading the model"):
        return shared_model(name)

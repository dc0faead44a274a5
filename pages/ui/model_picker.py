"""Model selection, kept across pages by the address."""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from pages.ui.text import plain
from ser_core.data import ProtocolError, protocol_split
from ser_core.inference import loaded_models, shared_model
from ser_core.models import CheckpointError, SERModel


def choose_model(names: Sequence[str]) -> str:
    """One of them."""
    if st.session_state.get("model") in names:  # Streamlit takes only along what was clicked, not what an address named
        st.session_state.model = st.session_state.model
    return st.selectbox("Model", names, key="model", bind="query-params") if len(names) > 1 else names[0]


def choose_models(names: Sequence[str], n_first: int = 1, key: str = "models") -> list[str]:
    """Some of them, by default the first ones; those that cannot be loaded are left out, with the reason."""
    chosen = list(names)
    if len(names) > 1:
        chosen = st.multiselect("Models", names, list(names[:n_first]), key=key, bind="query-params", wrap=True)
    usable = []
    for name in chosen:
        try:
            get_model(name)
            usable.append(name)
        except CheckpointError as error:
            st.warning(plain(str(error)))
    return usable


def ensemble_members(names: Sequence[str]) -> list[str]:
    """Models whose probabilities may be averaged: calibrated, under the protocol and fold of the first of them.

    Uncalibrated probabilities mean something else, and a model that knows more of the speakers is no peer.
    """
    models = {name: get_model(name) for name in names}
    parts = {
        name: (model.metrics.get("protocol"), model.metrics.get("fold"))
        for name, model in models.items()
        if model.calibration.min_confidence > 0 and model.metrics
    }
    return [name for name, part in parts.items() if part == next(iter(parts.values()))]


def get_model(name: str, quiet: bool = False) -> SERModel:
    """A trained model in eval mode, shared by all sessions and by the requests of other programs.

    Args:
        quiet: without a spinner while it is loaded.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    if quiet or name in loaded_models():
        return shared_model(name)
    with st.spinner("Loading the model"):
        return shared_model(name)


ClipParts = tuple[frozenset[str], frozenset[str], frozenset[str]]
"""Ids of the clips of the corpora that a model was trained, tuned and tested on."""


def clip_parts(name: str) -> ClipParts:
    """Those of a model; none where that is not known.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    metrics = get_model(name).metrics
    try:
        return _clip_parts(metrics["protocol"], metrics["fold"])
    except (KeyError, TypeError, ProtocolError):  # never measured, or metrics of another version
        return frozenset(), frozenset(), frozenset()


@lru_cache(maxsize=8)
def _clip_parts(protocol: str, fold: str | None) -> ClipParts:
    split = protocol_split(protocol, fold)
    return frozenset(split.train), frozenset(split.dev), frozenset(split.test)

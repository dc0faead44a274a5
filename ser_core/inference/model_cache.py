"""Loaded models, shared by the pages and by all requests."""

import threading

from ser_core.models import SERModel, load_model

MAX_LOADED_MODELS = 16

_models: dict[str, SERModel] = {}
_loading = threading.Lock()


def shared_model(name: str) -> SERModel:
    """A model in eval mode, loaded on first use and shared: not to be changed.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    if known := _models.get(name):  # also while another one is loaded
        return known
    with _loading:
        if known := _models.get(name):
            return known
        model = load_model(name)
        if len(_models) >= MAX_LOADED_MODELS:
            del _models[next(iter(_models))]  # the oldest
        _models[name] = model
        return model


def loaded_models() -> dict[str, SERModel]:
    """The models in memory, by name; never waits for one that is loaded: the server's event loop asks."""
    return dict(_models)


def unload_models() -> None:
    """Empties the cache; models in use stay valid."""
    with _loading:
        _models.clear()

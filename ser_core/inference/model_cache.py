"""Loaded models, shared by the pages and by all requests."""

import threading

from ser_core.models import SERModel, load_model

MAX_LOADED_MODELS = 16

_models: dict[str, SERModel] = {}
_lock = threading.Lock()


def shared_model(name: str) -> SERModel:
    """A model in eval mode, loaded on first use and shared: not to be changed.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    with _lock:
        if name not in _models:
            model = load_model(name)
            if len(_models) >= MAX_LOADED_MODELS:
                del _models[next(iter(_models))]  # the oldest
            _models[name] = model
        return _models[name]


def loaded_models() -> dict[str, SERModel]:
    """The models in memory, by name."""
    with _lock:
        return dict(_models)


def unload_models() -> None:
    """Empties the cache; models in use stay valid."""
    with _lock:
        _models.clear()

"""The models in memory: each loaded once, shared by the pages and by every request."""

import threading

from ser_core.models import SERModel, load_model

MAX_LOADED_MODELS = 16

_models: dict[str, SERModel] = {}
_lock = threading.Lock()


def shared_model(name: str) -> SERModel:
    """A trained model in eval mode, loaded when it is first asked for; nobody may change it.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    with _lock:
        if name not in _models:
            model = load_model(name)
            if len(_models) >= MAX_LOADED_MODELS:
                del _models[next(iter(_models))]  # the one that has been here longest
            _models[name] = model
        return _models[name]


def loaded_models() -> dict[str, SERModel]:
    """Every model that is in memory, by name."""
    with _lock:
        return dict(_models)


def unload_models() -> None:
    """Forget all of them; who uses one keeps it until done."""
    with _lock:
        _models.clear()

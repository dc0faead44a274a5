"""The models in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ser_core.inference import model_cache as loaded
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.models.names import UnknownModel


@pytest.fixture(autouse=True)
def nothing_loaded(checkpoints):
    unload_models()
    yield
    unload_models()


def test_a_model_is_loaded_once_for_all_threads():
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: shared_model("small"), range(8)))
    assert len(found) == 1 and loaded.loaded_models() == {"small": found.pop()}


def test_models_in_memory_are_there_while_another_is_loaded(monkeypatch):
    known, load_model = shared_model("small"), loaded.load_model
    begun, end = threading.Event(), threading.Event()

    def load_slowly(name):
        begun.set()
        assert end.wait(60)
        return load_model(name)

    monkeypatch.setattr(loaded, "load_model", load_slowly)
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(shared_model, "other")
        assert begun.wait(60)
        try:
            assert pool.submit(loaded.loaded_models).result(5) == {"small": known}
            assert shared_model("small") is known
        finally:
            end.set()
        assert other.result(60).name == "other"


def test_unloaded_models_are_loaded_again():
    before = shared_model("small")
    unload_models()
    assert not loaded.loaded_models() and shared_model("small") is not before


def test_the_oldest_goes_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(loaded, "MAX_LOADED_MODELS", 1)
    shared_model("small"), shared_model("other")
    assert list(loaded.loaded_models()) == ["other"]


def test_an_unknown_model_takes_no_room():
    with pytest.raises(UnknownModel, match="nobody"):
        shared_model("nobody")
    assert not loaded.loaded_models()

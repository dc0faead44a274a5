"""The models in memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ser_core import loaded
from ser_core.checkpoint import CheckpointError
from ser_core.loaded import shared_model, unload


@pytest.fixture(autouse=True)
def nothing_loaded(checkpoints):
    unload()
    yield
    unload()


def test_a_model_is_loaded_once_for_all_threads():
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: shared_model("small"), range(8)))
    assert len(found) == 1 and loaded.loaded() == {"small": found.pop()}


def test_unloaded_models_are_loaded_again():
    before = shared_model("small")
    unload()
    assert not loaded.loaded() and shared_model("small") is not before


def test_the_oldest_goes_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(loaded, "MOST_LOADED", 1)
    shared_model("small"), shared_model("other")
    assert list(loaded.loaded()) == ["other"]


def test_an_unknown_model_takes_no_room():
    with pytest.raises(CheckpointError, match="Unknown model"):
        shared_model("nobody")
    assert not loaded.loaded()

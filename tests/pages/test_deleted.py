"""A model that is deleted while the app runs: every page goes on with the other one, or says what to do."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.session import UploadedSource
from ser_core.inference.model_cache import unload_models
from tests.make_page import open_page, open_view, session_of, texts

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()
VIEWS = ("answer", "models", "over_time", "why")
ASKING = (*VIEWS, "many_files")
SHOWING = ("models", "learn", "settings")


def opened(name: str, chosen: str | None = None) -> AppTest:
    """A page with a clip and, where models are chosen, one of them."""
    page = open_view(name) if name in VIEWS else open_page(name)
    session_of(page).source = UploadedSource("many_files", "mine.ogg", SPEECH)
    page.run()
    for box in [box for box in page.selectbox if box.key == "model"] if chosen else ():
        box.set_value(chosen).run()
    for box in [box for box in page.multiselect if box.key.endswith("models")] if chosen else ():
        box.set_value([chosen, "small"]).run()
    assert not page.exception
    return page


@pytest.fixture(autouse=True)
def nothing_in_memory(checkpoints):
    unload_models()
    yield
    unload_models()


@pytest.mark.parametrize("lost", ["all of it", "its weights"])
@pytest.mark.parametrize("name", (*ASKING, *SHOWING))
def test_the_chosen_model_is_deleted(checkpoints, name, lost):
    page = opened(name, "other")
    if lost == "all of it":
        shutil.rmtree(checkpoints / "other")
    else:
        (checkpoints / "other" / "model.safetensors").unlink()
    unload_models()
    page.run()
    assert not page.exception and len(texts(page)) > 100


@pytest.mark.parametrize("name", (*ASKING, "models", "learn", "settings"))
def test_every_model_is_deleted(checkpoints, name):
    page = opened(name)
    shutil.rmtree(checkpoints)
    checkpoints.mkdir()
    unload_models()
    page.run()
    assert not page.exception and "python -m scripts.train" in texts(page)

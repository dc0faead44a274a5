"""The model cards without a browser: every shipped one, damaged ones, none."""

import hashlib
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from ser_core import paths
from ser_core.models.names import available_models
from tests.make_page import open_page, texts


def open_cards() -> AppTest:
    page = open_page("models")
    page.query_params["show"] = "Model card"
    return page.run()


@pytest.mark.shipped
def test_every_shipped_card_is_shown(subtests):
    page = open_cards()
    assert page.selectbox(key="model").options == list(available_models())
    for name in available_models():
        with subtests.test(name=name):
            page.selectbox(key="model").set_value(name).run()
            assert not page.exception and not page.error
            assert f"`{name}`" in texts(page)
            files = page.dataframe[-1].value.set_index("file")["sha256"].to_dict()
            folder = paths.CHECKPOINTS / name
            assert set(files) == {path.name for path in folder.iterdir()}
            assert files["config.json"] == hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()


def test_without_models_the_page_says_how_to_train(checkpoints):
    for folder in checkpoints.iterdir():
        shutil.rmtree(folder)
    page = open_cards()
    assert not page.exception and page.info


@pytest.mark.parametrize("card", [b"", b"# odd\n\n| a |\n", b"# odd\n\n|", b"# odd \xff\xfe\n\nwords\n"], ids=str)
def test_a_card_that_others_wrote_is_shown(checkpoints, card):
    (checkpoints / "small" / "README.md").write_bytes(card)
    page = open_cards()
    page.selectbox(key="model").set_value("small").run()
    assert not page.exception and "README.md" in page.dataframe[-1].value["file"].tolist()


def test_a_model_without_a_card_says_how_to_write_one(checkpoints):
    page = open_cards()
    assert not page.exception and "--write" in page.warning[0].value

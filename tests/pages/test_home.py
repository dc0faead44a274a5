"""The page "Home" without a browser: what it leads to, what it says is there, and that it is drawn before torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.home import view
from pages.ui import results
from ser_core import paths
from ser_core.evaluation.model_card import INTENDED_USE
from ser_core.models.checkpoint import METRICS_FILE
from ser_core.models.registry import MODELS
from tests.make_page import session_of, texts

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def page(monkeypatch, checkpoints) -> AppTest:
    """With two small models that were never measured, and without corpora."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    results.utterances.clear()
    yield AppTest.from_file(str(paths.ROOT / "app.py"), default_timeout=120)
    results.utterances.clear()


def states(page: AppTest) -> dict[str, str]:
    table = page.dataframe[0].value
    return dict(zip(table["model"], table["protocol"], strict=True))


def test_it_is_the_first_page_and_says_what_is_here(page):
    page.run()
    assert not page.exception and not page.error
    assert page.title[0].value == "Speech emotion workbench"
    assert states(page) == dict.fromkeys(("other", "small"), "found, not evaluated")
    assert f"Not installed: {', '.join(MODELS)}." in texts(page)
    assert "SAVEE missing" in texts(page) and "SER_CORPORA" in texts(page)


def test_it_says_what_no_model_must_be_used_for(page):
    assert all(paragraph in texts(page.run()) for paragraph in INTENDED_USE.split("\n\n"))


def test_figures_are_those_of_the_checkpoint(page, checkpoints):
    corpora = {"crema_d": {"uar": 0.5}, "tess": {"uar": 0.7356}, "ravdess_song": {"uar": 0.1}}
    content = {"protocol": "speaker-independent", "fold": "0", "corpora": corpora}
    (checkpoints / "small" / METRICS_FILE).write_text(json.dumps(content))
    table = page.run().dataframe[0].value.set_index("model")
    assert table.loc["small"].dropna().to_dict() == {"protocol": "speaker-independent-0", "fold 0": 61.8}


def test_no_figure_where_test_speakers_are_known(page, checkpoints):
    content = {"protocol": "ravdess-random", "fold": None, "corpora": {"ravdess": {"uar": 0.9}}}
    (checkpoints / "small" / METRICS_FILE).write_text(json.dumps(content))
    table = page.run().dataframe[0].value.set_index("model")
    assert table.loc["small"].dropna().to_dict() == {"protocol": "ravdess-random"}


@pytest.mark.parametrize("content", ["{", "[1]", '{"protocol": "resonet"}', '{"protocol": 1, "fold": 2, "pooled": 3}'])
def test_damaged_figures_are_told(page, checkpoints, content):
    (checkpoints / "small" / METRICS_FILE).write_text(content)
    page.run()
    assert not page.exception and "damaged" in states(page)["small"]


def test_without_a_model_it_says_how_to_train(page, checkpoints):
    for folder in checkpoints.iterdir():
        shutil.rmtree(folder)
    page.run()
    assert not page.exception and "python -m scripts.train" in page.info[0].value
    assert page.button(key="record")


def test_recordings_are_counted(page, monkeypatch, crema_d):
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    n = len(list(crema_d.rglob("*.wav")))
    assert f"CREMA-D {n}" in texts(page.run()) and n > 0 and "TESS missing" in texts(page)


def test_a_sample_is_taken_along(page):
    page.run().button_group[0].set_value("Low and slow").run()
    page.button(key="try").click().run()
    assert not page.exception and not page.error
    assert session_of(page).clip.link == "low_slow"


@pytest.mark.parametrize("way", ["record", "upload"])
def test_the_other_ways_lead_there_too(page, way):
    page.run().button(key=way).click().run()
    assert not page.exception and page.title[0].value == "Clip"
    assert page.query_params.get("from") == ("Upload" if way == "upload" else None)


def test_every_page_has_a_purpose():
    folders = {path.parent.name for path in (ROOT / "pages").glob("*/page.py")}
    assert set(view.PURPOSES) == folders - {"home"}


def test_the_first_page_is_drawn_before_torch_is_imported():
    code = "import sys, app, pages.home.view, pages.ui.layout; print('torch' in sys.modules, 'scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]

"""The page "Settings" without a browser: what is kept and deleted, and that the code it shows runs."""

import shutil
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.learn.listening.state import Guess, ListeningState
from pages.many_files.state import UploadState
from pages.settings import view
from pages.ui import model_picker
from pages.ui.session import UploadedSource
from pages.workspace.map.takes import TakesState
from ser_core.data.feedback import Feedback, read_feedback, save_feedback
from ser_core.evaluation import environment as machine
from ser_core.inference.model_cache import unload_models
from ser_core.models.names import available_models
from ser_core.serving.routes import API_PATH, LIVE_PATH, is_serving
from tests.make_page import open_page, session_of, texts

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()


@pytest.fixture
def page(checkpoints, no_corpora, monkeypatch, tmp_path) -> AppTest:
    """With two small models, no corpora, and nothing decoded."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    unload_models()
    return open_page("settings")


def keys(page: AppTest) -> set[str]:
    """The buttons of the page."""
    return {button.key for button in page.button}


def folders(page: AppTest) -> dict[str, str]:
    table = next(frame.value for frame in page.dataframe if "there" in frame.value)
    return dict(zip(table["what"], table["there"], strict=True))


def test_an_empty_session_keeps_nothing(page):
    page.run()
    assert not page.exception and not page.error
    assert not {"delete-all", "unload"} & keys(page)
    assert folders(page)["recordings"].startswith("none") and "prepare_corpora" in folders(page)["decoded recordings"]


def test_saved_labels_are_named_and_deleted(page, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_FEEDBACK", str(tmp_path))
    for visitor in (session_of(page).visitor, "another"):
        save_feedback(Feedback("a", "small", "sad", "angry", 0.5, False, 1.0, "2026-01-01T00:00:00", visitor), tmp_path)
    assert folders(page.run())["saved labels"].startswith("1 label")
    page.button(key="labels").click().run()
    assert not page.exception and folders(page)["saved labels"].startswith("0")
    assert [entry.visitor for entry in read_feedback(tmp_path)] == ["another"]
    (tmp_path / "feedback.sqlite3").write_text("no database at all, but long enough to be read as one")
    assert "cannot be used" in folders(page.run())["saved labels"] and not page.exception


def test_all_that_is_kept_is_named_and_deleted(page):
    session = session_of(page)
    session.source = UploadedSource("upload", "*mine*.ogg", SPEECH)
    session.page(ListeningState).guesses = [Guess("a", "sad", {"you": "sad"})]
    session.page(UploadState).uploaded = {"1": object(), "2": object()}
    session.page(TakesState).takes = [object()] * 3
    session.page(TakesState).labelled = {"small": {"a": object()}, "other": {"a": 1, "b": 2, "c": 3}}
    session.adapters = {"small": object()}
    page.run()
    assert not page.exception
    assert (
        r"the clip \*mine\*\.ogg" in texts(page)
        and r"results\: 2" in texts(page)
        and r"listening test\: 1" in texts(page)
        and r"clips on the map\: 3" in texts(page)
        and r"clips for speaker adaptation\: 4" in texts(page)
        and r"adapted to your voice\: 1" in texts(page)
    )
    page.button(key="delete-all").click().run()
    assert not page.exception and "delete-all" not in keys(page)
    left = session_of(page)
    assert not (left.source or left.clip or left.memory or left.pages or left.adapters)


def test_earlier_clips_are_listed_once_also_one_with_a_part_in_the_voice(page):
    session = session_of(page)
    session.latest = {name: SimpleNamespace(id=name) for name in "abc"}
    session.voice_clips, session.cuts = {"a": object()}, {"a": ("b", 1.0, 2.0)}
    page.run()
    assert r"clips of your voice\: 1" in texts(page) and r"kept for your voice\: 2" in texts(page)


def test_models_in_memory_are_listed_and_unloaded(page):
    small = model_picker.get_model("small")
    assert model_picker.get_model("small") is small
    table = page.run().dataframe[0].value
    assert table.to_dict("records") == [{"model": "small", "parameters": small.n_parameters()}]
    page.button(key="unload").click().run()
    assert not page.exception and "unload" not in keys(page)
    assert model_picker.get_model("small") is not small


def test_the_decoded_recordings_are_weighed(page, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "audio.i16").write_bytes(bytes(3_000_000))
    assert folders(page.run())["decoded recordings"] == "3 MB"


def test_recordings_and_models_are_counted(page, monkeypatch, crema_d):
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    found = folders(page.run())
    assert (
        found["recordings"].startswith(f"{len(list(crema_d.rglob('*.wav')))} recordings")
        and found["models"] == "2 models"
    )


def test_without_a_model_the_page_says_how_to_train(page, checkpoints):
    for folder in checkpoints.iterdir():
        shutil.rmtree(folder)
    assert "scripts.train" in page.run().info[0].value and not page.exception


def test_versions_and_memory_are_shown(page):
    page.session_state["packages"] = True
    shown = {metric.label: metric.value for metric in page.run().metric}
    assert shown["program"] == machine.code_version() and shown["process memory"].endswith(" MB")
    packages = page.dataframe[-1].value.set_index("package")
    assert packages.loc["streamlit", "installed"] == machine.version("streamlit")
    required = {name: wanted for name, installed, wanted in machine.required_packages() if installed != wanted}
    assert packages.loc[packages["required"] != "", "required"].to_dict() == required


def test_examples_ask_the_server_as_the_browser_does(monkeypatch):
    monkeypatch.setattr(view.st, "context", SimpleNamespace(url="https://ser.example:8443/settings?a=1"))
    assert view._address() == "https://ser.example:8443"


@pytest.mark.skipif("resonet" not in available_models(), reason="needs the shipped models")
def test_the_python_example_runs(page, capsys):
    shown = page.run().code[0].value
    assert shown == view.python_example().rstrip() and "from ser_core import" in shown
    exec(shown, {})
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_server_of_pages_alone_says_how_to_get_the_others(page):
    assert not is_serving.is_set()
    assert "make app" in texts(page.run()) and len(page.code) == 3


def test_a_server_that_answers_other_programs_shows_how_to_ask_it(page, monkeypatch):
    monkeypatch.setattr(is_serving, "is_set", lambda: True)
    monkeypatch.setattr(view, "_address", lambda: "http://here:9000")
    examples = [code.value for code in page.run().code[2:-1]]
    assert len(examples) == 2 and not page.exception
    assert f"http://here:9000{API_PATH}/predict" in examples[0] and f"http://here:9000{LIVE_PATH}" in examples[1]
    assert view.README_ADDRESS not in "".join(examples)


@pytest.mark.skipif("resonet" not in available_models(), reason="needs the shipped models")
def test_the_commands_run(page, capsys):
    shown = page.run().code[1].value.splitlines()
    assert len(shown) == 2
    for command in shown:
        words = command.split()
        assert words[:2] == ["python", "-m"]
        assert import_module(words[2]).main([*words[3:]]) == 0
        assert "story.ogg" in capsys.readouterr().out

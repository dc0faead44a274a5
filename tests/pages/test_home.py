"""Home without a browser: every way to a first answer, the example, what it says of models, and that it is light."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.home import state
from pages.ui.samples import example, voices
from ser_core import paths
from ser_core.audio.folders import AUDIO_SUFFIXES
from ser_core.audio.io import load_audio
from ser_core.data import training_speakers
from ser_core.evaluation.summary.intended_use import INTENDED_USE
from ser_core.inference.prediction.predict import predict
from ser_core.models.checkpoint import load_model
from ser_core.models.names import DEFAULT_MODEL, FAST_MODEL, METRICS_FILE, read_metrics
from tests.make_page import session_of, texts

ROOT = Path(__file__).parent.parent.parent
SPEECH = ROOT / "assets/samples/low_slow.ogg"


@pytest.fixture
def page(monkeypatch, checkpoints) -> AppTest:
    """With two small models that were never measured, and without corpora."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    monkeypatch.setattr(state, "load_ahead", lambda: None)
    return AppTest.from_file(str(paths.ROOT / "app.py"), default_timeout=120)


def test_it_is_the_first_page_and_shows_an_example(page):
    page.run()
    assert not page.exception and not page.error and not session_of(page).clip
    assert page.title[0].value == "Which emotion is in a voice?"
    assert example().voice.words in texts(page) and page.file_uploader


def test_how_often_its_model_is_right_stands_in_the_example(page, monkeypatch):
    monkeypatch.setattr(state, "describe_expected_accuracy", lambda name, _: f"{name} 7 of 10")
    assert "7 of 10" not in texts(page.run())  # the model of the example is not there
    monkeypatch.setattr(state, "example", lambda: replace(example(), model="other"))
    written = texts(page.run())
    assert written.index("An example") < written.index("other 7 of 10") < written.index("Or a voice")


def test_voices_of_one_age_have_titles_of_their_own():
    assert len({voice.title for voice in voices()}) == len(voices())


def test_it_says_what_no_model_must_be_used_for(page):
    assert all(paragraph in texts(page.run()) for paragraph in INTENDED_USE.split("\n\n"))


def test_damaged_metrics_stop_nobody(page, checkpoints, monkeypatch):
    monkeypatch.setattr(state, "example", lambda: replace(example(), model="other"))
    (checkpoints / "other" / METRICS_FILE).write_text("{")
    page.run()
    assert not page.exception and page.file_uploader


def test_without_a_model_it_says_how_to_train(page, checkpoints):
    for folder in checkpoints.iterdir():
        shutil.rmtree(folder)
    page.run()
    assert not page.exception and "python -m scripts.train" in page.info[0].value


def test_a_voice_opens_in_the_workspace_with_its_label_hidden(page):
    voice = voices()[0]
    page.run().button(key=f"voice-{voice.link}").click().run()
    assert not page.exception and not page.error
    assert session_of(page).clip.utterance.id == voice.utterance.id and page.query_params["sample"] == voice.link
    assert voice.utterance.emotion not in session_of(page).clip.name and page.button(key="reveal")


def test_the_example_opens_in_the_workspace(page):
    page.run().button(key="open-example").click().run()
    assert not page.exception and session_of(page).clip.link == example().voice.link


def test_home_takes_every_kind_of_file_that_the_workspace_takes(page):
    assert set(AUDIO_SUFFIXES) <= set(page.run().file_uploader[0].proto.type)


def test_an_upload_opens_in_the_workspace(page):
    page.run().file_uploader[0].upload("mine.ogg", SPEECH.read_bytes()).run()
    assert not page.exception and session_of(page).clip.name == "mine.ogg"


def test_a_file_that_cannot_be_read_locks_nobody_out(page):
    page.run().file_uploader[0].upload("mine.wav", b"no sound").run()
    assert page.error and session_of(page).source
    page.switch_page("pages/home/page.py").run()
    assert page.title[0].value == "Which emotion is in a voice?"
    page.file_uploader[0].upload("better.ogg", SPEECH.read_bytes()).run()
    assert not page.error and session_of(page).clip.name == "better.ogg"


def test_the_voices_are_of_speakers_that_the_default_models_do_not_know():
    parts = [read_metrics(name) for name in (DEFAULT_MODEL, FAST_MODEL)]
    known = set().union(*(training_speakers(part["protocol"], part["fold"]) for part in parts))
    clips = [voice.utterance for voice in voices()]
    assert len(clips) == len({clip.speaker for clip in clips}) == 8 and not known & {clip.speaker for clip in clips}
    assert [clip.sex for clip in clips].count("female") == 4 and len({clip.emotion for clip in clips}) == 6
    assert len({voice.link for voice in voices()}) == 8
    assert "DbCL" in (ROOT / "assets/samples/crema_d/LICENSE.md").read_text()


@pytest.mark.slow
def test_the_example_is_what_the_default_model_predicts():
    content = json.loads((ROOT / "assets/samples/crema_d/example.json").read_text())
    model, path = load_model(DEFAULT_MODEL), example().voice.utterance.path
    found = predict(model, load_audio(path))
    assert (found.emotion, found.version) == (content["emotion"], content["version"])
    assert found.confidence == pytest.approx(content["confidence"], abs=0.01)


@pytest.mark.slow
def test_the_first_page_needs_no_torch():
    """It takes seconds to import, and two hundred megabytes."""
    code = (
        "import sys, app, pages.home.view, pages.ui.layout; print('scipy' in sys.modules);"
        "from pages.home import state, view; state.show_state(view.show_example());"
        "print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"] * 3

"""The page "Compare models" without a browser."""

import csv
import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui import analysis, model_picker
from pages.ui.voice import personal
from pages.ui.voice.personal import PersonalModel
from pages.workspace.models import view
from ser_core.inference.ensemble import ENSEMBLE_NAME
from ser_core.inference.model_cache import unload_models
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration
from tests.make_page import open_sample, open_view, session_of, texts
from tests.plots.test_report import prediction


@pytest.fixture
def page(checkpoints, monkeypatch) -> AppTest:
    """With two small models that were never trained, and may be averaged; all of it opened."""
    unload_models()
    monkeypatch.setattr("pages.workspace.models.view.ensemble_members", list)
    page = open_view("models")
    for box in ("models-table", "models-agreement", "models-input"):
        page.session_state[box] = True
    return page.run()


def test_an_empty_page_says_what_it_does(page):
    assert not page.exception and not session_of(page).clip and not page.dataframe
    assert page.file_uploader and page.button(key="to-map").label == "Map of all recordings"


def test_every_model_and_all_of_them_together(page):
    open_sample(page)
    table = page.dataframe[0].value
    assert list(table["model"]) == ["other", "small"] and all(table["latency ms"] >= 0) and all(table["parameters"] > 0)
    assert "of 2 models" in texts(page) and "Disagreement" in texts(page)
    assert "mel bands" in texts(page)
    assert "0:00" in texts(page) and all(table["version"].str.len() == 8)
    assert [code.value.split()[0] for code in page.get("code")] == ["python", "hf", "python"]  # to copy one by one


def test_only_calibrated_models_of_one_protocol_are_averaged(monkeypatch):
    models = {
        "default": SimpleNamespace(calibration=Calibration(0.9, 0.4), metrics={"protocol": "a", "fold": "0"}),
        "uncalibrated": SimpleNamespace(calibration=Calibration(), metrics={"protocol": "a", "fold": "0"}),
        "peer": SimpleNamespace(calibration=Calibration(1.1, 0.5), metrics={"protocol": "a", "fold": "0"}),
        "elsewhere": SimpleNamespace(calibration=Calibration(1.1, 0.5), metrics={"protocol": "b", "fold": None}),
        "never evaluated": SimpleNamespace(calibration=Calibration(1.1, 0.5), metrics={}),
    }
    monkeypatch.setattr(model_picker, "get_model", models.get)
    assert model_picker.ensemble_members(list(models)) == ["default", "peer"]
    assert model_picker.ensemble_members(["uncalibrated", "never evaluated"]) == []


def test_the_enrolled_voice_counts_here_too(monkeypatch):
    monkeypatch.setattr(analysis, "model_result", lambda _, model: model)
    monkeypatch.setattr(personal, "uses_voice", "small".__eq__)
    monkeypatch.setattr(personal, "voice_reference", lambda name: "mine")
    found = [PersonalModel("other"), PersonalModel("small", reference="mine")]
    assert analysis.model_results(SimpleNamespace(clip=None), ["other", "small"]) == (found, [])
    now = SimpleNamespace(uses_voice=True, voice_clips=["a clip"])
    monkeypatch.setattr(personal, "has_voice", "small".__eq__)
    monkeypatch.setattr(personal, "session", lambda: now)
    words = "Relative to your enrolled voice: small. Without your voice, which it cannot use: other."
    assert personal.describe_voice(found) == words
    now.uses_voice = False
    assert personal.describe_voice(found) == ""


def test_one_model_is_compared_with_nobody(page):
    open_sample(page)
    page.multiselect(key="compared-models").set_value(["small"]).run()
    assert list(page.dataframe[0].value["model"]) == ["small"] and "Disagreement" not in texts(page)


def test_the_export_holds_every_answer_and_the_joint_one(page, monkeypatch):
    files = {}
    monkeypatch.setattr(st, "download_button", lambda label, content, *_, **__: files.update({label: content}))
    open_sample(page)
    rows = list(csv.DictReader(io.StringIO(files["Download CSV"])))
    assert [row["model"] for row in rows] == ["other", "small", ENSEMBLE_NAME]
    for emotion in EMOTIONS:
        first, second, joint = (float(row[emotion]) for row in rows)
        assert joint == pytest.approx((first + second) / 2)
    content = json.loads(files["Download JSON"])
    assert [p["model"] for p in content["predictions"]] == [row["model"] for row in rows]
    assert len(content["agreement"]) == 3


def test_without_speech_nobody_is_compared(page):
    open_sample(page, "sample-empty_room.ogg")
    assert page.info and not page.dataframe


def test_without_any_model_it_says_how_to_train_one(page, checkpoints):
    shutil.rmtree(checkpoints)
    open_sample(page)
    assert "scripts.train" in texts(page)


def test_a_damaged_model_is_named_and_the_other_one_answers(page, checkpoints):
    (checkpoints / "other" / "model.safetensors").write_bytes(b"torn")
    unload_models()
    open_sample(page)
    assert any("other" in warning.value for warning in page.warning)
    assert list(page.dataframe[0].value["model"]) == ["small"]


def test_a_file_that_is_none_is_named(page):
    page.file_uploader[0].set_value([("torn.wav", b"RIFF", "audio/wav")]).run()
    assert not page.exception and page.error[0].value


# --- without a page --------------------------------------------------------------------------------------------------


def result(model: str, emotion: str, took_s: float = 0.0123) -> SimpleNamespace:
    return SimpleNamespace(prediction=replace(prediction(emotion), model=model), took_s=took_s, metrics={})


def test_models_differ_from_the_ensemble_of_those_that_may_be_averaged(monkeypatch):
    exported = []
    monkeypatch.setattr(view, "ensemble_members", lambda names: names[1:])
    monkeypatch.setattr(view, "get_model", lambda name: SimpleNamespace(n_parameters=lambda: 0))
    monkeypatch.setattr(view, "opened", lambda *_: None)
    monkeypatch.setattr(view, "_show_exports", lambda clip, *given: exported.extend(given))
    for name in ("_show_bars", "_show_members", "show_expectation", "_show_how_to_install"):
        monkeypatch.setattr(view, name, lambda *_: None)
    view.show_comparison(None, None, [result("a", "sad"), result("b", "angry"), result("c", "angry")])
    rows, table = exported
    assert [row.model for row in rows] == ["a", "b", "c", ENSEMBLE_NAME]
    assert rows[-1].probabilities["angry"] == pytest.approx(0.8)  # of b and c alone
    assert [(line["differs"], line["latency ms"]) for line in table] == [(True, 12), (False, 12), (False, 12)]


def test_the_input_that_is_shown_is_that_of_the_first_analysed_window(monkeypatch):
    seen, keys = [], []
    monkeypatch.setattr(view, "get_model", lambda name: SimpleNamespace(config=SimpleNamespace(window_s=1.5)))
    monkeypatch.setattr(view, "frontend_features", lambda model, window: seen.append(window) or window)
    monkeypatch.setattr(view, "remember", lambda make, *key: keys.append(key) or make())
    one = result("a", "sad")
    one.prediction = replace(one.prediction, start_s=1.0, end_s=3.0, version="v")
    view._show_features(SimpleNamespace(id="clip", waveform=np.arange(64_000)), [one])
    assert (seen[0][0], len(seen[0])) == (16_000, 24_000) and keys == [("clip", "features", "a", "v")]


def test_the_functionals_that_stand_out_most_come_first(monkeypatch):
    monkeypatch.setattr(view, "functional_names", lambda: ("pitch", "level", "jitter"))
    found = view._functionals(np.array([1.0, -5.0, 3.0]))
    assert [(row["functional"], row["standard deviations"]) for row in found] == [
        ("level", -5),
        ("jitter", 3),
        ("pitch", 1),
    ]

"""The emotions that can occur, chosen once for all pages."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.many_files.state import UploadState
from pages.ui import emotion
from pages.ui.voice.personal import PersonalModel
from pages.workspace import trajectories
from pages.workspace.over_time import export
from ser_core import EMOTIONS, limit_emotions, predict
from ser_core.audio.io import load_audio
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.models.checkpoint import Calibration, save_model
from ser_core.plots import emotion_label
from tests.make_page import open_page, open_view, session_of, texts, upload

SPEECH = Path("assets/samples/low_slow.ogg")
THREE = ("neutral", "happy", "angry")


@pytest.fixture
def small(checkpoints, monkeypatch):
    """Two small models that were never trained, and no corpora."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    unload_models()
    yield
    unload_models()


@pytest.fixture
def answer(small) -> AppTest:
    return upload(open_view("answer").run(), "a.ogg", SPEECH.read_bytes())


def choose(page: AppTest, *emotions: str) -> AppTest:
    page.button_group(key=emotion.CHOICE_KEY).set_value([*emotions]).run()
    assert not page.exception
    return page


def shown(page: AppTest) -> list[str]:
    """The emotions in the chart of the answer."""
    (bars,) = [chart for chart in page.get("plotly_chart") if "bars" in chart.proto.id]
    return json.loads(bars.proto.spec)["data"][0]["y"]


def segment_tables(page: AppTest) -> set[str]:
    """Ids of the tables of segments: one of another id has no row chosen."""
    return {frame.proto.id for frame in page.dataframe if "segments-" in frame.proto.id}


def test_the_answer_is_one_of_them_and_the_page_says_so(answer):
    assert len(session_of(answer).possible_emotions) == 8 and "Chosen among" not in texts(answer)
    choose(answer, "angry", "neutral", "happy")
    assert "Chosen among neutral, happy and angry." in texts(answer) and "3 possible emotions" in texts(answer)
    assert shown(answer) == [emotion_label(name) for name in THREE]
    expected = predict(limit_emotions(shared_model("other"), THREE), load_audio(SPEECH))
    assert any(f"<h2>{expected.emotion}</h2>" in e.proto.body for e in answer.get("html")) or expected.abstain
    choose(answer)
    assert "Chosen among" not in texts(answer)


def test_a_single_one_limits_nothing_and_asks_for_another(answer):
    choose(answer, "angry")
    assert "Choose another one" in texts(answer) and "Chosen among" not in texts(answer)
    assert session_of(answer).possible_emotions == EMOTIONS


def test_a_trajectory_follows_the_choice(small):
    page = open_view("over_time")
    session_of(page).chosen_emotions = THREE
    upload(page.run(), "a.ogg", SPEECH.read_bytes())
    (found,) = [one for key, one in session_of(page).memory.items() if "clip_trajectories" in key]
    assert found.emotions == THREE
    while found.missing(["other"]):
        trajectories.analyse(found, ["other"], step_s=60)
    line = trajectories.line(found, "other", found.view)
    excluded = [i for i, name in enumerate(EMOTIONS) if name not in THREE]
    assert (line.trajectory.probabilities[:, excluded] < 1e-9).all()
    limited = segment_tables(page)
    content = json.loads(export.as_json(session_of(page).clip, found, {"other": line}))
    assert content["possible_emotions"] == [*THREE]
    session_of(page).chosen_emotions = ()
    page.run()
    assert len([key for key in session_of(page).memory if "clip_trajectories" in key]) == 2  # not the limited one
    assert limited and not limited & segment_tables(page)  # a row that was chosen is not chosen among other segments


def test_an_explanation_is_of_one_of_them(small):
    page = open_view("why")
    session_of(page).chosen_emotions = THREE
    upload(page.run(), "a.ogg", SPEECH.read_bytes())
    (why,) = [box for box in page.selectbox if box.label == "Why"]
    (why_not,) = [box for box in page.selectbox if box.label == "Why not"]
    assert len(why.options) == 3 and len(why_not.options) == 2 and not page.exception


def test_many_files_are_predicted_again_and_labels_of_others_are_left_out(small):
    page = open_page("many_files").run()
    names = ("1001_DFA_ANG_XX.ogg", "1001_DFA_HAP_XX.ogg", "1001_DFA_SAD_XX.ogg")
    page.file_uploader[0].set_value([(name, SPEECH.read_bytes(), "audio/ogg") for name in names]).run()
    (offer,) = [button for button in page.button if button.label.startswith("Choose among")]
    assert offer.label == "Choose among the 3 emotions of the labels only"
    offer.click().run()
    assert not page.exception and "Chosen among happy, sad and angry." in texts(page)
    items = session_of(page).page(UploadState).results.values()
    assert {item.predictions["other"].possible_emotions for item in items} == {("happy", "sad", "angry")}
    assert not [button for button in page.button if button.label.startswith("Choose among")]
    choose(page, "happy", "angry")
    assert "1 file with the label of an emotion that cannot occur" in texts(page)
    (scores,) = [frame.value for frame in page.dataframe if "UAR %" in frame.value]
    assert scores["files"].sum() == 2


def test_two_models_with_other_emotions_are_not_the_same(small, monkeypatch):
    assert PersonalModel("other", emotions=THREE) != PersonalModel("other", emotions=EMOTIONS)
    limited = PersonalModel("other", emotions=THREE)
    np.testing.assert_array_equal(limited.load().possible_emotions, THREE)


def test_an_unsure_answer_names_what_makes_the_model_sure_more_often(checkpoints, new_model, small):
    save_model(new_model(seed=2), checkpoints / "other", "resonet", Calibration(min_confidence=0.99), {})
    page = upload(open_view("answer").run(), "a.ogg", SPEECH.read_bytes())
    assert "sure more often if you name the emotions that can occur, in Options, or enrol the voice" in texts(page)
    choose(page, "angry", "neutral")
    assert "sure more often if you enrol the voice, on the page My voice." in texts(page)
    session_of(page).voice_clips = {"mine": load_audio("assets/samples/story.ogg")[64000:]}
    page.run().toggle(key="use-voice").set_value(True).run()
    assert not page.exception and "sure more often" not in texts(page)


def test_a_sure_answer_names_nothing(answer):
    assert "sure more often" not in texts(answer)


def test_files_with_impossible_labels_alone_are_not_said_to_have_none(small):
    page = open_page("many_files").run()
    page.file_uploader[0].set_value([("1001_DFA_SAD_XX.ogg", SPEECH.read_bytes(), "audio/ogg")]).run()
    choose(page, "happy", "angry")
    (table,) = [frame.value for frame in page.dataframe if "file" in frame.value]
    assert [*table["label"]] == [emotion_label("sad")]
    for view in ("Labels", "Your own classifier"):
        page.segmented_control(key="batch-view").set_value(view).run()
        assert not page.exception and [box.value for box in page.info] == [
            "1 file with the label of an emotion that cannot occur, by the choice in Models: left out of all scores."
        ]

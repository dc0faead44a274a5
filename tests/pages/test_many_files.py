"""The page "Upload & compare" without a browser: many files, broken ones too, several models, stop and delete."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.many_files import state, view
from pages.many_files.state import BatchItem, UploadState
from pages.ui.export import rows_as_csv
from ser_core.inference import ENSEMBLE_NAME
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS
from ser_core.plots.clip import emotion_label
from tests.make_page import open_page, session_of, texts

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()


@pytest.fixture(autouse=True)
def _all_may_be_averaged(monkeypatch):
    monkeypatch.setattr(state, "ensemble_members", list)


@pytest.fixture
def page(checkpoints) -> AppTest:
    """With two small models that were never trained."""
    page = open_page("many_files")
    return page.run()


def choose(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "audio/ogg") for name, content in files]).run()
    assert not page.exception
    return page


def hear(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    choose(page, *files).button(key="go").click().run()
    assert not page.exception
    return page


def test_an_empty_page_says_what_it_does_and_where_files_go(page):
    assert not page.exception and "kept in this session" in texts(page)


def test_broken_files_are_named_and_the_rest_is_done(page):
    good = [(f"{i}.ogg", SPEECH) for i in range(3)]
    hear(page, *good, ("torn.wav", b"RIFF"), ("1001_DFA_ANG_XX.ogg", SPEECH), ("text.mp3", b"no sound at all"))
    assert "2 of 6" in page.expander[0].label
    broken, table = page.dataframe[0].value, page.dataframe[1].value
    assert set(broken["file"]) == {"torn.wav", "text.mp3"} and all(broken["reason"].str.len() > 10)
    assert set(table["file"]) == {"0.ogg", "1.ogg", "2.ogg", "1001_DFA_ANG_XX.ogg"}
    assert {file: label for file, label in zip(table["file"], table["meant"], strict=True) if label} == {
        "1001_DFA_ANG_XX.ogg": emotion_label("angry")
    }
    assert shared_model("other").version in texts(page)
    assert any("UAR %" in frame.value for frame in page.dataframe)


def test_several_models_stand_side_by_side_and_together(page):
    page.multiselect(key="models").set_value(["small", "other"])
    hear(page, ("a.ogg", SPEECH))
    (line,) = page.dataframe[0].value.to_dict("records")
    assert {"small", "other", ENSEMBLE_NAME, "disagreement"} <= line.keys()
    assert 0 <= line["disagreement"] <= 1 and 0 < line[f"{ENSEMBLE_NAME}, certain"] <= 1


def test_deleting_erases_the_uploads_on_the_server_too(page, monkeypatch):
    erased = []
    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", lambda self, session, file: erased.append(file))
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    files = set(session_of(page).page(UploadState).uploaded)
    page.button(key="delete-batch").click().run()
    assert not page.exception and len(files) == 2 and set(erased) == files


def test_a_model_that_is_added_later_hears_only_what_it_lacks(page):
    hear(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    before = dict(session_of(page).page(UploadState).results)
    page.multiselect(key="models").set_value(["small", "other"]).run()
    page.button(key="go").click().run()
    after = session_of(page).page(UploadState).results
    assert all(after[i].predictions["other"] is before[i].predictions["other"] for i in before)
    assert all(after[i].predictions.keys() == {"small", "other"} for i in after)


def test_stop_keeps_what_is_done(page, monkeypatch):
    hear_one, done = state.process_file, []

    def stopped_after_two(file, models):
        if len(done) == 2:  # what a click on Stop does: its callback runs, and the script starts again
            view._go(False)
            st.rerun()
        hear_one(file, models)
        done.append(file.name)

    choose(page, *((f"{i}.ogg", SPEECH) for i in range(4)))
    with monkeypatch.context() as patch:
        patch.setattr(state, "process_file", stopped_after_two)
        page.button(key="go").click().run()
    assert not page.exception and len(session_of(page).page(UploadState).results) == 2
    assert "2" in page.button(key="go").label
    page.button(key="go").click().run()
    assert len(session_of(page).page(UploadState).results) == 4


def test_a_model_that_is_deleted_in_the_middle_of_a_run_is_left_out(page, checkpoints, monkeypatch):
    hear_one = state.process_file

    def hear_and_lose(file, models):
        hear_one(file, models)
        shutil.rmtree(checkpoints / "other", ignore_errors=True)
        unload_models()

    page.multiselect(key="models").set_value(["small", "other"])
    monkeypatch.setattr(state, "process_file", hear_and_lose)
    hear(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    page.button(key="go").click().run()
    table = page.dataframe[0].value
    assert not page.exception and "other" not in table and set(table["file"]) == {"a.ogg", "b.ogg"}


def test_deleting_leaves_nothing(page):
    hear(page, ("mine.ogg", SPEECH))
    page.button(key="delete-batch").click().run()
    left = session_of(page).page(UploadState)
    assert not left.uploaded and not left.results and "mine.ogg" not in texts(page)
    assert not page.file_uploader[0].value


def test_files_of_a_session_that_is_over_are_told_and_the_page_begins_anew(page, monkeypatch):
    with monkeypatch.context() as restarted:
        restarted.setattr(MemoryUploadedFileManager, "get_files", lambda *_, **__: [])
        choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
        assert "expired" in page.warning[0].value
        page.button(key="empty-files-0").click().run()
        assert not page.exception and not page.warning
    assert choose(page, ("a.ogg", SPEECH)).button(key="go")


def test_a_file_that_is_taken_away_is_forgotten(page):
    hear(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    page.file_uploader[0].set_value([("b.ogg", SPEECH, "audio/ogg")]).run()
    assert {batch_item.name for batch_item in session_of(page).page(UploadState).results.values()} <= {"b.ogg"}


def test_without_a_model_the_page_says_what_to_do(checkpoints):
    for path in checkpoints.rglob("*"):
        if path.is_file():
            path.unlink()
    for path in checkpoints.iterdir():
        path.rmdir()
    page = open_page("many_files", timeout_s=60)
    page.run()
    assert not page.exception and page.info


# --- figures ---------------------------------------------------------------------------------------------------------


def batch_item(name: str, speech_s: float = 2.0, **chosen: str) -> BatchItem:
    """Models that give 0.79 to one emotion and 0.03 to each other one."""
    predictions = {}
    for model, emotion in chosen.items():
        values = {e: 0.79 if e == emotion else 0.03 for e in EMOTIONS}
        predictions[model] = Prediction(model, emotion, 0.79, values, (), False, "", 2.0, speech_s, 0.0, 2.0)
    return BatchItem(name, 2.0, speech_s, label=state._label_in_name(name), predictions=predictions)


def test_disagreement_is_the_distance_from_the_mean():
    assert batch_item("a.wav", x="sad", y="sad").disagreement(["x", "y"]) == 0
    assert batch_item("a.wav", x="sad", y="angry").disagreement(["x", "y"]) == pytest.approx(0.38)
    together = batch_item("a.wav", x="sad", y="angry").with_ensemble(["x", "y"])[ENSEMBLE_NAME].probabilities
    assert together["sad"] == pytest.approx(0.41) and sum(together.values()) == pytest.approx(1)


def test_together_says_what_it_does_on_the_page_that_compares_models():
    doubtful = batch_item("a.wav", x="sad", y="sad", z="sad")
    for name in ("x", "y"):
        doubtful.predictions[name] = replace(doubtful.predictions[name], abstain=True, reason="too close")
    assert state.table_row(doubtful, ["x", "y", "z"])[ENSEMBLE_NAME] == "not sure (sad)"
    assert "2 of 3" in doubtful.with_ensemble(["x", "y", "z"])[ENSEMBLE_NAME].reason


def test_a_model_that_was_not_asked_yet_says_nothing_and_takes_no_part():
    files = [batch_item("1001_DFA_ANG_XX.wav", x="angry")]
    line = state.table_row(files[0], ["x", "y"])
    assert [line[name] for name in ("disagreement", ENSEMBLE_NAME, "y", "y, certain")] == [None] * 4 and line[
        "x"
    ] == "angry"
    assert state.confusions(files, ["x", "y"]).keys() == {"x"}


def test_a_chosen_file_is_shown_before_a_new_model_has_run_on_it(page, monkeypatch):
    hear(page, ("a.ogg", SPEECH))
    page.multiselect(key="models").set_value(["small", "other"])
    chosen = SimpleNamespace(selection=SimpleNamespace(rows=[0]))
    monkeypatch.setattr(st, "dataframe", lambda *_, **__: chosen)
    assert not page.run().exception and page.get("plotly_chart")


def test_the_truth_is_read_from_names_only():
    files = [
        batch_item("1001_DFA_ANG_XX.wav", x="angry"),
        batch_item("1001_DFA_SAD_XX.wav", x="fear"),
        batch_item("song.wav", x="sad"),
    ]
    (found,) = state.confusions(files, ["x"]).values()
    assert found.sum() == 2 and found[EMOTIONS.index("angry"), EMOTIONS.index("angry")] == 1
    assert found[EMOTIONS.index("sad"), EMOTIONS.index("fear")] == 1
    assert not state.confusions([batch_item("song.wav", x="sad")], ["x"])


def test_nothing_is_claimed_where_nobody_speaks():
    line = state.table_row(batch_item("a.wav", speech_s=0.0, x="sad"), ["x"])
    assert (line["x"], line["x, certain"]) == ("no speech", None)


def test_exports_hold_every_file_and_no_formula():
    read = [batch_item("=1+1.wav", x="sad"), batch_item("b.wav", x="fear")]
    rows = [state.table_row(h, ["x"]) for h in read]
    lines = list(csv.DictReader(io.StringIO(rows_as_csv(rows))))
    assert [line["file"] for line in lines] == ["'=1+1.wav", "b.wav"] and [line["x"] for line in lines] == [
        "sad",
        "fear",
    ]
    content = json.loads(view._as_json(read, ["x"]))
    assert [c["predictions"][0]["emotion"] for c in content] == ["sad", "fear"]

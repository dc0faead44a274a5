"""The page "Many files" without a browser: many files, broken ones too, several models, stop and delete."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.many_files import batch as batches, each_other, files, labels, own_map, run, state
from pages.many_files.batch import DEVELOPMENT, OWN, TRAINING, UNSEEN, Batch, BatchRow
from pages.many_files.overview import label_scores
from pages.many_files.state import BatchItem, UploadState
from pages.ui import model_picker
from pages.ui.emotion import CHOICE_KEY
from pages.ui.export import rows_as_csv
from pages.ui.text import plain
from ser_core.audio import load_audio
from ser_core.data.file_labels import FileLabel, label_files
from ser_core.data.protocols.splits import protocol_split
from ser_core.inference import ENSEMBLE_NAME, collection_reference, predict, speaker_reference
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.inference.results import Prediction
from ser_core.interpret import embed_windows
from ser_core.interpret.atlas import load_atlas
from ser_core.labels import EMOTIONS
from ser_core.plots.reports.html_report import batch_report
from ser_core.plots.style import emotion_label
from tests.make_audio import long_file
from tests.make_page import open_page, session_of, texts, wav

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()
NO_SPEECH = wav(np.zeros(16_000, np.float32))


def different(n: int) -> list[bytes]:
    """Sounds of the same voice."""
    waveform = load_audio(io.BytesIO(SPEECH))
    return [wav(waveform * (1 - 0.05 * i)) for i in range(n)]


@pytest.fixture(autouse=True)
def _all_may_be_averaged(monkeypatch):
    monkeypatch.setattr(state, "ensemble_members", list)
    monkeypatch.setattr(files, "ensemble_members", list)


@pytest.fixture
def page(checkpoints) -> AppTest:
    """With two small models that were never trained."""
    page = open_page("many_files")
    return page.run()


def choose(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "audio/ogg") for name, content in files]).run()
    assert not page.exception
    return page


def table_of(page: AppTest):
    """The table of all files."""
    (found,) = [frame.value for frame in page.dataframe if "duration (s)" in frame.value]
    return found


def test_an_empty_page_says_what_it_does_and_where_files_go(page):
    assert not page.exception and "kept in this session" in texts(page)


def test_a_page_without_labels_names_the_place_to_add_them(page):
    choose(page, ("a.ogg", SPEECH)).segmented_control(key="batch-view").set_value("Labels").run()
    assert f"“{page.expander[0].label}”" in page.info[0].value


def test_what_a_table_does_not_list_or_use_is_named(page):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH), ("labels.csv", b"path,emotion,Speakr\na.ogg,sad,Ann\n"))
    shown = [caption.value for caption in page.caption]
    assert plain("labels.csv has no column speaker; columns that are not used: speakr") in shown
    assert plain("1 of 2 files are not listed in a table: b.ogg") in shown


def test_broken_files_are_named_and_the_rest_is_done(page):
    good = [(f"{i}.ogg", SPEECH) for i in range(3)]
    choose(page, *good, ("torn.wav", b"RIFF"), ("1001_DFA_ANG_XX.ogg", SPEECH), ("text.mp3", b"no sound at all"))
    broken, table = page.dataframe[0].value, table_of(page)
    assert set(broken["file or row"]) == {"torn.wav", "text.mp3"} and all(broken["reason"].str.len() > 10)
    assert set(table["file"]) == {"0.ogg", "1.ogg", "2.ogg", "1001_DFA_ANG_XX.ogg"}
    assert {file: label for file, label in zip(table["file"], table["label"], strict=True) if label} == {
        "1001_DFA_ANG_XX.ogg": emotion_label("angry")
    }
    assert "Analysed by " in texts(page) and shared_model("other").version not in texts(page)
    assert any("UAR %" in frame.value for frame in page.dataframe)


def test_the_enrolled_voice_is_the_reference_where_it_is_switched_on(page, speech):
    """And what is known without it is there again when it is switched off."""
    choose(page, ("a.ogg", SPEECH))
    (plain,) = (item.predictions["other"] for item in session_of(page).page(UploadState).results.values())
    mine = 0.5 * speech
    session_of(page).voice_clips = {"mine": mine}
    page.run().toggle(key="use-voice").set_value(True).run()
    (item,) = session_of(page).page(UploadState).results.values()
    waveform = load_audio(io.BytesIO(SPEECH))
    expected = predict(shared_model("other"), waveform, reference=speaker_reference(shared_model("other"), [mine]))
    assert not page.exception and "Relative to your enrolled voice. That is right for" in texts(page)
    assert item.predictions["other"].probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert item.predictions["other"].reference_clips == 1 and emotion_label(expected.emotion) in str(table_of(page))
    page.toggle(key="use-voice").set_value(False).run()
    (item,) = session_of(page).page(UploadState).results.values()
    assert item.predictions["other"] is plain and "Relative to" not in texts(page)


def test_a_long_file_is_compared_with_the_others_too(page, speech):
    choose(page, *zip(("a.wav", "b.wav", "c.wav", "long.wav"), [*different(3), long_file(speech)], strict=True))
    (switch,) = [toggle for toggle in page.toggle if "each other" in toggle.label]
    switch.set_value(True).run()
    items = session_of(page).page(UploadState).results.values()
    assert {item.predictions["other"].reference_clips for item in items} == {3}


def test_the_files_of_the_reference_are_drawn_in_any_order(page, monkeypatch):
    monkeypatch.setattr("ser_core.inference.reference_clips.MAX_REFERENCE_CLIPS", 3)
    chosen = [*zip(("a.wav", "b.wav", "c.wav", "d.wav"), different(4), strict=True)]
    used = []
    for order in (chosen, chosen[::-1]):
        choose(page, *order)
        (switch,) = [toggle for toggle in page.toggle if "each other" in toggle.label]
        switch.set_value(True).run()
        items = session_of(page).page(UploadState).results.values()
        used.append({item.name: item.predictions["other"].reference_clips for item in items})
    assert used[0] == used[1] and sorted(used[0].values()) == [2, 2, 2, 3]


def test_a_voice_of_another_version_is_refused_and_clips_are_enrolled_again(page, speech):
    choose(page, ("a.ogg", SPEECH))
    now, old = session_of(page), replace(speaker_reference(shared_model("other"), [speech]), version="old")
    now.references, now.uses_voice = {"other": old}, True
    page.run()
    assert not page.exception and "version old" in page.error[0].value
    now.voice_clips = {"mine": speech}
    page.run()
    assert not page.error and now.references["other"].version == shared_model("other").version


def test_the_files_are_the_reference_of_each_other_where_that_is_switched_on(page, monkeypatch):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    assert not [toggle for toggle in page.toggle if "each other" in toggle.label]  # two are too few
    sounds = different(3)
    choose(page, *zip(("a.wav", "b.wav", "c.wav"), sounds, strict=True), ("torn.wav", b"RIFF"))
    (switch,) = [toggle for toggle in page.toggle if "each other" in toggle.label]
    rows: list[dict] = []
    monkeypatch.setattr(files, "rows_as_csv", lambda found: rows.extend(found) or "")
    switch.set_value(True).run()
    assert rows[-1]["other, reference"] == "collection, 2 clips"  # all but the file itself
    model, waveforms = shared_model("other"), [load_audio(io.BytesIO(sound)) for sound in sounds]
    reference = collection_reference(model, waveforms)
    found = [
        item.predictions["other"] for item in session_of(page).page(UploadState).results.values() if not item.problem
    ]
    assert not page.exception and "Relative to 3 of these files" in texts(page) and len(found) == 3
    for prediction, waveform in zip(found, waveforms, strict=True):
        expected = predict(model, waveform, reference=reference)
        assert prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert {(p.reference_source, p.reference_clips) for p in found} == {("collection", 2)}  # the others
    for module in ("together", "inputs"):
        monkeypatch.setattr(f"pages.many_files.{module}.models_with_reference", lambda: ("small",))
    page.run()
    assert "Relative to" not in texts(page) and "Too few" not in texts(page)
    page.multiselect(key="models").set_value(["small", "other"]).run()
    assert "Models that take no reference: other." in texts(page)
    choose(page, *[(f"{i}.ogg", NO_SPEECH) for i in range(3)])
    assert "Too few of these files hold speech" in texts(page) and len(session_of(page).page(UploadState).results) == 3


def test_files_of_one_kind_are_suggested_as_reference_and_the_gain_is_counted(page, monkeypatch):
    monkeypatch.setattr(each_other, "MOST_OF_ONE_EMOTION", 1)
    monkeypatch.setattr(each_other, "describe_collection", lambda model: "Measured.")
    *sounds, last = different(each_other.MIN_SUGGESTED_COLLECTION)
    few = [(f"{i}.wav", sound) for i, sound in enumerate(sounds)]
    assert "of one kind" not in texts(choose(page, *few))
    choose(page, *few, ("1001_DFA_ANG_XX.wav", last))
    assert f"Are these {each_other.MIN_SUGGESTED_COLLECTION} recordings of one kind" in texts(page)
    order = [element.value for element in page.main if element.type in ("caption", "markdown")]
    counts, suggestion = (
        next(i for i, text in enumerate(order) if start in text) for start in ("Emotions predicted", "**Are these")
    )
    assert counts < suggestion  # first what came out
    (button,) = [button for button in page.button if "relative to each other" in button.label]
    button.click().run()
    items = session_of(page).page(UploadState).results.values()
    assert not page.exception and all(item.predictions["other"].reference_source == "collection" for item in items)
    (item,) = (item for item in items if item.name.startswith("1001"))
    alone, together = (int(found.emotion == "angry") for found in item.kept.values())
    assert f"of 1 labelled files with speech, {alone} are right alone and {together} relative" in texts(page)
    assert "of one kind" not in texts(page)


@pytest.mark.parametrize(("emotions", "suggested"), [(["happy"] * 10, False), (["happy", "sad"] * 5, True)])
def test_files_of_one_mood_are_not_suggested(emotions, suggested):
    assert each_other._may_be_a_reference(emotions) == suggested


@pytest.mark.parametrize("n_labels", [9, 10])
def test_the_mood_of_files_is_that_of_their_labels(n_labels):
    row = SimpleNamespace(has_speech=True, label=SimpleNamespace(emotion="sad"))
    batch, found = SimpleNamespace(labelled=[row] * n_labels), [SimpleNamespace(emotion="happy")] * 12
    assert each_other._emotions(batch, found) == (["sad"] * 10 if n_labels == 10 else ["happy"] * 12)


def test_several_models_stand_side_by_side_and_together(page):
    choose(page, ("a.ogg", SPEECH)).multiselect(key="models").set_value(["small", "other"]).run()
    page.button(key="go").click().run()
    (line,) = table_of(page).to_dict("records")
    assert {"small", "other", ENSEMBLE_NAME, "disagreement"} <= line.keys()
    assert 0 <= line["disagreement"] <= 1 and 0 < line[f"{ENSEMBLE_NAME}, confidence"] <= 1


def test_deleting_erases_the_uploads_on_the_server_too(page, erased):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    files = set(session_of(page).page(UploadState).uploaded)
    page.button(key="delete-batch").click().run()
    assert not page.exception and len(files) == 2 and set(erased) == files


def test_a_model_that_is_added_later_hears_only_what_it_lacks(page):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    before = dict(session_of(page).page(UploadState).results)
    page.multiselect(key="models").set_value(["small", "other"]).run()
    page.button(key="go").click().run()
    after = session_of(page).page(UploadState).results
    assert all(after[i].predictions["other"] is before[i].predictions["other"] for i in before)
    assert all(after[i].predictions.keys() == {"small", "other"} for i in after)


def test_stop_keeps_what_is_done(page, monkeypatch):
    process_one, done = state.process_file, []

    def stopped_after_two(file, models):
        if len(done) == 2:  # what a click on Stop does: its callback runs, and the script starts again
            run.set_running(False)
            st.rerun()
        process_one(file, models)
        done.append(file.name)

    with monkeypatch.context() as patch:
        patch.setattr(state, "process_file", stopped_after_two)
        choose(page, *((f"{i}.ogg", SPEECH) for i in range(4)))
    assert not page.exception and len(session_of(page).page(UploadState).results) == 2
    assert "2" in page.button(key="go").label
    page.button(key="go").click().run()
    assert len(session_of(page).page(UploadState).results) == 4


def test_a_model_that_is_deleted_in_the_middle_of_a_run_is_left_out(page, checkpoints, monkeypatch):
    process_one = state.process_file

    def process_and_lose(file, models):
        process_one(file, models)
        shutil.rmtree(checkpoints / "other", ignore_errors=True)
        unload_models()

    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH)).multiselect(key="models").set_value(["small", "other"]).run()
    monkeypatch.setattr(state, "process_file", process_and_lose)
    page.button(key="go").click().run()
    table = table_of(page)
    assert not page.exception and "other" not in table and set(table["file"]) == {"a.ogg", "b.ogg"}


def test_deleting_leaves_nothing(page):
    choose(page, ("mine.ogg", SPEECH))
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
    assert len(table_of(choose(page, ("a.ogg", SPEECH)))) == 1


def test_a_file_that_is_taken_away_is_forgotten(page):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
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


def test_rows_are_walked_by_key_and_played(page):
    choose(page, ("a.ogg", SPEECH), ("b.ogg", SPEECH))
    assert page.button(key="Previous").disabled and not page.get("audio")
    page.button(key="Next").click().run()
    assert not page.exception and page.get("audio") and "1 of 2" in texts(page)
    page.button(key="Next").click().run()
    assert "2 of 2" in texts(page) and page.button(key="Next").disabled


def test_a_file_plays_when_it_is_chosen_and_not_after_a_visit_elsewhere(page):
    choose(page, ("sad/a.ogg", SPEECH), ("angry/b.ogg", SPEECH))
    page.button(key="Next").click().run()
    page.run()
    assert page.get("audio")[0].proto.autoplay
    for view in ("Labels", "Files"):
        page.segmented_control(key="batch-view").set_value(view).run()
    assert not page.exception and not page.get("audio")[0].proto.autoplay
    page.button(key="Next").click().run()
    assert page.get("audio")[0].proto.autoplay


def test_the_confidence_stands_beside_the_prediction_within_the_width_of_the_table(page):
    choose(page, ("1001_DFA_ANG_XX.ogg", SPEECH))
    (element,) = [frame for frame in page.dataframe if "duration (s)" in frame.value]
    order = list(element.proto.column_order)
    first = order[:4]
    assert sorted(order) == sorted(element.value)
    assert first == ["file", "other", "other, confidence", "label"]  # a phone shows the prediction
    columns = json.loads(element.proto.columns)
    assert columns["other, confidence"]["label"] == "confidence"
    assert columns["duration (s)"]["type_config"]["format"].startswith("%.")  # 6.00 below 4.93
    widths = [columns[name]["width"] for name in first]
    assert sum(widths) < 550 - files.ROW_HEIGHT  # beside a player, at 1440 pixels, before the arrow at the edge
    table, player = page.columns[-2:]
    assert table.weight > 3 * player.weight  # no file is chosen
    page.button(key="Next").click().run()
    table, player = page.columns[-2:]
    assert table.weight < 2 * player.weight


TABLE = b"path;emotion;speaker\nC:\\mine\\x00.ogg;wut;anna\ngone.ogg;sad;anna\nx01.ogg;sad;ben\n"


def test_a_table_gives_labels_and_what_it_lacks_is_named(page):
    choose(page, ("x00.ogg", SPEECH), ("x01.ogg", SPEECH), ("labels.csv", TABLE))
    assert "gone.ogg" in page.dataframe[0].value["file or row"][0]
    page.selectbox(key="word-wut").set_value("angry").run()
    assert not page.exception and {emotion_label("angry"), emotion_label("sad")} == set(table_of(page)["label"])
    page.segmented_control(key="batch-view").set_value("Labels").run()
    (pair,) = page.dataframe[-1].value.to_dict("records")  # two labels, one sound
    assert not page.exception and pair["how"] == "identical"
    assert {pair["file"], pair["same sound as"]} == {"x00.ogg", "x01.ogg"}
    assert {"sad", "angry"} == set(pair["labels"].split(" / "))
    page.button(key="undo").click().run()
    assert page.selectbox(key="word-wut").value == "leave out"


def test_every_view_says_what_it_needs(page):
    choose(page, ("a.ogg", SPEECH))
    for view in ("Labels", "Map", "Your own classifier"):
        page.segmented_control(key="batch-view").set_value(view).run()
        assert not page.exception and page.info, view


def takes(speech) -> list[tuple[str, bytes]]:
    """Ten files of five speakers in two moods, no two with the same samples."""
    names = [f"10{i:02}_DFA_{code}_XX.wav" for i in range(1, 6) for code in ("ANG", "SAD")]
    return [(name, wav(speech * (1 - 0.05 * i))) for i, name in enumerate(names)]


def test_a_classifier_is_offered_only_where_it_can_be_trained(page, speech):
    choose(page, *((f"1001_DFA_{code}_XX.ogg", SPEECH) for code in ("ANG", "SAD")))
    page.segmented_control(key="batch-view").set_value("Your own classifier").run()
    assert page.button(key="train-head").disabled and "has 1 clip; each emotion needs 5" in texts(page)
    choose(page, *takes(speech), ("1001_DFA_FEA_XX.ogg", SPEECH))
    assert plain("Left out, with fewer than 5 files: fear (1).") in texts(page)
    assert page.button(key="train-head").label == "Train on 10 files"
    page.button(key="train-head").click().run()
    assert not page.exception and "head" not in texts(page).lower() and session_of(page).page(UploadState).head
    page.multiselect(key="models").set_value(["other", "small"]).run()  # the second one has not run yet
    (scores,) = [
        frame.value.set_index("classifier")["UAR %"] for frame in page.dataframe if "classifier" in frame.value
    ]
    assert scores["small"] == "not analysed" and float(scores["other"]) >= 0
    page.button_group(key=CHOICE_KEY).set_value(["angry", "happy"]).run()
    (scores,) = [frame.value for frame in page.dataframe if "classifier" in frame.value]
    assert {*scores["classifier"]} == {"your own classifier", "chance"}  # the models are scored on fewer files
    assert "The models are not compared" in texts(page)


def test_ten_labelled_files_have_confounds_and_a_map(page, speech):
    choose(page, *takes(speech))
    for view, sentence in (("Labels", "UAR of guessing the label"), ("Map", "Click a point")):
        page.segmented_control(key="batch-view").set_value(view).run()
        assert not page.exception and sentence in texts(page)


# --- figures ---------------------------------------------------------------------------------------------------------


def row(name: str, speech_s: float = 2.0, label: str | None = None, speaker: str | None = None, **chosen) -> BatchRow:
    """Models that give 0.79 to one emotion and 0.03 to each other one; a tuple sets another confidence."""
    predictions = {}
    for model, emotion in chosen.items():
        values = {e: 0.79 if e == emotion else 0.03 for e in EMOTIONS}
        predictions[model] = Prediction(model, emotion, 0.79, values, (), False, "", 2.0, speech_s, 0.0, 2.0)
    known = label_files([name]).labels.get(name)
    given = FileLabel(label, speaker) if label else known
    item = BatchItem(name, 2.0, speech_s, predictions=predictions, digest=name)
    return BatchRow(name, item, given, (known.utterance_id if known else None) or "")


def batch_of(rows: list[BatchRow], *models: str) -> Batch:
    return Batch(list(models), rows, label_files([]), [])


def test_disagreement_is_the_distance_from_the_mean_and_comes_first():
    alike, apart = row("a.wav", x="sad", y="sad"), row("b.wav", x="sad", y="angry")
    assert alike.item.disagreement(["x", "y"]) == 0
    assert apart.item.disagreement(["x", "y"]) == pytest.approx(0.38)
    together = apart.item.with_ensemble(["x", "y"])[ENSEMBLE_NAME].probabilities
    assert together["sad"] == pytest.approx(0.41) and sum(together.values()) == pytest.approx(1)
    silent = row("c.wav", speech_s=0.0, x="sad", y="fear")
    assert batch_of([silent, alike, apart], "x", "y").by_doubt() == [apart, alike, silent]


def test_the_report_has_every_file(monkeypatch):
    file = io.BytesIO(SPEECH)
    monkeypatch.setattr(files.state, "files", lambda: {"a.ogg": file})
    report_row = files._report_row(row("a.ogg"), row("a.ogg", x="sad").item.predictions["x"])
    assert "a.ogg" in batch_report("Many files", [report_row], {}) and len(report_row.load()) > 16_000


def test_scores_in_a_report_say_which_labels_they_leave_out():
    rows = [row("a.wav", label="sad", x="sad"), row("b.wav", label="fear", x="sad")]
    about = "1 file with the label of an emotion that cannot occur"
    limited = replace(batch_of(rows, "x"), possible=("sad", "angry"))
    assert about in label_scores(limited, "x").note and not label_scores(batch_of(rows, "x"), "x").note


def test_the_table_says_how_many_clips_each_prediction_is_relative_to(monkeypatch):
    monkeypatch.setattr(files, "get_model", lambda name: SimpleNamespace(version="1"))
    monkeypatch.setattr(files.state, "model_now", lambda name: SimpleNamespace(reference=SimpleNamespace(n_clips=10)))
    one = row("a.wav", x="sad")
    used = {"reference_source": "collection", "reference_clips": 9}  # all but the file itself
    one.item.predictions["x"] = replace(one.item.predictions["x"], **used)
    of_all = files._provenance(one, batch_of([one], "x", "y"))
    assert of_all["x, reference"] == "collection, 9 clips" and of_all["y, reference"] == ""
    limited = files._provenance(one, replace(batch_of([one], "x"), possible=("sad", "angry")))
    assert limited["possible emotions"] == "sad, angry" and "possible emotions" not in of_all


def test_the_ensemble_abstains_with_the_majority():
    doubtful = row("a.wav", x="sad", y="sad", z="sad")
    for name in ("x", "y"):
        doubtful.item.predictions[name] = replace(doubtful.item.predictions[name], abstain=True, reason="too close")
    batch = batch_of([doubtful], "x", "y", "z")
    assert files.table_row(doubtful, batch)[ENSEMBLE_NAME] == "not sure (sad)"
    assert "2 of 3" in doubtful.item.with_ensemble(["x", "y", "z"])[ENSEMBLE_NAME].reason


def test_a_model_that_has_not_run_yet_takes_no_part():
    one = row("a.wav", label="angry", x="angry")
    line = files.table_row(one, batch_of([one], "x", "y"))
    assert [line[name] for name in ("disagreement", ENSEMBLE_NAME, "y", "y, confidence")] == [None] * 4
    assert line["x"] == "angry" and not batches.confusion([one], "y").any()


def test_recordings_of_a_corpus_count_by_their_part_in_training(monkeypatch):
    split = protocol_split("speaker-independent", "0")
    train, dev, test = (
        next(i for i in ids if i.startswith("crema_d/")) for ids in (split.train, split.dev, split.test)
    )
    model = SimpleNamespace(metrics={"protocol": "speaker-independent", "fold": "0"})
    monkeypatch.setattr(model_picker, "get_model", lambda name: model)
    rows = [row(f"{name.removeprefix('crema_d/')}.wav") for name in (train, dev, test)] + [row("mine.wav")]
    batch = batch_of(rows, "small")
    assert [batch.part(one, "small") for one in rows] == [TRAINING, DEVELOPMENT, UNSEEN, OWN]


def test_a_recording_under_another_name_is_known_by_its_sound(monkeypatch):
    found = load_atlas("prosonet")
    monkeypatch.setattr(batches, "_atlas", lambda name, version: found)
    monkeypatch.setattr(batches, "get_model", shared_model)
    same, other = found.embeddings[7], found.embeddings[7] + np.random.default_rng(0).normal(size=256)
    assert batches._same_sound([same, other]) == [found.ids[7], ""]


def test_a_sound_between_two_alike_recordings_is_neither(monkeypatch):
    """Windows that are cut elsewhere move a recording; takes of one sentence lie as near."""
    angles = {"a": 0.0, "take of a": 0.1, "b": 1.5}
    unit = lambda angle: np.array([np.cos(angle), np.sin(angle)])  # noqa: E731
    known = SimpleNamespace(embeddings=np.stack([*map(unit, angles.values())]), ids=np.array([*angles]))
    monkeypatch.setattr(batches, "_atlas", lambda name, version: known)
    monkeypatch.setattr(batches, "get_model", shared_model)
    assert batches._same_sound([unit(0.05), unit(1.6), unit(1.1)]) == ["", "b", ""]


def test_a_file_is_known_by_all_of_its_sound(page, speech):
    """Two that begin alike are no copies, and a file lies at the mean of its windows."""
    louder_at_the_end = np.concatenate([speech[:60_000], 0.5 * speech[60_000:]])
    choose(page, ("a.wav", wav(speech)), ("b.wav", wav(louder_at_the_end)), ("again.wav", wav(speech)))
    found = {item.name: item for item in session_of(page).page(UploadState).results.values()}
    assert found["a.wav"].digest == found["again.wav"].digest != found["b.wav"].digest
    windows = embed_windows(shared_model(state.space_model()), load_audio(io.BytesIO(wav(speech))))[1]
    assert len(windows) > 1
    np.testing.assert_allclose(found["a.wav"].embedding, windows.mean(0), atol=1e-5)


def test_more_files_than_a_page_can_show_are_not_analysed(page, monkeypatch):
    monkeypatch.setattr(run, "MOST_FILES", 2)
    choose(page, *((f"{i}.ogg", SPEECH) for i in range(3)))
    assert "only the first 2 are analysed" in page.warning[0].value
    assert [item.name for item in session_of(page).page(UploadState).results.values()] == ["0.ogg", "1.ogg"]


def test_files_outlive_their_widgets_on_another_page_and_no_longer(monkeypatch):
    now = UploadState()
    monkeypatch.setattr(state, "upload_state", lambda: now)
    a, b = SimpleNamespace(file_id="a"), SimpleNamespace(file_id="b")
    state.keep([a], is_back=False)
    state.keep([], is_back=True)
    assert list(now.uploaded) == ["a"]
    state.keep([b], is_back=False)
    state.keep([], is_back=False)
    assert list(now.uploaded) == ["a"]


def test_nothing_is_claimed_where_nobody_speaks():
    silent = row("a.wav", speech_s=0.0, x="sad")
    line = files.table_row(silent, batch_of([silent], "x"))
    assert (line["x"], line["x, confidence"]) == ("no speech", None)


def test_a_file_without_speech_has_no_emotion_in_any_view(page, speech):
    sounds = [wav(speech * (1 - 0.05 * i)) for i in range(10)]
    chosen = [(f"{('sad', 'angry')[i % 2]}/{i}.wav", sound) for i, sound in enumerate(sounds)]
    choose(page, *chosen, ("sad/silent.wav", NO_SPEECH), ("unknown.wav", NO_SPEECH))
    page.segmented_control(key="batch-view").set_value("Your own classifier").run()
    page.button(key="train-head").click().run()
    assert page.button(key="train-head").label == "Train on 10 files" and "Files without a label" not in texts(page)
    now = session_of(page).page(UploadState)
    assert len(now.head_files) == 10 and not page.exception
    silent = next(BatchRow(i, item, None, "") for i, item in now.results.items() if item.name == "unknown.wav")
    assert own_map._group(batch_of([silent], "small"), silent, own_map.BY_PREDICTION) == "no speech"


def test_silence_is_no_doubtful_label(monkeypatch):
    shown: list[dict] = []
    played: list[list[BatchRow]] = []
    monkeypatch.setattr(labels, "_playable", lambda table, sounds, key: played.extend(sounds))
    monkeypatch.setattr(labels, "download_rows", lambda label, table, name: shown.extend(table))
    monkeypatch.setattr(labels.state, "upload_state", UploadState)
    rows = [row(f"{i}.wav", label=("sad", "angry")[i % 2], x=("sad", "angry")[i % 2]) for i in range(10)]
    wrong, silent = (row(n, speech_s=s, label="sad", x="angry") for n, s in (("wrong.wav", 2.0), ("silent.wav", 0.0)))
    labels._show_doubtful(batch_of([*rows, wrong, silent], "x"), [*rows, wrong, silent])
    assert [line["file"] for line in shown] == ["wrong.wav"] and played == [[wrong]]
    assert (shown[0]["label"], shown[0]["predicted"]) == ("sad", "angry")  # without symbols: a table of labels again


def test_exports_hold_every_file_and_no_formula():
    rows = [row("=1+1.wav", x="sad"), row("b.wav", label="angry", x="fear")]
    batch = batch_of(rows, "x")
    lines = list(csv.DictReader(io.StringIO(rows_as_csv([files.table_row(one, batch) for one in rows]))))
    assert [line["file"] for line in lines] == ["'=1+1.wav", "b.wav"]
    assert [(line["x"], line["label"]) for line in lines] == [("sad", ""), ("fear", "angry")]
    content = json.loads(files.as_json(rows, ["x"]))
    assert [(c["predictions"][0]["emotion"], c["label"]) for c in content] == [("sad", None), ("fear", "angry")]

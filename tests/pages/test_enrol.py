"""The page "My voice" without a browser: ten sentences, other clips, before and after, export and import."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile
from streamlit.testing.v1 import AppTest

from pages.enrol import state, view
from pages.enrol.comparison import _rows, describe_gain
from pages.ui.voice import clips, personal
from pages.ui.voice.clips import EnrolmentState
from pages.ui.voice.personal import voice_reference
from pages.ui.voice.sentences import SENTENCES
from pages.workspace.voice import second
from ser_core.audio import load_audio
from ser_core.inference import MIN_REFERENCE_CLIPS, EnrolmentGain
from tests.make_audio import long_file
from tests.make_page import open_page, session_of, texts, wav
from tests.plots.test_report import prediction

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()
NAME = "small"


@pytest.fixture
def page(checkpoints, monkeypatch, enrolling_model) -> AppTest:
    """With a model that takes reference clips."""
    model = copy.copy(enrolling_model)
    model.name = NAME
    for module in ("pages.ui.voice.clips", "pages.enrol.state"):
        monkeypatch.setattr(f"{module}.models_with_reference", lambda: (NAME,))
    monkeypatch.setattr("pages.enrol.view.models_with_emotions", lambda: (NAME,))
    for module in ("pages.ui.voice.clips", "pages.enrol.state", "pages.ui.voice.personal"):
        monkeypatch.setattr(f"{module}.get_model", lambda name: model)
    page = open_page("enrol").run()
    assert not page.exception
    return page


def add_clips(page: AppTest, *labels: str) -> AppTest:
    """Clips of one voice, which differ in their noise."""
    speech = load_audio("assets/samples/low_slow.ogg")
    for i, label in enumerate(labels):
        noise = np.random.default_rng(i).normal(0, 0.002, len(speech)).astype(np.float32)
        session_of(page).voice_clips[f"clip {i}"] = speech + noise
        if label:
            session_of(page).page(EnrolmentState).labels[f"clip {i}"] = label
    page.run()
    assert not page.exception
    return page


def test_sentences_are_read_one_after_the_other(page, monkeypatch):
    shown = page.header[0].value
    assert SENTENCES[0][0] in shown and len(SENTENCES) == 10
    page.button(key="skip").click().run()
    assert SENTENCES[1][0] in page.header[0].value
    page.button(key="back").click().run()
    assert page.header[0].value == shown and not page.exception


def test_a_recording_counts_with_the_emotion_it_was_read_in(page, monkeypatch):
    now = session_of(page)
    for module in (clips, state, view):
        monkeypatch.setattr(module, "session", lambda: now)
    now.page(state.ReadingState).position = 3
    view._read(*SENTENCES[3], SPEECH, ())
    (clip_id,) = now.voice_clips
    assert now.page(EnrolmentState).labels == {clip_id: SENTENCES[3][1]} and now.page(state.ReadingState).position == 4
    view._read(*SENTENCES[4], wav(np.zeros(16_000)), ())
    assert len(now.voice_clips) == 1 and now.page(state.ReadingState).position == 4  # without speech: once more
    page.run()
    assert not page.exception and "No speech" in page.warning[0].value


def test_who_would_rather_not_act_reads_all_of_them_plainly(page, monkeypatch):
    page.button(key="skip").click().run()
    now = session_of(page)
    now.page(state.ReadingState).position = 3
    assert "as if you were" in texts(page.run())
    page.toggle(key="read-plainly").set_value(True).run()
    assert "plainly, as you speak every day" in texts(page) and "as if you were" not in texts(page)
    again = open_page("enrol")  # after another page, which took the states of its widgets
    again.session_state["session"] = now
    assert again.run().toggle(key="read-plainly").value and "as if you were" not in texts(again)
    assert "as if you were" in texts(again.toggle(key="read-plainly").set_value(False).run())
    recorders = []
    monkeypatch.setattr(view, "recorder", lambda **options: recorders.append(options["on_clip"]))
    page.toggle(key="read-plainly").set_value(True).run()
    for module in (clips, state, view):
        monkeypatch.setattr(module, "session", lambda: now)
    recorders[-1](SPEECH, ())
    assert [*now.page(EnrolmentState).labels.values()] == ["neutral"]


def test_a_model_that_cannot_use_labels_is_not_read_to_plainly(page, monkeypatch):
    kept = view.LABEL_HELP[True]
    add_clips(page, "")
    assert kept in page.dataframe[0].proto.columns and page.toggle(key="read-plainly")
    monkeypatch.setattr("pages.enrol.view.models_with_emotions", lambda: ())
    page.run()
    assert not page.exception and view.LABEL_HELP[False] in page.dataframe[0].proto.columns
    assert "read-plainly" not in [toggle.key for toggle in page.toggle]


def test_labels_are_part_of_the_reference_and_change_it_without_a_new_one(page, monkeypatch):
    model = personal.get_model(NAME)
    now = session_of(add_clips(page, "neutral", "", "sad"))
    for module in (clips, personal):
        monkeypatch.setattr(module, "session", lambda: now)
    first, key = voice_reference(NAME), clips.voice_key()
    assert first.emotions == ()  # a model without offsets
    monkeypatch.setattr(model, "emotion_offsets", np.ones((8, 8), np.float32))
    labelled = voice_reference(NAME)
    assert labelled.emotions == ("neutral", "", "sad") and labelled.embedding is first.embedding
    assert voice_reference(NAME) is labelled  # what was computed with it stays valid
    now.page(EnrolmentState).labels["clip 1"] = "happy"
    assert voice_reference(NAME).emotions == ("neutral", "happy", "sad") and clips.voice_key() != key


def test_the_time_it_takes_is_told_until_the_voice_is_ready(page):
    assert "About two minutes. The clips stay" in texts(page)
    add_clips(page, *[""] * MIN_REFERENCE_CLIPS)
    assert "About two minutes" not in texts(page) and "The clips stay in this session" in texts(page)


def test_the_table_stays_the_same_when_the_first_clip_is_labelled(page):
    def table():
        return page.dataframe[0].proto.id

    before = table() if add_clips(page, "", "") else ""
    session_of(page).page(EnrolmentState).labels["clip 0"] = "sad"
    page.run()
    assert not page.exception and table() == before  # another one would not know what is chosen in this one


def test_files_are_added_and_broken_ones_named(page):
    page.file_uploader[0].upload("mine.ogg", SPEECH, "audio/ogg").run()
    page.file_uploader[0].upload("broken.wav", b"no sound", "audio/wav").run()
    assert not page.exception and len(session_of(page).voice_clips) == 1
    assert any("broken" in warning.value for warning in page.warning)


def test_a_long_file_is_known_again_by_its_start(page, speech):
    page.file_uploader[0].upload("long.wav", long_file(speech), "audio/wav").run()
    (clip,) = session_of(page).voice_clips.values()
    np.testing.assert_array_equal(clip, load_audio(long_file(speech))[: 20 * 16_000])


def test_files_that_the_browser_sends_once_more_are_no_news(page, monkeypatch):
    gone = DeletedFile("erased")  # as Streamlit names a file that is no longer there
    kept = {"session": session_of(page), "voice-0": [gone], "voice-reference-0": gone, "second-0": gone}
    monkeypatch.setattr(st, "session_state", kept)
    view._add_files("voice-0")
    view._import("voice-reference-0")
    second._take_file("second-0")
    assert not session_of(page).voice_clips and not session_of(page).references
    assert not any(session_of(page).rounds.values())  # an input that was not emptied may hold a file


def test_a_current_clip_without_speech_is_not_added_and_the_page_says_why(page):
    silence = np.zeros(16_000, np.float32)
    session_of(page).clip = SimpleNamespace(id="x", name="room.wav", recording=SimpleNamespace(waveform=silence))
    page.run().button(key="add-current").click().run()
    assert not page.exception and not session_of(page).voice_clips
    assert "No speech was found in it" in page.warning[0].value


def test_the_last_clips_of_the_session_are_added_at_once(page, speech):
    now = session_of(page)
    for i, waveform in enumerate((speech, 0.9 * speech)):
        now.latest[str(i)] = SimpleNamespace(id=str(i), name=f"{i}.wav", recording=SimpleNamespace(waveform=waveform))
    assert "add-latest" not in [button.key for button in page.button]
    page.run().button(key="add-latest").click().run()
    assert not page.exception and not page.warning and [*now.voice_clips] == ["0", "1"]
    assert "add-latest" not in [button.key for button in page.button]
    page.button(key="clear-voice").click().run()
    assert page.button(key="add-latest").label == "Add your last 2 clips"


def test_uploaded_clips_make_a_voice_that_is_ready_with_its_switch_first(page):
    add_clips(page, "")
    assert "2 more clips and your voice is ready; 1 so far" in texts(page) and page.header
    add_clips(page, *[""] * 10)
    assert page.main.children[3].children[0].value == "**Your voice is ready (10 clips).**"  # below title and words
    assert page.main.children[3].children[1].key == "use-voice"
    assert not page.header and "Sentence 1" not in texts(page)
    page.button(key="read-too").click().run()
    page.button(key="skip").click().run()
    page.button(key="back").click().run()
    assert not page.exception and SENTENCES[0][0] in page.header[0].value  # who reads goes on reading


def test_one_switch_for_the_voice_which_can_be_removed(page):
    assert "use-voice" not in [toggle.key for toggle in page.toggle]
    add_clips(page, "happy", "", "")
    assert "Predictions do not use it yet" in texts(page) and page.button(key="to-clip")
    page.toggle(key="use-voice").set_value(True).run()
    assert not page.exception and session_of(page).uses_voice and "Predictions in Clip" in texts(page)
    page.button(key="clear-voice").click().run()
    assert not page.exception and not session_of(page).voice_clips and not session_of(page).uses_voice


def test_before_and_after_on_labelled_clips(page, monkeypatch):
    add_clips(page, "happy", "sad", "")
    page.button(key="measure-gain").click().run()
    assert not page.exception
    rows = page.dataframe[-1].value
    assert len(rows) == 2 and list(rows.columns) == ["label", "without", "with your voice"]
    add_clips(page, "happy", "sad", "", "angry")  # other labels: measured again on demand
    assert "measure-gain" in [button.key for button in page.button]
    page.button(key="measure-gain").click().run().run()
    assert "measure-gain" not in [button.key for button in page.button]
    for module in ("pages.ui.voice.clips", "pages.enrol.state"):
        monkeypatch.setattr(f"{module}.models_with_reference", lambda: ("other",))
    page.run()
    assert not page.exception and "measure-gain" in [button.key for button in page.button]  # of another model


def test_the_label_of_a_clip_that_is_not_in_the_voice_stays(page):
    session_of(page).page(EnrolmentState).labels["answered"] = "sad"  # in the view Answer
    add_clips(page, "", "")
    assert session_of(page).page(EnrolmentState).labels == {"answered": "sad"}
    assert "measure-gain" not in [button.key for button in page.button]  # the voice has no labelled clip


def test_what_is_exported_can_be_imported(page):
    add_clips(page, "", "", "")
    content = json.dumps(session_of(page).references[NAME].to_dict()).encode()
    page.button(key="clear-voice").click().run()
    page.file_uploader[1].upload("voice.json", content, "application/json").run()
    assert not page.exception and session_of(page).references[NAME].n_clips == 3 and session_of(page).uses_voice
    page.button(key="clear-voice").click().run()
    page.file_uploader[1].upload("voice.json", b"{}", "application/json").run()
    assert not page.exception and page.warning and not session_of(page).references
    foreign = json.dumps(json.loads(content) | {"model": "elsewhere"}).encode()
    page.file_uploader[1].upload("voice.json", foreign, "application/json").run()
    assert "of elsewhere" in page.warning[0].value and "into checkpoints/" in page.warning[0].value


def test_a_voice_is_made_of_clips_or_imported(page):
    add_clips(page, "", "", "")
    made = session_of(page).references[NAME]
    page.file_uploader[1].upload("voice.json", json.dumps(made.to_dict()).encode(), "application/json").run()
    assert not page.exception and "Remove all of them" in page.warning[0].value
    assert session_of(page).references[NAME] is made


def test_an_imported_voice_of_another_model_is_shown(page, monkeypatch):
    add_clips(page, "", "", "")
    content = json.dumps(session_of(page).references[NAME].to_dict()).encode()
    page.button(key="clear-voice").click().run()
    for module in ("pages.ui.voice.clips", "pages.enrol.state"):
        monkeypatch.setattr(f"{module}.models_with_reference", lambda: ("first", NAME))
    page.file_uploader[1].upload("voice.json", content, "application/json").run()
    assert not page.exception and "Your voice is ready (3 clips)" in texts(page)
    assert f"Predictions by {NAME} in Clip" in texts(page) and page.button(key="clear-voice")


@pytest.mark.parametrize(("chosen", "shown"), [("first", "first"), (NAME, NAME), ("third", NAME)])
def test_of_two_imported_voices_that_of_the_chosen_model_is_shown(monkeypatch, chosen, shown):
    latest = SimpleNamespace(model=NAME)
    monkeypatch.setattr(state, "models_with_reference", lambda: ("first", NAME, "third"))
    monkeypatch.setattr(state, "session", lambda: SimpleNamespace(references={"first": None, NAME: latest}))
    monkeypatch.setattr(state, "enrolment_state", lambda: SimpleNamespace(imported=latest))
    monkeypatch.setattr(st, "session_state", {"model": chosen})
    assert state.enrolling_model() == shown


def test_without_a_model_it_says_so(page, monkeypatch):
    monkeypatch.setattr("pages.enrol.state.models_with_reference", tuple)
    page.run()
    assert not page.exception and page.info and not page.file_uploader


@pytest.mark.parametrize(
    ("after", "said"), [("happy", "No difference"), ("sad", "may be chance"), ("angry", "does not help")]
)
def test_no_gain_is_no_success(after, said):
    without = [prediction("happy"), prediction("happy")]
    enrolled = [prediction("angry") if after == "angry" else prediction("happy"), prediction(after)]
    found = EnrolmentGain(("happy", "sad"), tuple(without), tuple(enrolled))
    assert said in describe_gain(found) and "say little" in describe_gain(found)


def test_before_and_after_stand_under_their_titles():
    found = EnrolmentGain(("happy",) * 10, (prediction("sad", 0.7),) * 10, (prediction("happy", 0.9),) * 10)
    assert describe_gain(found) == "With your voice 10 of 10 clips are predicted as labelled, without it 0."
    assert _rows(found)[0] == {"label": "▲ happy", "without": "▼ sad 70%", "with your voice": "▲ happy 90%"}


def test_each_clip_is_measured_with_its_own_label(monkeypatch):
    now, measured = SimpleNamespace(voice_clips={"a": "sound a", "b": "sound b"}), []
    monkeypatch.setattr(state, "session", lambda: now)
    monkeypatch.setattr(state, "enrolment_state", lambda: SimpleNamespace(labels={"b": "sad", "gone": "fear"}))
    monkeypatch.setattr(state, "reading_state", state.ReadingState)
    monkeypatch.setattr(state, "get_model", lambda name: name)
    monkeypatch.setattr(state, "enrolment_gain", lambda *given: measured.append(given))
    state.measure_gain(NAME, None)
    assert measured == [(NAME, ["sound a", "sound b"], [None, "sad"], None)]


def test_the_row_that_is_ticked_is_the_clip_that_is_removed(monkeypatch):
    known, shown, removed = {"a": np.zeros(16_000), "b": np.zeros(32_000)}, [], []

    def edited(rows, **_):
        shown.extend(rows)
        return [row | {"label": "sad" if row["clip"] == "A" else None, "remove": row["clip"] == "B"} for row in rows]

    monkeypatch.setattr(st, "data_editor", edited)
    monkeypatch.setattr(st, "rerun", lambda: None)
    monkeypatch.setattr(view.clips, "remove_clips", removed.extend)
    found = EnrolmentState(names={"a": "A", "b": "B"}, labels={"b": "fear"})
    view._edit_clips(known, found, "")
    assert [(row["clip"], row["seconds"], row["label"]) for row in shown] == [("A", 1.0, ""), ("B", 2.0, "fear")]
    assert removed == ["b"] and found.labels == {"a": "sad"}

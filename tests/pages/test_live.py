"""The pages around the live microphone, without a browser: the way there, and a recording that comes from there."""

import json

import numpy as np
import pytest
import streamlit as st

from pages.live import frame
from pages.live.voice import LiveState
from pages.ui.emotion import CHOICE_KEY
from ser_core.inference import Reference, speaker_reference
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.labels import EMOTIONS
from ser_core.serving.one_time_store import recording_store
from ser_core.serving.routes import LIVE_PATH, is_serving
from tests.make_page import open_page, open_view, session_of, texts, wav


@pytest.fixture
def served():
    is_serving.set()
    yield
    is_serving.clear()


@pytest.fixture
def drawn(monkeypatch) -> list[dict]:
    """What the frame of the page is given."""
    found = []
    monkeypatch.setattr(frame, "_mount", lambda data, **_: found.append(data))
    return found


@pytest.fixture
def trajectory(checkpoints, monkeypatch):
    """A function: the page, opened with a recording in its address."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    unload_models()

    def opened(token: str):
        page = open_view("over_time", timeout_s=300)
        page.query_params["recording"] = token
        page.run()
        assert not page.exception
        return page

    yield opened
    unload_models()


def test_the_microphone_is_part_of_the_page_where_it_is_served(served, drawn):
    page = open_page("live").run()
    (data,) = drawn
    assert not page.exception and data["address"] == f"{LIVE_PATH}/" and not data["follows_model"] and not page.info


def test_a_session_starts_with_the_enrolled_voice_of_the_model_that_was_chosen(served, drawn, checkpoints, speech):
    page = open_page("live").run()
    session_of(page).voice_clips = {"mine": speech}
    page.run().toggle(key="use-voice").set_value(True).run()
    assert not page.exception and "Relative to your enrolled voice." in texts(page)
    session_of(page).page(LiveState).model = "small"
    page.run()
    voices = [json.loads(data["voice"]) for data in drawn]
    assert [voice["model"] for voice in voices[-2:]] == ["other", "small"] and voices[0]["reference"] is None
    expected = speaker_reference(shared_model("small"), [speech])
    np.testing.assert_allclose(Reference.from_dict(voices[-1]["reference"]).embedding, expected.embedding, rtol=1e-5)
    assert drawn[-1]["follows_model"]


def test_a_session_starts_with_the_emotions_that_can_occur(served, drawn):
    page = open_page("live").run()
    page.button_group(key=CHOICE_KEY).set_value(["angry", "neutral"]).run()
    before, after = (json.loads(data["voice"])["emotions"] for data in drawn)
    assert not page.exception and before == [*EMOTIONS] and after == ["neutral", "angry"]
    assert "Chosen among neutral and angry." in texts(page)


def test_without_the_server_it_says_what_to_do(drawn, monkeypatch):
    monkeypatch.setattr(st, "page_link", lambda *_, **__: None)  # it knows the pages of an app only
    page = open_page("live").run()
    assert not page.exception and not drawn and "make app" in page.info[0].value


@pytest.mark.parametrize(("sent", "taken"), [("abc", ["abc"]), ("", []), (None, []), ({"x": 1}, [])])
def test_what_the_frame_hands_over_may_be_anything(monkeypatch, sent, taken):
    monkeypatch.setattr(st, "session_state", {frame.KEY: {"token": sent}})
    found = []
    frame._arrived("token", found.append)
    assert found == taken


def test_what_the_frame_sends_after_its_page_was_left_is_dropped(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})
    frame._arrived("token", lambda token: pytest.fail(token))


def test_a_recording_is_taken_once_and_its_token_leaves_the_address(trajectory, speech):
    token = recording_store.put(wav(speech))
    page = trajectory(token)
    assert session_of(page).clip.name == "Live recording" and page.dataframe
    assert "recording" not in page.query_params and len(recording_store) == 0
    page.run()
    assert not page.warning and session_of(page).clip.kind == "live"
    assert "expired" in trajectory(token).warning[0].value


@pytest.mark.parametrize("token", ["", "../../etc/passwd", "x" * 5000, "<b>"])
def test_an_unknown_token_opens_nothing(trajectory, token):
    page = trajectory(token)
    assert len(page.warning) == 1 and "upload" in page.warning[0].value
    assert not session_of(page).clip and not page.dataframe


def test_a_recording_without_sound_gets_a_sentence(trajectory):
    page = trajectory(recording_store.put(wav(np.zeros(0))))
    assert len(page.error) == 1 and not page.dataframe
    assert session_of(page).source.kind == "live" and not session_of(page).is_waiting  # the way back to Live is free

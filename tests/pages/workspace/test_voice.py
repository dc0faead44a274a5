"""The view "Voice" without a browser: the measures, a second clip, the report."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.components.player import track
from pages.ui.reports.clip import command_file
from pages.ui.session import SessionClip, UploadedSource
from pages.ui.voice.sex import SexState
from pages.workspace.voice import comparison
from pages.workspace.voice.comparison import describe_difference
from pages.workspace.voice.second import same_sentence
from pages.workspace.voice.state import VoiceState
from pages.workspace.voice.view import _place, _row
from ser_core import paths
from ser_core.audio import Recording, speech_segments
from ser_core.data import Utterance
from ser_core.inference.model_cache import unload_models
from ser_core.interpret import VOICE_MEASURES, load_voice_ranges, measure_voice
from ser_core.plots import ReportClip, format_normal, format_value
from tests.make_page import open_view, session_of, texts, wav
from tests.plots.test_report import prediction

GROUP_KEY = "voice-group-"


@pytest.fixture
def page(checkpoints) -> AppTest:
    """With a sample and an untrained model."""
    unload_models()
    page = open_view("voice")
    page.query_params["sample"] = "low_slow"
    page.session_state["voice-table"] = True
    page.run()
    assert not page.exception
    return page


def strips(page: AppTest) -> dict:
    chart = next(chart for chart in page.get("plotly_chart") if "voice" in chart.proto.id)
    return json.loads(chart.proto.spec)


def choose_group(page: AppTest, sex: str) -> AppTest:
    (group,) = [group for group in page.get("button_group") if str(group.key).startswith(GROUP_KEY)]
    return group.set_value(sex).run()


def test_every_measure_stands_in_the_range_of_the_chosen_group(page):
    table = page.dataframe[0].value
    assert list(table["measure"]) == [measure.title for measure in VOICE_MEASURES.values()]
    waveform = session_of(page).clip.recording.waveform
    measured = measure_voice(waveform, speech_segments(waveform))
    assert list(table["value"]) == [format_value(name, measured[name]) for name in VOICE_MEASURES]
    everyone, men = load_voice_ranges().group("all"), load_voice_ranges().group("male")
    assert f"{everyone.n_clips:,} clips of {everyone.n_speakers} speakers" in texts(page)
    before = strips(page)
    choose_group(page, "male")
    assert not page.exception and f"{men.n_clips:,} clips of {men.n_speakers} men" in texts(page)
    assert strips(page) != before and list(session_of(page).page(SexState).chosen.values()) == ["male"]


def test_the_page_has_a_minus_sign_and_the_export_a_number():
    given = "level_dbfs", {"clip": {"level_dbfs": -33.2}}, {"clip": load_voice_ranges().group("all")}
    shown, exported = (_row(*given, on_page) for on_page in (True, False))
    assert (shown["value"], exported["value"]) == ("−33", -33)
    assert "−" in shown["normal, all speakers"] and "".join(map(str, exported.values())).isascii()


def test_a_second_clip_stands_beside_the_first_until_it_is_dropped(page):
    page.button(key="second-high_fast.ogg").click().run()
    table = page.dataframe[0].value.set_index("measure")
    assert not page.exception and int(table["A"]["Pitch (F0)"]) < 150 < int(table["B"]["Pitch (F0)"])
    assert session_of(page).page(VoiceState).contents() == {"second clips": 1}
    first = session_of(page).clip.id
    page.button(key="play-B").click().run()
    page.button(key="swap-clips").click().run()
    assert not page.exception and session_of(page).clip.id != first
    assert session_of(page).page(VoiceState).second.id == first
    page.button(key="drop-second").click().run()
    assert "B" not in page.dataframe[0].value.columns and not session_of(page).page(VoiceState).second


def test_a_man_beside_a_woman_is_compared_with_men(page):
    page.query_params["sample"] = "1008_IWL"
    page.run()
    page.button(key="second-1001_TSI").click().run()
    said, table = texts(page), page.dataframe[0].value.set_index("measure")
    women, men = (load_voice_ranges().group(sex) for sex in ("female", "male"))
    for column, group in (("normal A, women", women), ("normal B, men", men)):
        assert table[column]["Pitch (F0)"] == format_normal("f0_hz", group.ranges["f0_hz"])
    assert not page.exception
    assert f"{women.n_speakers} women (A)" in said and f"{men.n_speakers} men (B)" in said
    assert f"{men.n_speakers} unseen men" in said.split("**B.**")[1].splitlines()[0]


def test_the_sex_of_a_recording_is_unknown_until_it_is_chosen(page):
    choose_group(page, "male")
    page.button(key="second-high_fast.ogg").click().run()
    assert {"normal A, men", "normal B, all speakers"} <= set(page.dataframe[0].value.columns)


def test_a_clip_is_kept_while_another_one_is_chosen(page):
    kept = session_of(page).clip
    page.button(key="keep-second").click().run()
    assert not page.exception and "becomes A" in texts(page)
    session_of(page).source = UploadedSource(
        "upload", "mine.wav", wav(0.1 * np.random.default_rng(0).normal(size=8000))
    )
    page.run()
    assert not page.exception and session_of(page).page(VoiceState).second is kept


def test_a_broken_second_file_is_refused_by_name(page):
    page.file_uploader[-1].upload("broken.wav", b"this is no sound").run()
    assert not page.exception and any("broken" in warning.value for warning in page.warning)
    assert not session_of(page).page(VoiceState).second


@pytest.mark.parametrize("view", ["answer", "voice"])
def test_the_report_of_every_view_has_the_ranges_of_the_stated_sex(checkpoints, monkeypatch, view):
    unload_models()
    made: list[ReportClip] = []
    monkeypatch.setattr("pages.ui.reports.clip.clip_report", made.append)
    monkeypatch.setattr("streamlit.download_button", lambda _, content, *__, **___: callable(content) and content())
    page = open_view(view)
    page.query_params["sample"] = "1008_IWL"
    assert not page.run().exception and [clip.voice_group.sex for clip in made] == ["female"]


@pytest.mark.parametrize("view", ["answer", "voice"])
def test_a_report_is_made_without_the_session(checkpoints, monkeypatch, view):
    unload_models()
    makers, made = [], []
    monkeypatch.setattr("pages.ui.reports.clip.clip_report", made.append)
    monkeypatch.setattr("streamlit.download_button", lambda label, make, *_, **__: makers.append((label, make)))
    page = open_view(view)
    page.query_params["sample"] = "1008_IWL"
    assert not page.run().exception
    monkeypatch.setattr("pages.ui.session.session", lambda: pytest.fail("there is no session after the click"))
    dict(makers)["Download report"]()
    assert made[0].speech


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"link": "low_slow"}, "assets/samples/low_slow.ogg"),
        ({"link": "1008_IWL"}, "assets/samples/crema_d/1008_IWL_*"),
        ({"kind": "raw"}, "FILE"),
        ({"kind": "upload", "name": "it's mine.wav"}, "'it'\"'\"'s mine.wav'"),
    ],
)
def test_the_command_of_a_report_names_a_file_that_is_there(changes, given):
    recording = Recording(np.zeros(160, np.float32), 16_000, 0.01, 16_000, 1, "WAV", ())
    about = {"id": "", "kind": "sample", "name": "Low", "notes": (), "words": "", "utterance": None}
    clip = SessionClip(recording=recording, **about | changes)
    assert command_file(clip) == given
    assert given[0] != "a" or len(list(paths.ROOT.glob(given))) == 1


def test_silence_has_no_voice(page):
    page.query_params["sample"] = "empty_room"
    page.run()
    assert not page.exception and page.info and not page.dataframe


def test_without_ranges_there_are_the_numbers(page, monkeypatch):
    monkeypatch.setattr("pages.workspace.voice.view.load_voice_ranges", lambda: None)
    page.run()
    assert not page.exception and len(page.dataframe[0].value) == len(VOICE_MEASURES)
    assert "scripts.voice_ranges" in texts(page)


def test_the_same_sentence_in_other_emotions(monkeypatch, tmp_path):
    def recording(emotion: str, speaker: str = "tess-OAF", sentence: str | None = "back") -> Utterance:
        name = f"tess/{speaker}_{sentence}_{emotion}"
        return Utterance(name, tmp_path, "tess", speaker, "female", emotion, sentence=sentence)

    clips = [recording("sad"), recording("angry"), recording("fear", "tess-YAF"), recording("happy", sentence="bar")]
    monkeypatch.setattr("pages.workspace.voice.second.utterances", lambda: clips)
    assert [u.emotion for u in same_sentence(clips[0])] == ["angry"]
    assert same_sentence(recording("sad", sentence=None)) == []


def test_the_label_is_not_given_away_by_the_emotions_offered(page, monkeypatch, tmp_path):
    now, name = session_of(page), "1001_IEO_ANG_HI"
    angry = Utterance(f"crema_d/{name}", tmp_path, "crema_d", "crema_d-1001", "male", "angry", sentence="IEO")
    path = str(paths.SAMPLES / "low_slow.ogg")
    sad = replace(angry, id="crema_d/1001_IEO_SAD_XX", emotion="sad", path=path)
    monkeypatch.setattr("pages.workspace.voice.second.utterances", lambda: [angry, sad])
    now.clip = replace(now.clip, utterance=angry)
    page.run()
    assert "second-any" in keys(page) and f"second-{sad.id}" not in keys(page)
    now.revealed = now.clip.id
    page.run()
    page.button(key=f"second-{sad.id}").click().run()
    assert not page.exception and "sad" in now.page(VoiceState).second.name and not now.page(VoiceState).second.link


def keys(page: AppTest) -> list[str]:
    return [button.key for button in page.button]


@pytest.mark.parametrize(("curve", "played"), [(0, [1.75]), (1, [("second-second", "B")])])
def test_a_click_on_a_pitch_plays_that_clip(monkeypatch, curve, played):
    """The time axis begins with the speech, the player with the clip."""
    asked: list = []
    tracks = [track(name, np.zeros(160, np.float32), name) for name in ("first", "second")]
    prepared = [SimpleNamespace(tracks=[one]) for one in tracks]
    monkeypatch.setattr(comparison.sound, "play", asked.append)
    monkeypatch.setattr(comparison.sound, "play_other", lambda one: asked.append((one.id, one.name)))
    point = {"curve_number": curve, "x": 1.25}
    monkeypatch.setattr(st, "session_state", {comparison.PITCH: {"selection": {"points": [point]}}})
    comparison._play_from(prepared, [0.5, 0.25])
    assert asked == played


def test_the_alternative_text_says_where_a_value_lies():
    group = load_voice_ranges().group("male")
    low, high = group.ranges["f0_hz"].normal
    assert [_place("f0_hz", value, group) for value in (low - 1, low, high + 1)] == [
        "below the normal range",
        "within the normal range",
        "above the normal range",
    ]
    assert _place("pause_percent", 3.0, group) == "no normal range"


def test_the_difference_is_said_in_words():
    said = describe_difference(prediction("angry", 0.8), prediction("sad", 0.7))
    assert said.startswith("A is predicted as ") and said.endswith(": 80% in A, 4% in B.")
    assert said.index("angry") < said.index("sad") and "angry" in said.partition("largest difference")[2]
    assert "Both" in describe_difference(prediction("sad", 0.9), prediction("sad", 0.7))

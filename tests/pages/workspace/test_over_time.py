"""The view "Over time" without a browser: it grows, stops, goes on; settings never run a model again; own segments."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui import analysis
from pages.ui.voice import clips, personal
from pages.workspace import sound, trajectories
from pages.workspace.over_time import export, settings, units, view
from pages.workspace.sound import SoundState
from ser_core.audio import speech_segments
from ser_core.inference import OWN_RECORDING, Trajectory, speaker_reference
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import NO_SPEECH, Smoothing
from ser_core.labels import AROUSAL_VALENCE, EMOTIONS
from tests.inference.test_writers import tiers
from tests.make_page import open_sample, open_view, session_of, texts, upload, wav

SPEECH = Path("assets/samples/low_slow.ogg")
RATE = 16_000


@pytest.fixture
def page(checkpoints, no_corpora) -> AppTest:
    """With two small models that were never trained, and without corpora."""
    unload_models()
    page = open_view("over_time", timeout_s=600)
    return page.run()


@pytest.fixture
def files(monkeypatch) -> dict[str, str]:
    """What the download buttons of the last run would give, by label."""
    found = {}
    monkeypatch.setattr(
        st, "download_button", lambda label, make, *_, **__: found.update({label: make() if callable(make) else make})
    )
    return found


def clip_trajectories(page: AppTest) -> trajectories.ClipTrajectories:
    return next(value for key, value in session_of(page).memory.items() if "clip_trajectories" in key)


def test_an_empty_page_says_what_it_does_and_one_click_opens_a_sample(page):
    assert not page.exception and not session_of(page).clip and not page.dataframe
    assert "kept in this session" in texts(page)


def test_the_player_is_there_before_speech_is_detected(page, monkeypatch):
    order = []
    monkeypatch.setattr(sound, "player", lambda _, speech, *__, **___: order.append(speech))
    monkeypatch.setattr(analysis, "speech_segments", lambda *given: order.append("detected") or speech_segments(*given))
    open_sample(page)
    assert order[:2] == [None, "detected"] and "detected" not in order[2:]
    page.run()
    assert order[2:] and all(order[2:])


def test_a_clip_is_cut_into_segments_and_exported(page, files):
    open_sample(page)
    table = page.dataframe[0].value
    assert table["from"].iloc[0] == "0:00" and table["duration (s)"].sum() == pytest.approx(
        clip_trajectories(page).duration_s, abs=0.5
    )
    assert "Partial" not in texts(page)
    rows = list(csv.DictReader(io.StringIO(files["Download CSV"])))
    assert sum(row["part"] == "segment" for row in rows) == len(table)
    windows = [row for row in rows if row["part"] == "window"]
    assert len(rows[0]["version"]) == 8 and rows[0]["version"] not in texts(page)  # in the exports only
    assert sum(float(windows[0][emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=1e-4)
    content = json.loads(files["Download JSON"])
    assert content["models"][0]["complete"] and len(content["models"][0]["windows"]) == len(windows)
    assert list(tiers(files["Download TextGrid"])) == ["speech", "emotion", "confidence"]
    assert files["Download SRT"].startswith("1\n00:00:")


def test_no_setting_asks_a_model_again(page, files, monkeypatch):
    open_sample(page)
    before = files["Download JSON"]
    monkeypatch.setattr("ser_core.inference.progressive.run_windows", lambda *_: pytest.fail("run again"))
    page.selectbox(key="window").select(2).run()
    page.selectbox(key="hop").select(0.5).run()
    for kind in ("EMA", "median", "hysteresis"):
        page.selectbox(key="smoothing").select(kind).run()
        assert not page.exception
        content = json.loads(files["Download JSON"])["models"][0]
        assert (content["window_s"], content["hop_s"]) == (4.0, 0.5)
        assert content["smoothing"]["kind"] == kind and content["smoothing"]["amount"] > 0
    assert files["Download JSON"] != before


def strip(page: AppTest) -> list[tuple[float, float, str]]:
    """What is under the player."""
    state = session_of(page).page(SoundState)
    return [(cell.start_s, cell.end_s, cell.name) for cell in state.strips.get(state.strip, [])]


def test_the_strip_the_timeline_and_both_exports_have_the_same_segments(page, files, monkeypatch):
    monkeypatch.setattr("pages.ui.export.clip_segments", lambda *_: (Segment(0, 1, NO_SPEECH),))  # of coarser windows
    page.session_state["view"] = "answer"
    open_sample(page)
    assert strip(page) == [(0, 1, NO_SPEECH)]
    page.segmented_control(key="view").set_value("over_time").run()
    page.selectbox(key="smoothing").select("median").run()
    found, shown = clip_trajectories(page), strip(page)
    timeline = trajectories.line(found, "other", found.view).segments
    assert shown == [(segment.start_s, segment.end_s, segment.label) for segment in timeline]
    own = tiers(files["Download TextGrid"])
    page.segmented_control(key="view").set_value("answer").run()
    assert not page.exception and strip(page) == shown
    assert tiers(files["Download TextGrid"]) == own


def test_the_strip_of_the_other_views_is_that_of_the_answer(page, monkeypatch):
    monkeypatch.setattr("pages.ui.export.clip_segments", lambda *_: (Segment(0, 1, NO_SPEECH),))
    page.session_state["view"] = "answer"
    open_sample(page)
    view = page.segmented_control(key="view")
    view.set_value("over_time").run()
    assert strip(page) != [(0, 1, NO_SPEECH)]  # of the model of this view
    view.set_value("voice").run()
    assert not page.exception and strip(page) == [(0, 1, NO_SPEECH)]
    page.selectbox(key="model").select("small").run()
    assert not page.exception and strip(page) == []  # that model has not answered yet


def test_a_summary_by_another_model_than_the_answer_names_both(page):
    open_sample(page)
    chosen, name = page.selectbox(key="model"), page.multiselect(key="timeline-models").value[0]
    assert "The answer is by" not in texts(page.selectbox(key="model").select(name).run())
    other = next(option for option in chosen.options if option != name)
    assert f"By {name}. The answer is by {other}" in texts(page.selectbox(key="model").select(other).run())


def test_a_model_that_is_added_hears_alone_and_has_its_own_tiers(page, files):
    open_sample(page)
    first = clip_trajectories(page).partials["other"]
    page.multiselect(key="timeline-models").set_value(["other", "small"]).run()
    assert not page.exception and "SRT" in texts(page)
    assert clip_trajectories(page).partials["other"] is first and clip_trajectories(page).partials["small"].share == 1
    assert list(tiers(files["Download TextGrid"]))[1:] == [
        "emotion other",
        "confidence other",
        "emotion small",
        "confidence small",
    ]


def test_stop_keeps_what_there_is_and_says_that_it_is_partial(page, files, monkeypatch):
    speech, _ = soundfile.read(SPEECH, dtype=np.float32)
    analyse = trajectories.analyse

    def stopped_after_a_piece(found, models, step_s, progress=lambda: None):
        analyse(found, models, 0)
        found.stopped = True  # what a click on Stop does

    monkeypatch.setattr(trajectories, "analyse", stopped_after_a_piece)
    upload(page, "long.wav", wav(np.tile(speech, 6)))
    assert 0 < clip_trajectories(page).partials["other"].share < 1
    assert NOT_ANALYSED in texts(page)
    content = json.loads(files["Download JSON"])["models"][0]
    assert not content["complete"] and content["segments"][-1]["answer"] == NOT_ANALYSED
    assert content["segments"][-1]["end_s"] == pytest.approx(len(speech) * 6 / RATE, abs=0.01)
    monkeypatch.setattr(trajectories, "analyse", analyse)
    page.button(key="go-on").click().run()
    assert (
        not page.exception and clip_trajectories(page).partials["other"].share == 1 and NOT_ANALYSED not in texts(page)
    )


OWN = "start_s,end_s,label,speaker\n0.2,1.4,hello,anna\n1.0,2.5,there,ben\n2.5,2.6,,ben\n"


def take_segments(page: AppTest, name: str, content: str) -> AppTest:
    page.file_uploader(key=f"own-segments-{session_of(page).clip.id[:8]}-0").upload(name, content.encode()).run()
    assert not page.exception
    return page


def test_segments_of_a_file_are_the_units_and_speakers_have_means(page, files, erased):
    open_sample(page)
    take_segments(page, "turns.csv", OWN)
    table, speakers = page.dataframe[1].value, page.dataframe[0].value
    assert table["label"].tolist()[:2] == ["hello", "there"] and table["speaker"].tolist() == ["anna", "ben", "ben"]
    assert table["prediction"].iloc[2] == "no speech" and table["from"].iloc[1] == "0:01"
    assert speakers["speaker"].tolist() == ["anna", "ben"] and speakers["segments"].tolist() == [1, 2]
    assert {"emotion anna", "emotion ben", "emotion other"} <= set(tiers(files["Download TextGrid"]))
    own = json.loads(files["Download JSON"])["own_segments"]
    assert [row["label"] for row in own] == ["hello", "there", ""] and own[0]["answer"]
    rows = list(csv.DictReader(io.StringIO(files["Download CSV"])))
    assert [row["part"] for row in rows[:4]] == ["own segment"] * 3 + ["segment"]
    assert files["Download SRT"].startswith("1\n00:00:00,200 --> 00:00:01,400\n")
    file = session_of(page).page(units.UnitsState).file
    page.button(key="remove-units").click().run()
    assert not page.exception and len(page.dataframe) == 1
    assert erased == [file.file_id] and not any(uploader.value for uploader in page.file_uploader)


def test_segments_that_were_not_predicted_are_in_the_files_and_counted(page, files, monkeypatch):
    predict = units.predict_annotations
    monkeypatch.setattr(units, "CPU_BATCH_SIZE", 1)

    def stopped_after_one(model, waveform, annotations, *given):
        clip_trajectories(page).stopped = True  # what a click on Stop does
        return predict(model, waveform, annotations, *given)

    open_sample(page)
    monkeypatch.setattr(units, "predict_annotations", stopped_after_one)
    take_segments(page, "turns.csv", OWN)
    assert page.get("progress")[0].proto.text == "Your segments: 1 of 3 predicted"
    assert export.PARTIAL_WORDS in texts(page)
    own = json.loads(files["Download JSON"])["own_segments"]
    assert [(row["start_s"], row["label"]) for row in own] == [(0.2, "hello"), (1.0, "there"), (2.5, "")]
    assert own[0]["answer"] != NOT_ANALYSED and [row["answer"] for row in own[1:]] == [NOT_ANALYSED] * 2
    assert "emotion ben" in tiers(files["Download TextGrid"])


def test_segments_are_of_one_clip(page, speech):
    open_sample(page)
    assert "SRT holds your segments" in texts(take_segments(page, "turns.csv", OWN))
    upload(page, "other.wav", wav(speech[:48_000]))
    assert "SRT holds your segments" not in texts(page)


def test_a_model_that_was_trained_again_begins_again(monkeypatch):
    old, new = SimpleNamespace(version="1"), SimpleNamespace(version="2")
    found = trajectories.ClipTrajectories(np.zeros(1, np.float32), 1.0, (), (0, 1))
    found.partials = {"small": old, "other": old, "unloaded": old}
    monkeypatch.setattr(trajectories, "remember", lambda make, *key: found)
    monkeypatch.setattr(trajectories, "loaded_models", lambda: {"small": new, "other": old})
    prepared = SimpleNamespace(id="x", speech=(), waveform=found.waveform)
    assert list(trajectories.clip_trajectories(None, prepared).partials) == ["other", "unloaded"]


def test_segments_are_predicted_again_from_the_noise_reduced_sound(page, monkeypatch):
    predict, peaks = units.predict_annotations, []

    def seen(model, waveform, *rest):
        peaks.append(np.abs(waveform).max())
        return predict(model, waveform, *rest)

    monkeypatch.setattr(units, "predict_annotations", seen)
    monkeypatch.setattr(analysis, "reduce_noise", lambda waveform, speech: waveform / 2)
    open_sample(page)
    take_segments(page, "turns.csv", OWN)
    next(toggle for toggle in page.toggle if "noise" in toggle.label).set_value(True).run()
    assert not page.exception and peaks == [peaks[0], peaks[0] / 2]


def test_segments_use_the_reference_also_before_the_first_window_of_the_model(page, monkeypatch):
    open_sample(page)
    found, used = replace(clip_trajectories(page), partials={}), []
    monkeypatch.setattr(units, "get_model", shared_model)
    monkeypatch.setattr(units, "reference_for", lambda found, name: f"for {name}")
    monkeypatch.setattr(units, "predict_annotations", lambda *given: used.append(given[-1]) or iter([]))
    units.extend(found, "small", (), [])
    assert used == ["for small"]


def test_segments_of_another_recording_are_refused_with_a_sentence(page):
    open_sample(page)
    take_segments(page, "turns.csv", OWN.replace("2.6", "9000"))
    assert "ends after the recording" in page.error[0].value and len(page.dataframe) == 1


def test_tiers_of_a_textgrid_may_be_speakers(page, files):
    open_sample(page)
    take_segments(page, "own.TextGrid", files["Download TextGrid"])
    n_speech = len(page.dataframe[0].value)
    page.selectbox(key="tier").select(units.TIERS_AS_SPEAKERS).run()
    assert not page.exception and len(page.dataframe) == 2 and len(page.dataframe[1].value) > n_speech


def test_ten_minutes_grow_piece_by_piece(page, monkeypatch):
    speech, _ = soundfile.read(SPEECH, dtype=np.float32)
    shares, show = [], trajectories.line

    def seen(found, name, view):
        shares.append(found.share([name]))
        return show(found, name, view)

    monkeypatch.setattr(trajectories, "line", seen)
    monkeypatch.setattr(trajectories, "STEP_S", 0.5)
    upload(page, "long.wav", wav(np.tile(speech, 600 * RATE // len(speech))))
    assert shares[0] < 0.1 and shares[-1] == 1 and shares == sorted(shares) and len(shares) > 2


@pytest.mark.parametrize("waveform", [0.1 * np.ones(RATE), np.zeros(5 * RATE), np.array([0.1])])
def test_short_and_silent_clips_have_no_emotion(page, files, waveform):
    upload(page, "odd.wav", wav(waveform))
    assert list(page.dataframe[0].value["prediction"]) == ["no speech"] and files["Download SRT"] == ""


def test_an_unusable_file_gets_a_sentence(page):
    upload(page, "torn.wav", b"Dear diary, this is no sound. " * 50)
    assert len(page.error) == 1 and not page.dataframe
    open_sample(page)
    assert not page.error and page.dataframe


def test_without_a_model_the_page_says_what_to_do(checkpoints):
    shutil.rmtree(checkpoints)
    checkpoints.mkdir()
    page = open_view("over_time", timeout_s=60)
    open_sample(page.run())
    assert "python -m scripts.train" in page.info[0].value


def test_without_a_chosen_model_one_is_asked_for(page):
    open_sample(page)
    page.multiselect(key="timeline-models").set_value([]).run()
    assert "model" in page.info[0].value


def test_an_imported_voice_is_used_by_its_model_until_another_is_imported(page, monkeypatch, speech):
    open_sample(page)
    voices = [speaker_reference(shared_model("other"), [waveform]) for waveform in (0.9 * speech, speech[:40_000])]
    for voice in voices:
        with monkeypatch.context() as patch:
            patch.setattr(clips, "session", lambda: session_of(page))
            clips.import_reference(json.dumps(voice.to_dict()).encode())
        session_of(page).uses_voice = True
        page.run()
        while not (
            found := [c for key, c in session_of(page).memory.items() if "clip_trajectories" in key][-1]
        ).partials:
            page.run()
        used = found.partials["other"].reference.embedding
        np.testing.assert_allclose(used, voice.embedding, rtol=1e-4)
    page.multiselect(key="timeline-models").set_value(
        ["other", "small"]
    ).run()  # the second takes references, but not this one
    assert not page.exception and not page.error and found.partials["small"].reference is None
    assert "Relative to your enrolled voice: other. Without your voice, which it cannot use: small." in texts(page)


def test_a_recording_may_be_its_own_reference(enrolling_model, monkeypatch, speech):
    for module in (trajectories, personal):
        monkeypatch.setattr(module, "get_model", lambda name: enrolling_model)
    waveform = np.tile(speech, 4)
    segments = speech_segments(waveform)
    plain = trajectories.ClipTrajectories(waveform, len(waveform) / RATE, segments, (0, len(waveform)))
    own = replace(plain, partials={}, reference=OWN_RECORDING)
    view = trajectories.WindowSettings(1, 0.5, Smoothing())
    for found in (plain, own):
        while found.missing(["m"]):
            trajectories.analyse(found, ["m"], step_s=60)
    first, second = (trajectories.line(found, "m", view).trajectory for found in (plain, own))
    assert (first.reference_source, second.reference_source) == ("", "recording")
    assert not np.allclose(first.probabilities, second.probabilities)


def test_the_page_names_the_recording_as_the_reference_or_says_that_it_is_too_short(page, speech):
    open_sample(page)
    page.toggle(key="own-reference").set_value(True).run()
    assert "Predicted alone: a recording needs 10 s of speech to be its own reference." in texts(page)
    upload(page, "long.wav", wav(np.tile(speech, 4)))
    page.toggle(key="own-reference").set_value(True).run()
    while not clip_trajectories(page).covers("other"):
        page.run()
    assert not page.exception and "Relative to this recording." in texts(page)
    assert "Predicted alone" not in texts(page)


# --- without a page --------------------------------------------------------------------------------------------------


def test_segments_of_a_model_that_was_trained_again_are_predicted_again(monkeypatch):
    version = ["1"]
    monkeypatch.setattr(units, "get_model", lambda name: SimpleNamespace(version=version[0]))
    found = trajectories.ClipTrajectories(np.zeros(1, np.float32), 1.0, (), (0, 1))
    before = units.predicted(found, "small", ("a segment",))
    assert units.predicted(found, "small", ("a segment",)) is before
    assert units.predicted(found, "other", ("a segment",)) is not before
    version[0] = "2"
    assert units.predicted(found, "small", ("a segment",)) is not before


def test_a_row_of_a_window_has_the_confidence_and_the_place_of_its_answer():
    """The smoothed answer need not be the likeliest of the window."""
    probabilities = np.zeros((2, len(EMOTIONS)))
    sad, angry = EMOTIONS.index("sad"), EMOTIONS.index("angry")
    probabilities[0, [sad, angry]], probabilities[1, angry] = (0.4, 0.6), 1.0
    start_s = np.arange(2.0)
    trajectory = Trajectory("m", EMOTIONS, start_s, start_s + 1, probabilities, np.array([1.0, 0.0]), 1.0, 1.0)
    line = SimpleNamespace(trajectory=trajectory, labels=np.array(["sad", NO_SPEECH]), lead=np.array([sad, angry]))
    spoken, silent = export._window_rows(line)
    assert (spoken["answer"], spoken["confidence"]) == ("sad", 0.4)
    place = 0.4 * np.array(AROUSAL_VALENCE["sad"]) + 0.6 * np.array(AROUSAL_VALENCE["angry"])
    assert (spoken["arousal"], spoken["valence"]) == pytest.approx(tuple(place), abs=1e-6)
    assert (silent["arousal"], silent["valence"]) == (None, None)


def test_the_row_that_is_chosen_is_played(monkeypatch):
    played = []
    monkeypatch.setattr(sound, "play", lambda *times: played.append(times))
    monkeypatch.setattr(st, "session_state", {"table": {"selection": {"rows": [1]}}})
    view._play_segment("table", [Segment(i, i + 1, NO_SPEECH) for i in range(3)])
    assert played == [(1, 2)]


def test_a_recording_as_its_own_reference_has_windows_of_the_same_length(monkeypatch):
    model = SimpleNamespace(takes_reference=True, trajectory_window_s=2.0)
    monkeypatch.setattr(trajectories, "get_model", lambda _: model)
    monkeypatch.setattr(trajectories, "recording_reference", lambda *given: given)
    found = SimpleNamespace(reference=OWN_RECORDING, waveform=np.zeros(3), speech=((0.0, 1.0),))
    assert trajectories.reference_for(found, "m") == (model, found.waveform, found.speech, 2.0)


@pytest.mark.parametrize(("duration_s", "first"), [(1.0, "slow"), (60.0, "slow"), (60.1, "fast")])
def test_a_long_recording_begins_with_the_fast_model(monkeypatch, duration_s, first):
    monkeypatch.setattr(settings, "models_for_long_audio", lambda: ("fast", "slow"))
    monkeypatch.setattr(settings.clip_bar, "settings", lambda: SimpleNamespace(model="slow"))
    assert settings._by_preference(duration_s)[0] == first

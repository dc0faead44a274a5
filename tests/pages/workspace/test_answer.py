"""The workspace with its view "Answer", without a browser: every way in, every file, and what must never be seen."""

import copy
import csv
import io
import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from pages.ui import clip, clip_input, emotion, export, text
from pages.ui.analysis import NOTHING_TO_REDUCE
from pages.ui.components import recorder
from pages.ui.results import evaluated_at
from pages.ui.session import UploadedSource
from pages.ui.voice import personal
from pages.ui.voice.clips import EnrolmentState
from pages.workspace import clip_bar, views
from pages.workspace.answer import agreement, plane
from pages.workspace.map.takes import TakesState
from pages.workspace.sound import SoundState
from ser_core import paths
from ser_core.audio import load_audio
from ser_core.audio.degradations import encode_audio
from ser_core.data.feedback import read_feedback
from ser_core.data.protocols.splits import protocol_split, training_speakers
from ser_core.evaluation.results import save_result
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Segment, Trajectory
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.models.adapter import Adapter
from ser_core.models.checkpoint import Calibration, load_model, save_model
from ser_core.models.registry import build_model
from tests.inference.test_writers import tiers
from tests.make_page import open_view, session_of, texts, upload, wav
from tests.make_results import make_result

SAMPLE_RATE = 16_000
SPEECH = Path("assets/samples/low_slow.ogg")
STORY = Path("assets/samples/story.ogg")
SYNTHETIC = "espeak-ng"
MODULES = ("pages.ui.analysis", "pages.workspace.answer.view", "pages.workspace.answer.agreement")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A model with random weights that is always sure."""
    folder = tmp_path_factory.mktemp("checkpoints") / "untrained"
    save_model(build_model("resonet"), folder, "resonet", Calibration(), training={})
    return folder


@pytest.fixture
def page(monkeypatch, checkpoint) -> AppTest:
    monkeypatch.delenv("SER_CORPORA", raising=False)
    for module in MODULES:
        monkeypatch.setattr(f"{module}.available_models", lambda: (str(checkpoint),))
    return open_view("answer").run()


def answered(page: AppTest) -> bool:
    """Whether an emotion is shown."""
    return any(f"<h2>{emotion}</h2>" in element.proto.body for element in page.get("html") for emotion in EMOTIONS)


def tone(duration_s: float, rate: int = SAMPLE_RATE) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(duration_s * rate)) / rate)


def test_an_empty_page_says_what_to_do_and_where_the_audio_goes(page):
    assert not page.exception and not page.error
    assert not session_of(page).clip and not page.metric
    assert "kept in this session" in texts(page)


def test_without_a_clip_the_map_is_one_click_away_and_a_clip_brings_the_other_views(page):
    page.button(key="to-map").click().run()
    assert not page.exception and page.query_params["view"] == "map"
    page.button(key="sample-even.ogg").click().run()
    assert not page.exception and page.segmented_control(key="view").value == "map"


def test_a_switch_without_a_choice_shows_the_first_view(monkeypatch):
    """As in a browser for a moment, when it moves because the clip is deleted."""
    silent = SimpleNamespace(segmented_control=lambda *_, **__: None, session_state={"view": None}, query_params={})
    monkeypatch.setattr(views, "st", silent)
    assert views.choose_view() == "answer" and not silent.query_params


def test_samples_are_called_synthetic_and_one_click_gives_an_answer(page):
    assert SYNTHETIC in texts(page).lower()
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.exception and not page.error
    assert "synthetic" in texts(page)
    assert [metric.label for metric in page.metric][:2] == ["Speech", "Loudness"]
    assert answered(page) and "untrained" in texts(page)


@pytest.mark.parametrize(("n_windows", "n_drawn"), [(60, 60), (61, 0)])
def test_the_change_over_time_is_drawn_while_it_is_readable(n_windows, n_drawn):
    start_s = np.arange(float(n_windows))
    even = np.full((n_windows, len(EMOTIONS)), 1 / len(EMOTIONS))
    found = Trajectory("small", EMOTIONS, start_s, start_s + 1, even, np.ones(n_windows), 1.0, 1.0)
    assert plane.change_over_time(found).shape == (n_drawn, 2)
    hardly = replace(found, speech_s=np.where(start_s < 5, 1, MIN_SPEECH_TO_PREDICT_S / 2))
    assert plane.change_over_time(hardly).shape == (5, 2)


def test_the_browsers_recorder_leads_to_an_answer(page):
    speech, rate = soundfile.read(SPEECH)
    page.audio_input[0].upload("recording.wav", wav(speech, rate)).run()
    assert not page.exception and not page.error
    assert answered(page)


def test_the_latest_choice_wins_and_empties_the_others(page):
    upload(page, "first.wav", SPEECH.read_bytes())
    page.button(key="sample-story.ogg").click().run()
    assert "half a minute" in session_of(page).clip.name
    assert not page.file_uploader[0].value
    upload(page, "second.wav", SPEECH.read_bytes())
    assert session_of(page).clip.name == "second.wav"


def test_a_file_that_replaces_another_finds_the_same_uploader(page):
    """The browser may take the old file away in one step and send the new one, to the same widget, in the next."""
    upload(page, "first.wav", SPEECH.read_bytes())
    key = page.file_uploader[0].key
    page.file_uploader[0].clear().run()
    assert session_of(page).clip.name == "first.wav" and page.file_uploader[0].key == key
    upload(page, "second.wav", SPEECH.read_bytes())
    assert session_of(page).clip.name == "second.wav"


def test_deleting_leaves_nothing_of_the_audio(page):
    upload(page, "mine.wav", SPEECH.read_bytes())
    page.button(key="delete").click().run()
    assert "mine.wav" not in texts(page) and not page.metric
    assert not page.file_uploader[0].value
    assert not (session_of(page).clip or session_of(page).source or session_of(page).memory)


def test_deleting_erases_the_upload_on_the_server_too(page, erased):
    upload(page, "mine.wav", SPEECH.read_bytes())
    file = page.session_state["upload-0"]
    page.button(key="delete").click().run()
    assert erased == [file.file_id]


def test_a_file_of_a_session_that_is_over_is_told_and_the_page_begins_anew(page, monkeypatch):
    with monkeypatch.context() as restarted:
        restarted.setattr(MemoryUploadedFileManager, "get_files", lambda *_, **__: [])
        upload(page, "mine.wav", SPEECH.read_bytes())
        assert "expired" in page.warning[0].value and not session_of(page).clip
        page.button(key="empty-upload-0").click().run()
        assert not page.exception and not page.warning
    upload(page, "mine.wav", SPEECH.read_bytes())
    assert session_of(page).clip.name == "mine.wav"


def test_two_sessions_do_not_see_each_others_clip(page, checkpoint):
    other = open_view("answer").run()
    upload(page, "mine.wav", SPEECH.read_bytes())
    other.run()
    assert "mine.wav" not in texts(other) and not session_of(other).clip


def test_nobody_speaking_is_no_answer(page):
    page.button(key="sample-empty_room.ogg").click().run()
    assert not page.exception
    assert not page.error and not answered(page)
    assert "0.0 s" in texts(page)


def test_a_part_of_a_part_stays_before_the_address_has_changed(page, monkeypatch):
    page.button(key="sample-low_slow.ogg").click().run()
    session = session_of(page)
    assert session.clip.link == page.query_params["sample"] == "low_slow"
    monkeypatch.setattr(clip, "session", lambda: session)
    clip.trim(1.0, 5.0)
    clip.trim(1.0, 3.0)
    page.run()
    assert not page.exception and session_of(page).clip.recording.duration_s == pytest.approx(2)
    assert "Only 2.00 s to 4.00 s is analysed" in texts(page).replace("\\", "") and "sample" not in page.query_params


def test_a_clip_without_speech_is_not_offered_as_one_of_the_voice(enrolling):
    assert enrolling.button(key="enrol-clip")
    enrolling.button(key="sample-empty_room.ogg").click().run()
    assert not enrolling.exception and "enrol-clip" not in [button.key for button in enrolling.button]


def test_a_clip_of_an_actor_is_not_offered_as_one_of_the_voice(enrolling):
    enrolling.button(key="voice-1006_IOM").click().run()
    assert session_of(enrolling).clip.utterance and not enrolling.exception
    keys = [button.key for button in enrolling.button]
    assert "reveal" in keys and "enrol-clip" not in keys


NAN = wav(np.full(8000, np.nan), subtype="FLOAT")
UNUSABLE = {
    "empty.wav": b"",
    "text.wav": b"Dear diary, this is not a sound. " * 50,
    "picture.mp3": bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(range(256)) * 20,
    "header.wav": wav(np.zeros(0)),
    "nan.wav": NAN,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_gets_a_sentence_and_the_page_goes_on(page, name):
    upload(page, name, UNUSABLE[name])
    assert not page.exception
    assert re.search(r"[A-Z].{20,}\.", page.error[0].value.replace("\\", ""))
    assert not page.metric
    assert page.button(key="to-map")  # where the views would be
    page.button(key="sample-even.ogg").click().run()
    assert not page.exception and not page.error and page.metric


USABLE = {
    "half.wav": wav(tone(4))[: 4 * SAMPLE_RATE],
    "one_sample.wav": wav(np.array([0.1])),
    "twenty_ms.wav": wav(tone(0.02)),
    "zeros.wav": wav(np.zeros(2 * SAMPLE_RATE)),
    "eight_channels.wav": wav(np.tile(tone(1)[:, None], 8)),
    "eight_khz.wav": wav(tone(1, 8000), 8000),
    "192_khz.wav": wav(tone(1, 192_000), 192_000),
    "eight_bit.wav": wav(tone(1), subtype="PCM_U8"),
    "24_bit.wav": wav(tone(1), subtype="PCM_24"),
    "float64.wav": wav(tone(1), subtype="DOUBLE"),
    "square.wav": wav(np.sign(tone(2))),
}


@pytest.mark.parametrize("name", USABLE)
def test_an_odd_file_is_shown_with_its_quality(page, name):
    upload(page, name, USABLE[name])
    assert not page.exception and not page.error
    assert len(page.metric) == 6


def test_what_the_decoder_left_out_is_told(page):
    upload(page, "half.wav", USABLE["half.wav"])
    assert any("ends early" in warning.value.replace("\\", "") for warning in page.warning)


HOSTILE = [
    "../../etc/passwd.wav",
    "\"quoted\" 'name'.wav",
    "<img src=x onerror=alert(1)>.wav",
    "**bold** [link](http://x) $x$ :material/delete:.wav",
    "\N{GRINNING FACE} \u202egnp.wav",
    "=HYPERLINK(1).wav",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_name_is_only_ever_plain_text(page, name):
    upload(page, name, SPEECH.read_bytes())
    assert not page.exception and not page.error
    assert page.title[0].value == text.plain(name)
    marked_up = "\n".join(element.value for kind in ("markdown", "caption", "warning") for element in page.get(kind))
    assert name not in marked_up
    assert re.fullmatch(r"[\w-]+_emotion\.json", export.file_name(name, "json"))


def test_without_a_checkpoint_the_page_names_the_command_and_still_shows_the_clip(page, monkeypatch):
    monkeypatch.setattr("pages.ui.analysis.available_models", lambda: ())
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.exception and not page.error
    assert "python -m scripts.train" in page.info[0].value
    assert len(page.metric) == 6


def test_a_broken_checkpoint_is_explained(page, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text("{")
    monkeypatch.setattr("pages.ui.analysis.available_models", lambda: (str(tmp_path),))
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.exception
    assert "damaged" in page.error[0].value
    assert len(page.metric) == 6


def test_two_models_can_be_chosen_from(page, monkeypatch, checkpoint):
    monkeypatch.setattr("pages.ui.analysis.available_models", lambda: (str(checkpoint), "unknown"))
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.error
    page.selectbox[0].select("unknown").run()
    assert not page.exception
    assert "unknown" in page.error[0].value


def test_noise_reduction_is_off_and_says_when_it_has_nothing_to_do(page):
    page.button(key="sample-empty_room.ogg").click().run()
    assert page.toggle[0].value is False
    page.toggle[0].set_value(True).run()
    assert not page.exception
    assert text.plain(NOTHING_TO_REDUCE) in [warning.value for warning in page.warning]


def evaluated(checkpoint, protocol, fold):
    (checkpoint / "metrics.json").write_text(json.dumps({"protocol": protocol, "fold": fold, "corpora": {}}))


def test_no_actor_is_offered_whom_the_asked_model_may_know(monkeypatch, tmp_path, checkpoints):
    """Speaker 1001 is in the test part of speaker-independent-0 and in the training part of resonet."""
    clip_input._unseen.clear()
    for name in ("1001_DFA_ANG_XX", "1091_DFA_SAD_XX"):
        (tmp_path / f"{name}.wav").write_bytes(b"")
    for protocol, fold in (("speaker-independent", "0"), ("speaker-independent", "4"), ("ravdess-random", None)):
        evaluated(checkpoints / "small", protocol, fold)
        found = clip_input._unseen(tmp_path, "small", evaluated_at("small")).get("crema_d", [])
        speakers = {utterance.speaker for utterance in found}
        assert not speakers & training_speakers(protocol, fold)
        known = {"0": {"crema_d-1001"}, "4": {"crema_d-1091"}, None: {"crema_d-1001", "crema_d-1091"}}
        assert speakers == known[fold]
    assert clip_input._unseen(tmp_path, "other", ()) == {}  # never evaluated: nothing is known


def test_clips_of_an_evaluation_that_is_written_later_are_drawn(monkeypatch, tmp_path, checkpoints):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    plane._others.clear()
    assert not plane._others("small", evaluated_at("small"))[1]
    evaluated(checkpoints / "small", "speaker-independent", "0")
    clips = protocol_split("speaker-independent", "0").test[:3]
    save_result(make_result("small", clips, [True] * 3, "speaker-independent", "0"))
    assert len(plane._others("small", evaluated_at("small"))[1]) == 3


@pytest.mark.parametrize(
    ("codec", "name", "shown"),
    [
        ("mov aac", "memo.m4a", "M4A AAC"),
        ("mov aac", "film.MOV", "MOV AAC"),
        ("mov aac", "Live recording", "MP4 AAC"),
        ("matroska opus", "talk.webm", "WEBM OPUS"),
        ("matroska opus", "Your recording", "WebM OPUS"),
        ("matroska opus", "renamed.wav", "WebM OPUS"),
        ("aac aac", "radio.aac", "AAC"),
        ("asf wmav2", "memo.wma", "WMA WMAV2"),
        ("MP3 MPEG_LAYER_III", "song.mp3", "MP3"),
        ("WAV PCM_24", "a.wav", "WAV PCM_24"),
    ],
)
def test_the_format_of_a_clip_is_named_as_people_know_it(codec, name, shown):
    assert clip_bar._format(SimpleNamespace(name=name, recording=SimpleNamespace(codec=codec))) == shown


def test_a_file_of_a_telephone_is_called_by_its_format(page):
    speech = load_audio(SPEECH)
    upload(page, "memo.m4a", encode_audio(speech, "aac", "mp4", 64_000))
    assert "M4A AAC" in texts(page)


def test_a_model_that_was_trained_again_predicts_again(monkeypatch, checkpoints, new_model):
    monkeypatch.delenv("SER_CORPORA", raising=False)
    unload_models()
    page = open_view("answer").run()
    page.button(key="sample-low_slow.ogg").click().run()
    before = shared_model("other").version
    assert f"version {before}" in texts(page)
    save_model(new_model(seed=2), checkpoints / "other", "resonet", Calibration(), {})
    unload_models()
    page.run()
    after = shared_model("other").version
    assert not page.exception and before != after
    assert f"version {before}" not in texts(page) and f"version {after}" in texts(page)


def test_names_in_any_script_survive_in_the_names_of_exports():
    for stem in ("录音", "запись", "été 2024", "हिन्दी", "تسجيل", "일본"):
        assert export.file_name(f"{stem}.wav", "srt") == f"{stem.replace(' ', '_')}_emotion.srt"
    long = export.file_name("録" * 300 + ".wav", "TextGrid")
    assert len(long.encode()) < 255 and long.endswith("_emotion.TextGrid")
    assert export.file_name("../..\\a:b\n<c>.wav", "json") == "a_b_c_emotion.json"
    assert export.file_name("🙂.wav", "json") == "clip_emotion.json"
    assert export.file_name("a.wav", "csv", "over_time") == "a_over_time.csv"


def test_an_actors_label_is_hidden_until_asked_for(page, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(clip_input, "available_models", lambda: (str(checkpoint),))
    monkeypatch.setattr(clip_input, "read_metrics", lambda name: {"protocol": "speaker-independent", "fold": "0"})
    speech, rate = soundfile.read(SPEECH)
    soundfile.write(tmp_path / "1001_DFA_ANG_XX.wav", speech, rate)  # speaker 1001 belongs to the test fold
    soundfile.write(tmp_path / "1091_DFA_SAD_XX.wav", speech, rate)  # speaker 1091 was trained on
    monkeypatch.setenv("SER_CORPORA", str(tmp_path))
    page.run()
    page.button(key="corpus-crema_d").click().run()
    assert not page.exception and not page.error
    assert "actor 1001" in texts(page)
    assert not re.search(r"label .*angry", texts(page)) and "ANG" not in texts(page)
    page.button(key="reveal").click().run()
    assert re.search(r"label .*angry", texts(page))


def test_the_strip_under_the_player_shows_segments():
    sad = emotion.segment_cell(Segment(0, 2.75, "sad", 2.0, "sad", 0.65))
    assert (sad.name, sad.text, sad.colour) == (
        "sad",
        f"{EMOTION_STYLES['sad'].symbol} sad 65%",
        EMOTION_STYLES["sad"].colour,
    )
    assert emotion.segment_cell(Segment(2.75, 4.25, "not sure", 1.0, "sad", 0.2)).name == "not sure"
    assert emotion.segment_cell(Segment(4.25, 7, "no speech")).name == "no speech"


def test_text_of_others_is_shown_as_it_is():
    assert text.plain("*a* [b](c) :red[d] $e$ `f`") == r"\*a\* \[b\]\(c\) \:red\[d\] \$e\$ \`f\`"


def answer_of(page):
    return session_of(page).clip, next(value for key, value in session_of(page).memory.items() if "answer" in key)


def test_the_export_holds_the_answer_and_every_window(page):
    upload(page, "=1+1.ogg", STORY.read_bytes())
    clip, answer = answer_of(page)
    rows = list(csv.DictReader(io.StringIO(export.as_csv(clip, answer))))
    assert rows[0]["file"] == "'=1+1.ogg" and rows[0]["part"] == "clip"
    assert rows[0]["emotion"] == answer.prediction.emotion
    assert {row["answer"] for row in rows[1:]} <= {*EMOTIONS, "not sure", "no speech"}
    assert len(rows) == 1 + len(answer.trajectory.start_s)
    quality = next(value for key, value in session_of(page).memory.items() if "quality" in key)
    content = json.loads(export.as_json(clip, quality, answer))
    assert content["file"] == "=1+1.ogg" and content["quality"]["duration_s"] == pytest.approx(30.5, abs=0.1)
    assert [window["answer"] for window in content["windows"]] == [row["answer"] for row in rows[1:]]
    assert list(content["probabilities"]) == list(EMOTIONS)
    segments = export.clip_segments(clip, quality, answer)
    found = tiers(export.clip_textgrid(clip, quality, answer, segments))
    assert list(found) == ["speech", "emotion", "confidence"]
    assert found["emotion"][0][0] == 0 and found["emotion"][-1][1] == pytest.approx(clip.recording.duration_s, abs=1e-5)


def test_the_table_claims_no_emotion_where_the_page_claims_none(page):
    upload(page, "story.ogg", STORY.read_bytes())
    clip, answer = answer_of(page)
    for said, changes in (
        ("no speech", {"speech_s": 0.1, "abstain": True}),
        ("not sure", {"abstain": True}),
        (answer.prediction.emotion, {"abstain": False}),
    ):
        changed = replace(answer, prediction=replace(answer.prediction, **changes))
        assert next(csv.DictReader(io.StringIO(export.as_csv(clip, changed))))["answer"] == said


@pytest.mark.parametrize("sent", [{}, 3, [], {"wav": 3, "processed": []}, {"wav": "no base64 é", "processed": []}])
def test_the_recorder_believes_nothing_the_browser_sends(sent):
    assert recorder.unpacked(sent) == (b"", ())


@pytest.mark.parametrize(
    "metrics", [[1], {"pooled": 1}, {"corpora": []}, {"corpora": {"moon": {"uar": 1.0}}}, {"corpora": {"tess": {}}}]
)
def test_figures_of_another_form_are_no_crash(metrics):
    assert "scripts.evaluate" in text.describe_performance(metrics)


def test_figures_of_one_fold_are_called_so():
    """Models has those of all folds: of SAVEE one fold has a single speaker."""
    metrics = {"protocol": "speaker-independent-8", "fold": "0", "corpora": {"savee": {"uar": 0.82}}}
    assert text.describe_performance(metrics) == "UAR on unseen speakers of fold 0: SAVEE 82%."


def test_the_recorder_tells_what_the_browser_kept_on():
    content, (note,) = recorder.unpacked({"wav": "UklGRg==", "processed": ["autoGainControl"]})
    assert content == b"RIFF" and "gain control" in note


def test_one_label_serves_feedback_and_enrolment(page, monkeypatch, tmp_path):
    monkeypatch.delenv("SER_FEEDBACK", raising=False)
    page.button(key="sample-low_slow.ogg").click().run()
    page.button(key="meant-sad").click().run()
    clip = session_of(page).clip
    assert not page.exception and any("SER_FEEDBACK" in caption.value for caption in page.caption)
    assert "Kept in this session. " in texts(page)  # of a sample: no clip of the person's voice
    assert session_of(page).page(EnrolmentState).labels == {clip.id: "sad"}
    page.button(key="relabel").click().run()
    assert not session_of(page).page(EnrolmentState).labels
    monkeypatch.setenv("SER_FEEDBACK", str(tmp_path))
    page.button(key="right").click().run()
    (said,) = read_feedback(tmp_path, session_of(page).visitor)
    assert said.meant == said.answered and said.clip == clip.id
    page.button(key="delete-feedback").click().run()
    assert read_feedback(tmp_path, session_of(page).visitor) == []


def test_the_other_models_are_filled_in(page, monkeypatch, checkpoint, tmp_path):
    again = shutil.copytree(checkpoint, tmp_path / "again")
    for module in MODULES:
        monkeypatch.setattr(f"{module}.available_models", lambda: (str(checkpoint), str(again), "unknown"))
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.exception and not page.error
    assert "2 of 2 models" in texts(page)  # the same weights; one that cannot be loaded stops nobody
    assert {key[2].name for key in session_of(page).memory if "answer" in key} == {str(checkpoint), str(again)}


def test_one_next_step_leads_to_the_view_that_says_most_about_the_clip(page):
    page.button(key="sample-low_slow.ogg").click().run()
    assert [button.key for button in page.button if str(button.key).startswith("next-")] == ["next-why"]
    page.button(key="sample-story.ogg").click().run()
    assert [button.key for button in page.button if str(button.key).startswith("next-")] == ["next-over_time"]
    page.button(key="next-over_time").click().run()
    assert not page.exception and page.query_params["view"] == "over_time" and page.dataframe


def test_an_address_opens_a_clip_and_a_view(checkpoint):
    page = open_view("over_time")
    page.query_params["sample"] = "low_slow"
    page.run()
    assert session_of(page).clip.link == "low_slow" and page.query_params["view"] == "over_time"
    page.query_params["sample"] = "unheard"
    page.run()
    assert not page.exception and "unheard" in page.warning[0].value
    assert page.query_params["sample"] == "low_slow"


def test_back_in_the_browser_leads_to_the_view_before_and_a_click_wins(page, monkeypatch):
    monkeypatch.setattr(views, "LATE_S", 60)
    page.button(key="sample-low_slow.ogg").click().run()
    page.segmented_control(key="view").set_value("over_time").run()
    page.query_params["view"] = "answer"  # of a request under way while the new address was written
    page.run()
    assert page.segmented_control(key="view").value == page.query_params["view"] == "over_time"
    monkeypatch.setattr(views, "LATE_S", 0)
    page.query_params["view"] = "answer"
    page.run()
    assert page.segmented_control(key="view").value == "answer"
    page.query_params["view"] = "over_time"
    page.segmented_control(key="view").set_value("voice").run()
    assert page.segmented_control(key="view").value == page.query_params["view"] == "voice"
    assert not page.exception


def test_stored_labels_are_counted_and_deleted(page, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_FEEDBACK", str(tmp_path))
    page.button(key="sample-low_slow.ogg").click().run()
    page.button(key="meant-sad").click().run()
    assert not page.exception and any(one.value.startswith("1 label in") for one in page.caption)
    page.button(key="delete-feedback").click().run()
    assert not page.exception and not read_feedback(tmp_path)


def test_feedback_that_cannot_be_kept_is_told(page, monkeypatch, tmp_path):
    (tmp_path / "feedback.sqlite3").write_bytes(b"no database" * 100)
    monkeypatch.setenv("SER_FEEDBACK", str(tmp_path))
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.exception and any("sqlite3" in warning.value for warning in page.warning)


def test_deleting_drops_what_the_map_knows_of_a_voice_and_another_clip_does_not(page):
    session = session_of(page)
    session.page(TakesState).labelled = session.adapters = kept = {"small": {"mine": object()}}
    page.button(key="sample-low_slow.ogg").click().run()
    page.button(key="sample-story.ogg").click().run()
    assert session.page(TakesState).labelled == session.adapters == kept
    page.button(key="delete").click().run()
    assert not session_of(page).page(TakesState).labelled and not session_of(page).adapters


def test_what_was_learned_of_a_voice_is_used_on_demand(page, checkpoint):
    page.button(key="sample-low_slow.ogg").click().run()
    assert "Speaker adaptation" not in [toggle.label for toggle in page.toggle]
    found = load_model(checkpoint)
    weight = np.zeros((len(EMOTIONS), found.config.embedding_dim), np.float32)
    bias = np.where(np.array(EMOTIONS) == "surprise", 50, 0).astype(np.float32)
    learned = Adapter(found.name, found.version, weight, bias, 3, 1.0, 0.5)
    session_of(page).adapters = {str(checkpoint): learned}
    page.run()
    (toggle,) = [toggle for toggle in page.toggle if toggle.label == "Speaker adaptation"]
    toggle.set_value(True).run()
    assert not page.exception and not page.error
    assert any("<h2>surprise</h2>" in element.proto.body for element in page.get("html"))
    page.segmented_control(key="view").set_value("voice").run()
    state = session_of(page).page(SoundState)
    assert state.strips.get(state.strip)
    session_of(page).adapters = {str(checkpoint): replace(learned, bias=-bias)}
    page.run()
    state = session_of(page).page(SoundState)
    assert not page.exception and state.strip not in state.strips  # that of the adapter before is not shown


# --- enrolled voice --------------------------------------------------------------------------------------------------


@pytest.fixture
def enrolling(page, checkpoint, monkeypatch, enrolling_model) -> AppTest:
    """The page with a model that takes reference clips."""
    enrolled = copy.copy(enrolling_model)
    enrolled.name, enrolled.calibration = str(checkpoint), Calibration(reference_min_confidence=0.99)
    monkeypatch.setattr("pages.ui.voice.clips.models_with_reference", lambda: (str(checkpoint),))
    for module in ("pages.ui.analysis", "pages.ui.voice.personal"):
        monkeypatch.setattr(f"{module}.get_model", lambda name, quiet=False: enrolled)
    page.button(key="sample-low_slow.ogg").click().run()
    return page


def enrolled_toggles(page) -> list:
    return [toggle for toggle in page.toggle if toggle.key == "use-voice"]


def test_the_first_answer_does_not_wait_for_the_voice_of_other_models(monkeypatch):
    monkeypatch.setattr(personal, "uses_voice", lambda name: True)
    monkeypatch.setattr(personal, "session", lambda: SimpleNamespace(references={}))
    monkeypatch.setattr(agreement, "personal_model", pytest.fail)  # which would enrol it
    assert not agreement._is_predicted(None, "small")


def test_an_enrolled_voice_is_used_on_demand(enrolling):
    assert not enrolled_toggles(enrolling)
    enrolling.button(key="enrol-clip").click().run()
    assert enrolling.button(key="enrol-clip").disabled and len(session_of(enrolling).voice_clips) == 1
    (toggle,) = enrolled_toggles(enrolling)
    toggle.set_value(True).run()
    assert not enrolling.exception and not enrolling.error
    assert "Without your voice: this recording is all of it so far" in texts(enrolling)
    enrolling.button(key="sample-high_fast.ogg").click().run()
    assert not enrolling.exception and not enrolling.error
    assert "Reference clips of this voice: 1" in texts(enrolling)
    assert "Relative to your enrolled voice." in texts(enrolling)
    assert any("Dotted line: below 99%" in caption.value for caption in enrolling.caption)
    assert any("Reference clips" in warning.value for warning in enrolling.warning)


def test_a_clip_of_the_voice_is_compared_with_the_others(enrolling, monkeypatch):
    for sample in ("low_slow.ogg", "high_fast.ogg"):
        enrolling.button(key=f"sample-{sample}").click().run().button(key="enrol-clip").click().run()
    enrolling.toggle(key="use-voice").set_value(True).run()
    now = session_of(enrolling)
    assert not enrolling.exception and "Reference clips of this voice: 1" in texts(enrolling)
    (whole,) = now.references.values()
    assert whole.n_clips == 2
    monkeypatch.setattr(clip, "session", lambda: now)
    clip.trim(1.0, 4.0)
    enrolling.run()
    assert not enrolling.exception and "Reference clips of this voice: 1" in texts(enrolling)


def test_the_start_of_a_long_clip_of_the_voice_is_the_same_clip(enrolling, speech, monkeypatch):
    """Trimmed to what the voice holds of it, the clip and its recording are one sound."""
    enrolling.button(key="sample-low_slow.ogg").click().run().button(key="enrol-clip").click().run()
    record(enrolling, np.tile(speech, 6)[: 22 * 16_000], "upload")
    enrolling.button(key="enrol-clip").click().run()
    enrolling.toggle(key="use-voice").set_value(True).run()
    assert "Reference clips of this voice: 1" in texts(enrolling)
    now = session_of(enrolling)
    monkeypatch.setattr(clip, "session", lambda: now)
    clip.trim(0.0, 20.0)
    enrolling.run()
    assert not enrolling.exception and "Reference clips of this voice: 1" in texts(enrolling)


def test_a_recording_and_a_part_of_it_are_one_clip_of_the_voice(enrolling, monkeypatch):
    now = session_of(enrolling)
    monkeypatch.setattr(clip, "session", lambda: now)
    enrolling.button(key="sample-high_fast.ogg").click().run().button(key="enrol-clip").click().run()
    enrolling.button(key="sample-low_slow.ogg").click().run()
    clip.trim(1.0, 4.0)
    enrolling.run().button(key="enrol-clip").click().run()
    enrolling.toggle(key="use-voice").set_value(True).run()
    enrolling.button(key="untrim").click().run()  # the part is in the voice: it is no other clip
    assert enrolling.button(key="enrol-clip").disabled and "Reference clips of this voice: 1" in texts(enrolling)
    clip.trim(3.0, 5.0)
    enrolling.run()
    assert enrolling.button(key="enrol-clip").disabled and "Reference clips of this voice: 1" in texts(enrolling)
    enrolling.button(key="untrim").click().run()
    clip.trim(0.0, 1.0)  # of the rest
    enrolling.run()
    assert not enrolling.exception and "Reference clips of this voice: 2" in texts(enrolling)
    assert not enrolling.button(key="enrol-clip").disabled


def record(page: AppTest, waveform: np.ndarray, kind: str = "raw") -> None:
    now = session_of(page)
    now.old_link = now.old_link or now.clip.link  # which the address still names
    now.source = UploadedSource(kind, "Your recording", wav(waveform))
    page.run()
    assert not page.exception and not page.error


def test_four_recordings_are_suggested_as_a_voice(enrolling, speech):
    record(enrolling, 0.4 * speech, "upload")  # perhaps of somebody else
    for level in (1, 0.9, 0.8, 0.75):
        assert "use-as-voice" not in [button.key for button in enrolling.button]
        record(enrolling, level * speech)
    enrolling.button(key="use-as-voice").click().run()
    now = session_of(enrolling)
    names = [*now.page(EnrolmentState).names.values()]
    assert names == ["Your recording", *(f"Your recording {n}" for n in (2, 3, 4))]
    assert not enrolling.exception and enrolled_toggles(enrolling)[0].value
    assert "Reference clips of this voice: 3" in texts(enrolling)  # besides the one that is predicted
    assert not any("Add some" in warning.value for warning in enrolling.warning)
    assert "use-as-voice" not in [button.key for button in enrolling.button]
    for level in (0.7, 0.6, 0.5):
        record(enrolling, level * speech)
    assert "use-as-voice" not in [button.key for button in enrolling.button]  # there is a voice


def test_the_offer_of_a_voice_can_be_declined(enrolling, speech):
    for level in (1, 0.9, 0.8, 0.7):
        record(enrolling, level * speech)
    enrolling.button(key="decline-voice").click().run()
    assert not enrolling.exception and "use-as-voice" not in [button.key for button in enrolling.button]


def test_a_click_replaces_no_imported_voice(enrolling, speech):
    for level in (1, 0.9, 0.8, 0.7):
        record(enrolling, level * speech)
    session_of(enrolling).page(EnrolmentState).imported = object()
    button = enrolling.run().button(key="enrol-clip")
    assert "use-as-voice" not in [button.key for button in enrolling.button]
    assert button.disabled and "remove it first" in button.help


def test_recordings_without_speech_make_no_voice(enrolling, speech):
    for waveform in (np.zeros(16_000), np.zeros(20_000), np.zeros(24_000), speech):
        record(enrolling, waveform)
    assert len(session_of(enrolling).latest) == 1
    assert "use-as-voice" not in [button.key for button in enrolling.button]


def test_takes_have_names_of_their_own(enrolling, speech):
    names = []
    for kind in ("raw", "upload", "browser", "raw"):
        record(enrolling, (1 - 0.1 * len(names)) * speech, kind)
        names.append(enrolling.title[0].value)
    assert names == ["Your recording", "Your recording", "Your recording 2", "Your recording 3"]
    session_of(enrolling).clear()
    assert not session_of(enrolling).recorded


def test_a_take_whose_reading_was_cut_off_by_a_rerun_counts_once(enrolling, speech, monkeypatch):
    cut_off = []

    @contextmanager
    def spinner(title):
        yield
        if title == "Reading the file" and not cut_off:
            cut_off.append(title)
            st.rerun()  # as a click at this moment

    monkeypatch.setattr(st, "spinner", spinner)
    record(enrolling, speech)
    assert cut_off and enrolling.title[0].value == "Your recording"


def test_the_latest_short_clips_are_kept_until_they_are_deleted(enrolling, speech):
    now = session_of(enrolling)
    assert not now.latest  # a sample is nobody's voice
    record(enrolling, np.tile(speech, 4))  # too long for a reference clip
    assert not now.latest
    for i in range(12):
        record(enrolling, (1 - 0.05 * i) * speech)
    assert len(now.latest) == 10 and now.clip is [*now.latest.values()][-1]
    record(enrolling, (1 - 0.05 * 5) * speech)  # again
    assert len(now.latest) == 10 and now.clip is [*now.latest.values()][-1]
    enrolling.button(key="delete").click().run()
    assert len(now.latest) == 9 and now.clip is None
    now.clear()
    assert not now.latest


def test_an_enrolled_voice_stays_when_the_clip_is_deleted(enrolling):
    enrolling.button(key="enrol-clip").click().run()
    enrolling.button(key="delete").click().run()
    assert session_of(enrolling).voice_clips and not session_of(enrolling).clip
    session_of(enrolling).clear()
    assert not session_of(enrolling).voice_clips and not session_of(enrolling).uses_voice


def test_models_without_reference_offer_no_enrolment(page):
    page.button(key="sample-low_slow.ogg").click().run()
    assert "enrol-clip" not in [button.key for button in page.button]

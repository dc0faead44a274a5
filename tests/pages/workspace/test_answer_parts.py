"""Parts of the view "Answer", without a page: what is written about one prediction, its label and its recording."""

from types import SimpleNamespace

import pytest
import streamlit as st

from pages.ui.analysis import Settings
from pages.workspace.answer import agreement, details, feedback, hero, view
from pages.workspace.trajectories import ENROLLED, NO_REFERENCE
from ser_core.audio import Quality
from ser_core.data.feedback import Feedback
from tests.plots.test_report import prediction


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """What is written as text."""
    found: list[str] = []
    for kind in ("markdown", "caption"):
        monkeypatch.setattr(st, kind, lambda text, **_: found.append(text))
    return found


@pytest.mark.parametrize(
    ("label", "abstain", "verdict"), [("sad", False, "as"), ("sad", True, "not as"), ("fear", False, "not as")]
)
def test_a_model_that_abstains_has_predicted_nothing(written, monkeypatch, label, abstain, verdict):
    monkeypatch.delenv("SER_FEEDBACK", raising=False)
    feedback._show_label(SimpleNamespace(id="x", kind="microphone"), label, prediction("sad", abstain=abstain))
    assert written[0].endswith(f"**, {verdict} predicted.")


def test_stored_labels_are_compared_with_what_was_answered(written, tmp_path):
    answers = (("sad", "sad", False), ("sad", "sad", True), ("sad", "fear", False))
    stored = [Feedback("x", "m", *given[:2], 0.5, given[2], 1.0, "now") for given in answers]
    feedback._show_table(stored, tmp_path)
    assert written[0].startswith("3 labels in ") and ", 1 as predicted: " in written[0]


def test_a_label_is_revealed_for_its_clip_alone(written, monkeypatch):
    monkeypatch.setattr(view, "session", lambda: SimpleNamespace(revealed="before"))
    utterance = SimpleNamespace(emotion="sad")
    view._show_truth(SimpleNamespace(id="now", utterance=utterance))
    assert not written
    view._show_truth(SimpleNamespace(id="before", utterance=utterance))
    assert "sad" in written[0]


@pytest.mark.parametrize(
    ("changes", "used"),
    [({}, f"timeline {NO_REFERENCE}"), ({"enrolled": True}, f"timeline {ENROLLED}"), ({"my_voice": True}, "answer")],
)
def test_the_strip_is_that_of_the_same_predictions(monkeypatch, changes, used):
    monkeypatch.setattr(view, "timeline_segments", lambda *given: f"timeline {given[-1]}")
    monkeypatch.setattr(view.export, "clip_segments", lambda *_: "answer")
    prepared = SimpleNamespace(quality=None)
    assert view._segments(None, prepared, Settings("m", **changes), None) == used


@pytest.mark.parametrize(
    ("top3", "words"),
    [
        ((("angry", 0.6), ("sad", 0.3), ("fear", 0.1)), "likely, 60% · then sad\N{NO-BREAK SPACE}30%"),
        ((("angry", 0.996), ("sad", 0.003), ("fear", 0.001)), "very likely, >99%"),
    ],
)
def test_the_second_emotion_is_named_where_it_is_possible(monkeypatch, top3, words):
    shown = []
    monkeypatch.setattr(hero, "emotion_hero", lambda *given: shown.append(given))
    monkeypatch.setattr(hero, "hero", lambda *given: shown.append(given[2:]))
    hero.show_emotion(prediction("angry", top3[0][1], top3=top3))
    hero.show_emotion(prediction("angry", top3[0][1], top3=top3, abstain=True))
    (first, second), (title, closest) = shown
    assert (first, second, title) == ("angry", words, "Not sure")
    assert closest.startswith("closest: ✚ angry ") and ", ▼ sad " in closest


@pytest.mark.parametrize(("abstain", "text"), [(False, "Why ✚ angry?"), (True, "Why not sure?")])
def test_the_next_step_asks_for_no_emotion_where_none_is_predicted(monkeypatch, abstain, text):
    shown = []
    monkeypatch.setattr(st, "button", lambda label, **_: shown.append(label))
    view._show_next(prediction("angry", abstain=abstain), duration_s=3.0)
    assert shown == [text]


@pytest.mark.parametrize(("duration_s", "is_left"), [(60.0, False), (60.1, True)])
def test_a_long_clip_is_left_to_the_view_models(written, monkeypatch, duration_s, is_left):
    monkeypatch.setattr(agreement, "available_models", lambda: ("a", "b"))
    monkeypatch.setattr(agreement, "_is_predicted", lambda *_: False)
    monkeypatch.setattr(agreement, "_draw", lambda *_: None)
    prepared = SimpleNamespace(quality=SimpleNamespace(duration_s=duration_s))
    fill_in = agreement.show_agreement(prepared, "a", SimpleNamespace(prediction=None))
    assert (fill_in is None) == is_left == bool(written)


def test_a_recording_in_numbers():
    numbers = details._numbers(Quality(65.0, (), 3.0, -23.04, -26.0, -1.0, 1.5, 0.0, -0.02, ()))
    assert numbers == {
        "Speech": "3.0 s of 1 min 5 s",
        "Loudness": "−23.0 LUFS",
        "Peak": "−1.0 dBFS",
        "Clipped": "1.5%",
        "Signal to noise": "0 dB",
        "DC offset": "0.020",
    }
    unknown = details._numbers(Quality(0.1, (), 0.0, None, -26.0, -1.0, 0.0, None, 0.0, ()))
    assert (unknown["Loudness"], unknown["Signal to noise"]) == ("too short", "unknown")

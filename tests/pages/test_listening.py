"""The listening test without a browser: only new clips, nothing told too early, and the right score."""

import json
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.learn.listening import state, view
from pages.learn.listening.round import TITLE
from pages.learn.listening.state import PERSON, Guess, ListeningState
from pages.ui.samples import voices
from ser_core.data.protocols.splits import protocol_split
from ser_core.inference.model_cache import unload_models
from ser_core.labels import EMOTIONS
from tests.make_corpus import write_crema_d
from tests.make_page import open_page, session_of, texts

UNSEEN, SEEN = "1001", "1037"  # in the test part and in the training part of speaker-independent fold 0


def open_test() -> AppTest:
    page = open_page("learn")
    page.query_params["lesson"] = TITLE
    return page


@pytest.fixture
def page(checkpoints, no_corpora, monkeypatch, tmp_path) -> AppTest:
    """Two models that were measured on fold 0, and recordings of one actor in its test part and one in training."""
    for name, fold in (("small", "0"), ("other", "1")):
        metrics = {"protocol": "speaker-independent", "fold": fold, "corpora": {}}
        (checkpoints / name / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setenv("SER_CORPORA", str(write_crema_d(tmp_path / "corpora", (UNSEEN, SEEN), ("DFA",))))
    unload_models()
    page = open_test()
    page.run().multiselect(key="rivals").set_value(["small"]).run()
    yield page
    unload_models()


def test_only_clips_that_no_rival_knows_are_asked(page):
    assert not page.exception
    test = set(protocol_split("speaker-independent", "0").test)
    for _ in range(6):
        page.button(key="start" if not session_of(page).page(ListeningState).guesses else "next").click().run()
        clip = session_of(page).page(ListeningState).clip
        assert clip.id in test and UNSEEN in clip.speaker
        page.button(key="guess-sad").click().run()
        assert not page.exception
    drawn = [g.clip for g in session_of(page).page(ListeningState).guesses]
    assert len(set(drawn)) == 6  # all that there are, each once
    page.button(key="next").click().run()
    assert session_of(page).page(ListeningState).clip is None
    assert "all clips available" in page.info[0].value and not [b for b in page.button if b.key == "start"]


def test_a_rival_that_knows_the_clip_in_question_is_not_asked_about_it(page, checkpoints):
    """Both were measured on some of the clips, but only one of them on the clip that was drawn."""
    metrics = {"protocol": "resonet", "fold": None, "corpora": {}}
    (checkpoints / "other" / "metrics.json").write_text(json.dumps(metrics))
    unload_models()
    new = [u for u in state.utterances() if u.id in protocol_split("speaker-independent", "0").test]
    session_of(page).pages[ListeningState] = ListeningState(clip=new[0])
    assert page.run().button(key="guess-sad")
    with patch.object(state, "clip_parts", lambda name: (frozenset(), frozenset(), frozenset([new[1].id]))):
        page.multiselect(key="rivals").set_value(["small", "other"]).run()
        assert session_of(page).page(ListeningState).clip is None
        page.button(key="start").click().run()
        assert session_of(page).page(ListeningState).clip == new[1]


@pytest.mark.parametrize(
    "metrics",
    [{"uar": 1}, {"protocol": "none", "fold": "0"}, {"protocol": "speaker-independent", "fold": "99"}],
    ids=str,
)
def test_of_a_model_with_foreign_metrics_no_clip_is_known_to_be_new(page, checkpoints, metrics):
    (checkpoints / "small" / "metrics.json").write_text(json.dumps(metrics))
    unload_models()
    page.run()
    assert not page.exception and "No clip is unseen by all of them" in page.info[0].proto.title


def test_of_a_model_with_damaged_metrics_the_file_is_named(page, checkpoints):
    (checkpoints / "small" / "metrics.json").write_text("[1]")
    unload_models()
    page.run()
    assert not page.exception and "small/metrics.json is damaged" in texts(page).replace("\\", "")


def test_rivals_of_different_folds_have_no_clip_in_common(page):
    page.multiselect(key="rivals").set_value(["small", "other"]).run()
    assert not page.exception and "No clip is unseen by all of them" in page.info[0].proto.title
    assert not [b for b in page.button if b.key == "start"]


def test_nothing_is_told_before_the_guess(page):
    page.button(key="start").click().run()
    clip = session_of(page).page(ListeningState).clip
    assert not page.success and not page.error
    assert not session_of(page).page(ListeningState).guesses
    page.button(key=f"guess-{clip.emotion}").click().run()
    assert page.success and not page.error and "small:" in texts(page)
    table = page.dataframe[0].value.set_index("who")
    assert table["right"][PERSON] == "1 of 1" and set(table.index) == {PERSON, "small"}
    page.button(key="again").click().run()
    assert not session_of(page).page(ListeningState).guesses


def test_a_round_has_a_score_against_models_and_listeners():
    guesses = [Guess(str(i), "sad", {PERSON: "sad" if i < 7 else "fear", "x": "sad"}) for i in range(10)]
    guesses[0] = replace(guesses[0], listeners=0.9)
    guesses[1] = replace(guesses[1], listeners=0.4)
    scores = state.round_scores(guesses)
    assert (scores[PERSON], scores["x"]) == ((7, 10), (10, 10))
    assert scores[state.LISTENERS] == (pytest.approx(1.3), 2)
    now = ListeningState(guesses=guesses + guesses[:3])
    assert len(now.round) == 3 and len(ListeningState(guesses=guesses).round) == 10 and not ListeningState().round


def test_an_answer_is_marked_by_the_label():
    right = Guess("a", "sad", {PERSON: "sad", "x": "fear"}, {"x": 0.6})
    wrong = Guess("b", "happy", {PERSON: "fear", "x": "fear"}, {"x": 0.6})
    yes, no = view._mark(True), view._mark(False)
    assert view._marks([right, wrong], 3) == f"{yes} {no} :gray[○]"
    assert [view._round_row(guess)[""] for guess in (right, wrong)] == ["✓", "✗"]
    assert view._prediction_line(replace(right, emotions={PERSON: "fear", "x": "sad"}), "x").startswith(yes)
    assert view._prediction_line(wrong, "x").startswith(no)  # as the person, but not as the label


def test_the_share_of_the_listeners_is_that_of_the_label(monkeypatch):
    monkeypatch.setattr(state, "_votes", lambda: {"a": np.arange(len(EMOTIONS)) / 28})
    assert state.listener_share("a", "sad") == pytest.approx(EMOTIONS.index("sad") / 28)
    assert state.listener_share("b", "sad") is state.listener_share("a", "") is None


def test_a_round_is_won_against_models_that_judged_all_of_it():
    scores = {PERSON: (6, 10), "x": (4, 10), "y": (5, 10), state.LISTENERS: (9.0, 10)}
    assert view._outcome(scores) == "You win this round."
    assert view._outcome(scores | {"y": (7, 10)}) == "y wins this round."
    assert view._outcome(scores | {"y": (6, 10)}) == "A tie."
    assert view._outcome(scores | {"y": (6, 6)}) == "You win this round."  # chosen within the round
    assert view._outcome({PERSON: (6, 10), "y": (9, 9)}) == ""


def test_after_ten_clips_the_round_is_over(page):
    page.button(key="start").click().run()
    now = session_of(page).page(ListeningState)
    now.guesses = [Guess(str(i), "sad", {PERSON: "sad", "small": "fear"}, sound=now.clip) for i in range(9)]
    page.run().button(key=f"guess-{now.clip.emotion}").click().run()
    assert not page.exception and page.button(key="next").label == "Next round"
    assert page.metric[0].value == "10 of 10" and page.metric[1].label == "small"
    page.button(key="next").click().run()
    assert not page.metric


def test_the_score_counts_each_rival_over_its_predictions():
    guesses = [
        Guess("a", "sad", {PERSON: "sad", "x": "angry"}),
        Guess("b", "sad", {PERSON: "fear", "x": "sad", "y": "sad"}),
        Guess("c", "angry", {PERSON: "angry", "x": "angry", "y": "fear"}),
    ]
    rows = {row["who"]: row for row in state.standings(guesses)}
    assert list(rows) == [PERSON, "x", "y"]
    assert (rows[PERSON]["right"], rows[PERSON]["accuracy %"], rows[PERSON]["UAR %"]) == ("2 of 3", 66.7, 75.0)
    assert (rows["y"]["right"], rows["y"]["UAR %"]) == ("1 of 2", 50.0)
    assert state.matrix(guesses, PERSON)[EMOTIONS.index("sad"), EMOTIONS.index("fear")] == 1


def test_the_export_has_a_column_for_everybody_with_an_answer():
    guesses = [Guess("a", "sad", {PERSON: "sad"}), Guess("b", "sad", {PERSON: "fear", "x": "sad"})]
    assert state.table(guesses) == [
        {"clip": "a", "label": "sad", PERSON: "sad", "x": ""},
        {"clip": "b", "label": "sad", PERSON: "fear", "x": "sad"},
    ]


def test_a_recording_that_cannot_be_read_is_named_and_the_test_goes_on(page):
    page.button(key="start").click().run()
    path = session_of(page).page(ListeningState).clip.path
    path.write_bytes(b"no sound")
    page.button(key="guess-sad").click().run()
    assert not page.exception and path.stem in page.warning[0].value.replace("\\", "")
    assert not session_of(page).page(ListeningState).guesses
    for _ in range(5):  # the others; what could not be read is not asked again
        page.button(key="start").click().run()
        assert session_of(page).page(ListeningState).clip.path != path
        session_of(page).page(ListeningState).clip = None
        page.run()
    assert "all clips available" in page.info[0].value


@pytest.mark.parametrize("guessed", [False, True])
def test_a_recording_that_is_taken_away_is_named_and_the_test_goes_on(page, guessed):
    page.button(key="start").click().run()
    if guessed:
        page.button(key="guess-sad").click().run()
    path = session_of(page).page(ListeningState).clip.path
    path.unlink()
    page.run()
    assert not page.exception and path.stem in page.warning[0].value.replace("\\", "")
    page.button(key="start").click().run()
    assert not page.exception and page.button(key="guess-sad")


def test_without_corpora_the_real_voices_of_the_program_are_asked(checkpoints, no_corpora):
    metrics = {"protocol": "speaker-independent", "fold": "0", "corpora": {}}
    (checkpoints / "small" / "metrics.json").write_text(json.dumps(metrics))
    unload_models()
    page = open_test().run()
    page.multiselect(key="rivals").set_value(["small"]).run().button(key="start").click().run()
    clip = session_of(page).page(ListeningState).clip
    assert not page.exception and clip.path.is_file() and clip.id in {voice.utterance.id for voice in voices()}
    page.button(key=f"guess-{clip.emotion}").click().run()
    assert page.success and not page.exception


def test_without_recordings_samples_are_asked_and_nobody_is_called_right(checkpoints, no_corpora):
    page = open_test().run()
    assert not page.exception and "SER_CORPORA" in page.info[0].value
    (rival,) = page.multiselect(key="rivals").value
    answers = ("angry", "happy", "sad", "surprise")
    for key, emotion in zip(("start", "next", "next", "next"), answers, strict=True):
        page.button(key=key).click().run()
        assert f"{rival}:" not in texts(page)
        page.button(key=f"guess-{emotion}").click().run()
        assert not page.exception and f"{rival}:" in texts(page)
        assert not page.success and not page.error
    guesses = session_of(page).page(ListeningState).guesses
    alike = sum(guess.emotions[rival] == emotion for guess, emotion in zip(guesses, answers, strict=True))
    rows = state.matrix(guesses, rival).sum(1)
    assert {EMOTIONS[i] for i in rows.nonzero()[0]} == set(answers)
    table = page.dataframe[0].value.set_index("who")
    assert len({guess.clip for guess in guesses}) == 4 and list(table["right"].items()) == [(rival, f"{alike} of 4")]


def test_a_clip_plays_by_itself_only_when_it_is_drawn(page):
    page.button(key="start").click().run()
    assert page.get("audio")[0].proto.autoplay
    again = open_test()  # as on the way back from another page
    again.session_state["session"], again.session_state["rivals"] = session_of(page), ["small"]
    again.run()
    assert not again.exception and again.button(key="guess-sad") and not again.get("audio")[0].proto.autoplay

"""Labels of many files: what they and the models are worth, and a classifier of one's own; without a page."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from pages.many_files import batch as batches, files, head, inputs, labels, overview, own_map, state
from pages.many_files.batch import TRAINING, UNSEEN, BatchRow
from pages.many_files.state import UploadState
from pages.many_files.together import Together
from ser_core.labels import EMOTIONS
from tests.pages.test_many_files import batch_of, row


def test_the_least_confident_of_one_model_come_first():
    sure, doubtful = row("a.wav", x="sad"), row("b.wav", x="sad")
    doubtful.item.predictions["x"] = replace(doubtful.item.predictions["x"], confidence=0.3)
    assert batch_of([sure, doubtful], "x").by_doubt() == [doubtful, sure]


@pytest.mark.parametrize("chosen", [{}, {"joy": "happy"}])
def test_the_words_stay_open_while_one_after_the_other_is_chosen(monkeypatch, chosen):
    opened = []
    monkeypatch.setattr(st, "expander", lambda _, expanded=False, **__: opened.append(expanded) or st.container())
    monkeypatch.setattr(inputs.state, "upload_state", lambda: SimpleNamespace(words=chosen))
    inputs._show_words(SimpleNamespace(labels=SimpleNamespace(unknown_words={"scared": 6, "furious": 3})))
    assert opened == [bool(chosen)]


def test_a_confusion_has_labels_in_rows_and_predictions_in_columns():
    counts = batches.confusion([row("a.wav", label="angry", x="sad"), row("b.wav", x="fear")], "x")
    assert counts.sum() == counts[EMOTIONS.index("angry"), EMOTIONS.index("sad")] == 1


def test_a_file_without_speech_counts_neither_as_right_nor_as_wrong():
    rows = [row("a.wav", label="sad", x="sad"), row("b.wav", speech_s=0.0, label="sad", x="angry")]
    (found,) = overview._accuracy_rows(batch_of(rows, "x"), "x")
    assert (found["files"], found["accuracy %"]) == (1, 100)


def test_the_report_has_the_labels_and_the_scores_of_the_page(monkeypatch):
    one = row("1001_DFA_ANG_XX.wav", x="angry")
    batch, nothing = batch_of([one], "x"), frozenset()
    monkeypatch.setattr(batches, "clip_parts", lambda name: (frozenset([one.utterance_id]), nothing, nothing))
    scores = overview.label_scores(batch, "x")
    assert scores.rows == overview._accuracy_rows(batch, "x") and scores.confusion.sum() == 1
    assert (
        scores.note.startswith("Training: ")
        and overview.label_scores(batch_of([row("a.wav", x="sad")], "x"), "x") is None
    )
    monkeypatch.setattr(files.state, "files", lambda: {one.file_id: None})
    assert files._report_row(one, one.item.predictions["x"]).label == "angry"


def test_each_model_is_scored_by_the_parts_it_was_trained_on(monkeypatch):
    rows = [row(f"100{i}_DFA_ANG_XX.wav", x="angry", y="angry" if i else "sad") for i in range(3)]
    rows.append(row("1004_DFA_SAD_XX.wav", x="sad", y="sad"))
    nothing, trained_on = frozenset(), {"x": frozenset(one.utterance_id for one in rows)}
    monkeypatch.setattr(batches, "clip_parts", lambda name: (trained_on.get(name, nothing), nothing, nothing))
    batch = batch_of(rows, "x", "y")
    (first,), (second,) = (overview._accuracy_rows(batch, name) for name in ("x", "y"))
    assert (first["recordings"], first["UAR %"], first["files"]) == (TRAINING, 100, 4)
    assert (second["recordings"], second["UAR %"], second["accuracy %"]) == (UNSEEN, 83.3, 75)


def test_copies_are_said_and_no_score_counts_them(monkeypatch):
    figures = {}
    monkeypatch.setattr(overview.st, "metric", lambda title, value, **_: figures.update({title: value}))
    rows = [row(f"{i}.wav", label="sad" if i else "angry", x="sad") for i in range(5)]
    rows[2:] = [replace(one, item=replace(one.item, digest="same")) for one in rows[2:]]
    batch = batch_of(rows, "x")
    overview._show_figures(batch, "x", [])
    assert (figures["files"], figures["copies"], figures["with a label"]) == (5, 2, 3)
    assert batches.confusion(batch.labelled, "x").sum() == 3
    assert len(batch_of([replace(rows[2], label=rows[0].label), rows[3]], "x").labelled) == 2  # which one is wrong?


def test_the_overview_counts_the_files_with_speech_by_how_sure_the_model_is(monkeypatch):
    figures, drawn = {}, []
    monkeypatch.setattr(overview.st, "metric", lambda title, value, **_: figures.update({title: value}))
    monkeypatch.setattr(overview, "show_each_other", lambda *_: None)
    monkeypatch.setattr(overview, "emotion_count_bars", drawn.append)
    monkeypatch.setattr(overview, "chart", lambda *_, **__: None)
    rows = [row("a.wav", x="sad"), row("b.wav", x="sad"), row("c.wav", x="angry"), row("d.wav", speech_s=0.0, x="sad")]
    rows[0].item.predictions["x"] = replace(rows[0].item.predictions["x"], abstain=True)
    overview.show_overview(batch_of(rows, "x"))
    assert (figures["files"], figures["not sure"], figures["no speech"]) == (4, "33%", 1)
    assert (drawn[0]["sad"], drawn[0]["angry"], drawn[0]["happy"]) == ((1, 1), (1, 0), (0, 0))


@pytest.fixture
def trained(monkeypatch) -> tuple[list[BatchRow], UploadState]:
    """Twenty labelled files of four speakers, and the classifier that was trained on them."""
    rows = [row(f"{i}.wav", label=("sad", "angry")[i % 2], speaker=str(i % 4), x="sad") for i in range(20)]
    embeddings = np.random.default_rng(0).normal(size=(20, 4)) + 3 * (np.arange(20) % 2)[:, None]
    rows = [replace(one, item=replace(one.item, embedding=e)) for one, e in zip(rows, embeddings, strict=True)]
    now = UploadState()
    monkeypatch.setattr(state, "upload_state", lambda: now)
    head._train(rows)
    return rows, now


def test_doubtful_labels_come_from_the_cross_validated_head_once_there_is_one(trained):
    rows, now = trained
    judged, probabilities, judge = labels._judged(batch_of(rows, "x"), rows)
    assert "classifier" in judge and judged == rows and probabilities.sum(1) == pytest.approx(1)
    assert now.head.by_speaker and now.head.scores.uar > 0.9
    columns = [EMOTIONS.index(label) for label in now.head.labels]
    np.testing.assert_array_equal(probabilities[:, columns], now.head.held_out)
    judged, _, judge = labels._judged(batch_of(rows[1:], "x"), rows[1:])  # a file that it was trained on is gone
    assert judge == "x" and judged == rows[1:]


def test_a_classifier_is_shown_with_the_files_it_was_trained_on(trained, monkeypatch):
    rows, _ = trained
    shown: list[list[BatchRow]] = []
    monkeypatch.setattr(head, "_show_head", lambda batch, found, files: shown.append(files))
    monkeypatch.setattr(head, "_show_applied", lambda *_: None)
    later = replace(row("later.wav", label="sad"), item=replace(rows[0].item, name="later.wav"))
    head.show(batch_of([*rows, later], "x"))
    assert shown == [rows]
    head.show(batch_of([*rows[1:], later], "x"))
    assert len(shown) == 1


def test_brackets_are_explained_only_where_there_are_some(trained, monkeypatch):
    rows, now = trained
    written: list[str] = []
    monkeypatch.setattr(head.st, "caption", written.append)
    for name in ("chart", "offer_download", "get_model"):
        monkeypatch.setattr(head, name, lambda *_, **__: SimpleNamespace(version="1"))
    monkeypatch.setattr(state, "space_model", lambda: "x")
    head._show_head(batch_of(rows, "x"), now.head, rows)
    lines = head._score_lines(batch_of(rows, "x"), now.head, rows)
    assert ("[" in lines[0]["UAR %"]) == ("Brackets" in written[0])


def test_a_classifier_is_compared_with_models_that_may_know_the_files_and_with_chance(trained, monkeypatch):
    rows, now = trained
    rows = [replace(one, utterance_id=str(i)) for i, one in enumerate(rows)]
    monkeypatch.setattr(batches, "clip_parts", lambda name: (frozenset("012"), frozenset(), frozenset()))
    own, model, chance = head._score_lines(batch_of(rows, "x"), now.head, rows)
    assert own["UAR %"].startswith(f"{100 * now.head.scores.uar:.1f}") and not own["trained on"]
    assert (model["UAR %"], model["trained on"], chance["UAR %"]) == ("50.0", "3 of these files", "50.0")


def test_a_classifier_is_applied_to_files_without_a_label(trained, monkeypatch):
    rows, now = trained
    tables: list[list[dict]] = []
    monkeypatch.setattr(head.st, "dataframe", lambda table, **_: tables.append(table))
    monkeypatch.setattr(head, "download_rows", lambda label, table, name: tables.append(table))
    unknown = [replace(one, label=None, file_id=f"new {one.file_id}") for one in rows[:2]]
    head._show_applied(batch_of([*rows, *unknown], "x"), now.head)
    shown, file = tables
    assert [line["your own classifier"] for line in file] == ["sad", "angry"] and len(shown) == 2
    expected = now.head.probabilities(np.stack([one.item.embedding for one in unknown])).max(1)
    assert [line["probability"] for line in file] == pytest.approx(expected) and min(expected) > 0.5


def test_a_chosen_row_or_point_is_the_file_that_is_played(monkeypatch):
    now, rows = UploadState(), [row(f"{i}.wav", label="sad", speaker=f"s{i}") for i in range(3)]
    monkeypatch.setattr(state, "upload_state", lambda: now)
    monkeypatch.setattr(st, "session_state", {"table": {"selection": {"rows": [1]}}})
    files._choose_row("table", rows)
    assert now.current == "1.wav"
    selection = SimpleNamespace(points=[{"customdata": [2]}])
    monkeypatch.setattr(own_map, "chart", lambda *_, **__: SimpleNamespace(selection=selection))
    monkeypatch.setattr(own_map, "hover_card", lambda *_: None)
    monkeypatch.setattr(own_map, "_places", lambda ids, embeddings: np.zeros((3, 2)))
    placed = [replace(one, item=replace(one.item, embedding=np.zeros(4))) for one in rows]
    batch = batch_of(placed, "x")
    assert own_map._show_map(batch, placed, own_map.BY_SPEAKER) == placed[2]
    assert own_map._group(batch, rows[1], own_map.BY_SPEAKER) == "s1"


def test_the_level_that_gives_a_label_away_is_called_so():
    emotions = ("sad", "angry") * 20
    measured = tuple(
        (-30.0 if emotion == "sad" else -10.0, round(1.0 + i / 100, 2)) for i, emotion in enumerate(emotions)
    )
    found = labels._confounds.__wrapped__(emotions, (("", ""),) * 40, measured)
    assert [one.name for one in found if one.gives_away] == ["level"]


def test_the_reference_of_the_files_is_made_again_for_a_model_that_was_trained_again(monkeypatch):
    made, version = [], ["1"]
    monkeypatch.setattr("pages.many_files.together.get_model", lambda name: SimpleNamespace(version=version[0]))
    monkeypatch.setattr("pages.many_files.together.collection_reference", lambda model, _: made.append(model) or model)
    monkeypatch.setattr("pages.many_files.together.read_drawn_clips", lambda names, files: list(files))
    together, (one, other) = Together(), (SimpleNamespace(file_id=i, name=i) for i in "ab")
    assert together.reference("x", [one]) is together.reference("x", [one]) and len(made) == 1
    together.reference("x", [one, other])
    version[0] = "2"
    assert together.reference("x", [one, other]).version == "2" and len(made) == 3

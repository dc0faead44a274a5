"""User feedback: saved on request, replaced, read, deleted."""

import sqlite3
from dataclasses import astuple, replace

import pytest

from ser_core.data.feedback import (
    FEEDBACK_COLUMNS,
    FEEDBACK_FILE,
    Feedback,
    FeedbackError,
    delete_feedback,
    feedback_folder,
    read_feedback,
    save_feedback,
)

SAID = Feedback("ab" * 32, "resonet", "sad", "calm", 0.61, False, 3.2, "2026-01-02T03:04:05+00:00")


def test_nothing_is_saved_without_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("SER_FEEDBACK", raising=False)
    assert feedback_folder() is None
    monkeypatch.setenv("SER_FEEDBACK", str(tmp_path))
    assert feedback_folder() == tmp_path


def test_saved_feedback_is_read_back(tmp_path):
    later = replace(SAID, clip="01" * 32, abstained=True, said_at="2026-01-03T00:00:00+00:00")
    save_feedback(later, tmp_path / "new")
    save_feedback(SAID, tmp_path / "new")
    assert read_feedback(tmp_path / "new") == [SAID, later]


def test_feedback_on_the_same_clip_is_replaced(tmp_path):
    save_feedback(SAID, tmp_path)
    save_feedback(replace(SAID, meant="neutral"), tmp_path)
    save_feedback(replace(SAID, model="cnn-lstm"), tmp_path)
    assert {(f.model, f.meant) for f in read_feedback(tmp_path)} == {("resonet", "neutral"), ("cnn-lstm", "sad")}


def test_text_is_not_executed_as_sql(tmp_path):
    save_feedback(replace(SAID, model="x'); DROP TABLE feedback; --"), tmp_path)
    assert len(read_feedback(tmp_path)) == 1


def test_one_visitor_neither_reads_replaces_nor_deletes_the_labels_of_another(tmp_path):
    mine, other = replace(SAID, visitor="mine"), replace(SAID, visitor="other", meant="happy")
    assert read_feedback(tmp_path, "mine") == []
    save_feedback(mine, tmp_path)
    save_feedback(other, tmp_path)
    assert read_feedback(tmp_path, "mine") == [mine] and len(read_feedback(tmp_path)) == 2
    delete_feedback(tmp_path, "mine")
    assert read_feedback(tmp_path) == [other]
    assert b"mine" not in (tmp_path / FEEDBACK_FILE).read_bytes()


def test_a_file_of_an_earlier_version_keeps_its_labels(tmp_path):
    with sqlite3.connect(tmp_path / FEEDBACK_FILE) as connection:
        connection.execute(
            "CREATE TABLE feedback (clip TEXT, model TEXT, meant TEXT, answered TEXT, confidence REAL, "
            "abstained INTEGER, duration_s REAL, said_at TEXT, PRIMARY KEY (clip, model))"
        )
        connection.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(SAID)[:-1])
    save_feedback(replace(SAID, visitor="mine"), tmp_path)
    assert [feedback.visitor for feedback in read_feedback(tmp_path)] == ["", "mine"]


def test_the_file_has_these_columns_and_no_audio(tmp_path):
    save_feedback(SAID, tmp_path)
    with sqlite3.connect(tmp_path / FEEDBACK_FILE) as connection:
        found = [row[1] for row in connection.execute("PRAGMA table_info(feedback)")]
    assert tuple(found) == FEEDBACK_COLUMNS


@pytest.mark.parametrize("use", [lambda folder: save_feedback(SAID, folder), read_feedback])
def test_a_file_of_another_kind_is_an_error_and_unchanged(tmp_path, use):
    (tmp_path / FEEDBACK_FILE).write_bytes(b"no database" * 100)
    with pytest.raises(FeedbackError, match=r"feedback\.sqlite3 .*SER_FEEDBACK"):
        use(tmp_path)
    assert (tmp_path / FEEDBACK_FILE).read_bytes() == b"no database" * 100


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FeedbackError, match="writable"):
        save_feedback(SAID, tmp_path / "file" / "folder")

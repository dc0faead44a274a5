"""User feedback: intended and predicted emotion of a clip, in one SQLite file in a folder of the user's choice.

Opt-in, without audio. A clip is identified by the hash of its samples, from which nothing else can be derived.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

FEEDBACK_FOLDER_VARIABLE = "SER_FEEDBACK"
FEEDBACK_FILE = "feedback.sqlite3"
FEEDBACK_FOLDER_HINT = f"To keep it, set `{FEEDBACK_FOLDER_VARIABLE}` to a folder of your choice and restart."


class FeedbackError(ValueError):
    """Feedback that cannot be saved or read; the message names the cause and the cure."""


@dataclass(frozen=True)
class Feedback:
    """Emotion that a speaker intended with one clip, and the prediction of one model."""

    clip: str  # sha256 of the samples
    model: str
    meant: str  # emotion that the speaker intended
    answered: str  # emotion that the model predicted
    confidence: float
    abstained: bool
    duration_s: float
    said_at: str  # ISO 8601, UTC
    visitor: str = ""  # a random name of the session that saved it; files of earlier versions have none


# The names of the columns stay: files of earlier versions have them.
FEEDBACK_COLUMNS = tuple(field.name for field in fields(Feedback))


def feedback_folder() -> Path | None:
    """Folder named by SER_FEEDBACK when the program was started; None: no feedback is saved."""
    chosen = os.environ.get(FEEDBACK_FOLDER_VARIABLE)
    return Path(chosen) if chosen else None


def save_feedback(feedback: Feedback, folder: Path) -> None:
    """Save feedback; earlier feedback of the same visitor on the same clip and model is replaced.

    Raises:
        FeedbackError: the folder is not writable, or its file is not a feedback database.
    """
    with _open_database(folder) as table:
        table.execute(
            f"INSERT OR REPLACE INTO feedback VALUES ({', '.join('?' * len(FEEDBACK_COLUMNS))})", astuple(feedback)
        )


def read_feedback(folder: Path, visitor: str | None = None) -> list[Feedback]:
    """Saved feedback, oldest first; empty if there is none.

    Args:
        visitor: whose feedback is read; None: that of all.

    Raises:
        FeedbackError: the file cannot be read.
    """
    if not (folder / FEEDBACK_FILE).is_file():
        return []
    with _open_database(folder) as table:
        rows = table.execute(f"SELECT {', '.join(FEEDBACK_COLUMNS)} FROM feedback ORDER BY said_at").fetchall()
    saved = [Feedback(**dict(zip(FEEDBACK_COLUMNS, row, strict=True)) | {"abstained": bool(row[5])}) for row in rows]
    return [feedback for feedback in saved if visitor in (None, feedback.visitor)]


def delete_feedback(folder: Path, visitor: str) -> None:
    """Delete the feedback of one visitor.

    Raises:
        FeedbackError: the file cannot be changed.
    """
    with _open_database(folder) as table:
        table.execute("DELETE FROM feedback WHERE visitor = ?", [visitor])
        table.commit()
        table.execute("VACUUM")  # deleted rows would stay in the file


@contextmanager
def _open_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """Connection to the database, which is created if missing; commits at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / FEEDBACK_FILE, timeout=5)) as connection, connection:
            _create_table(connection)
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise FeedbackError(
            f"{FEEDBACK_FILE} in the folder of {FEEDBACK_FOLDER_VARIABLE} cannot be used ({error!s:.80}). "
            "Choose a writable folder, or move that file away."
        ) from None


def _create_table(connection: sqlite3.Connection) -> None:
    """Creates the table; one of an earlier version, in which a clip has one label for all visitors, is copied."""
    columns = [column for _, column, *_ in connection.execute("PRAGMA table_info(feedback)")]
    is_earlier = bool(columns) and "visitor" not in columns
    if is_earlier:
        connection.execute("ALTER TABLE feedback RENAME TO earlier")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS feedback (clip TEXT, model TEXT, meant TEXT, answered TEXT, confidence REAL, "
        "abstained INTEGER, duration_s REAL, said_at TEXT, visitor TEXT, PRIMARY KEY (clip, model, visitor))"
    )
    if is_earlier:
        connection.execute("INSERT INTO feedback SELECT *, '' FROM earlier")
        connection.execute("DROP TABLE earlier")

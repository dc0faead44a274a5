"""What people say they meant, kept only where and when they want it: one SQLite file in a folder of their choice.

No audio is kept. A clip is named by the hash of its samples, which tells whether it is the same clip and nothing else.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

FEEDBACK_FOLDER_VARIABLE = "SER_FEEDBACK"
FEEDBACK_FILE = "feedback.sqlite3"
FEEDBACK_FOLDER_HINT = f"To keep it, set `{FEEDBACK_FOLDER_VARIABLE}` to a folder of your choice and start again."


class FeedbackError(ValueError):
    """Feedback that cannot be kept or read; the message names the cause and the cure."""


@dataclass(frozen=True)
class Feedback:
    """What a person meant with one clip, and what one model answered."""

    clip: str  # sha256 of the samples
    model: str
    meant: str
    answered: str
    confidence: float
    abstained: bool
    duration_s: float
    said_at: str  # ISO 8601, UTC


FEEDBACK_COLUMNS = tuple(field.name for field in fields(Feedback))


def feedback_folder() -> Path | None:
    """The folder that was chosen when the program was started; None: nothing is kept."""
    chosen = os.environ.get(FEEDBACK_FOLDER_VARIABLE)
    return Path(chosen) if chosen else None


def save_feedback(feedback: Feedback, folder: Path) -> None:
    """Writes it down; what was said before of the same clip and model is replaced.

    Raises:
        FeedbackError: the folder cannot be written to, or its file is something else.
    """
    with _open_database(folder) as table:
        table.execute(
            f"INSERT OR REPLACE INTO feedback VALUES ({', '.join('?' * len(FEEDBACK_COLUMNS))})", astuple(feedback)
        )


def read_feedback(folder: Path) -> list[Feedback]:
    """All that was kept, oldest first; nothing where nothing was.

    Raises:
        FeedbackError: the file cannot be read.
    """
    if not (folder / FEEDBACK_FILE).is_file():
        return []
    with _open_database(folder) as table:
        rows = table.execute(f"SELECT {', '.join(FEEDBACK_COLUMNS)} FROM feedback ORDER BY said_at").fetchall()
    return [Feedback(**dict(zip(FEEDBACK_COLUMNS, row, strict=True)) | {"abstained": bool(row[5])}) for row in rows]


def delete_feedback(folder: Path) -> None:
    """Removes the file.

    Raises:
        FeedbackError: it cannot be removed.
    """
    try:
        (folder / FEEDBACK_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise FeedbackError(f"{FEEDBACK_FILE} cannot be deleted: {error.strerror}. Close what uses it.") from None


@contextmanager
def _open_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The table, made when it is not there; what was done inside is committed at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / FEEDBACK_FILE, timeout=5)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS feedback (clip TEXT, model TEXT, meant TEXT, answered TEXT, "
                "confidence REAL, abstained INTEGER, duration_s REAL, said_at TEXT, PRIMARY KEY (clip, model))"
            )
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise FeedbackError(
            f"{FEEDBACK_FILE} in the folder of {FEEDBACK_FOLDER_VARIABLE} cannot be used ({error!s:.80}). "
            "Choose a folder that you may write to, or move that file away."
        ) from None

"""Tables (CSV, TSV) that label recordings, as spreadsheets write them."""

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath

from ser_core.data.utterances import CorpusError
from ser_core.labels import EMOTIONS

TABLE_COLUMNS = ("path", "speaker", "emotion")  # and, if there are several corpora, "corpus"
REQUIRED_COLUMNS = ("path", "emotion")
OPTIONAL_COLUMNS = ("speaker", "corpus", "sentence")
UNKNOWN_EMOTION = "unknown emotion"
PREDICTION_COLUMNS = {"abstain", "abstained"}  # of what predict and evaluate write, with a file and an emotion, too
TABLE_SUFFIXES = (".csv", ".tsv")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SPEAKER_NAMES = ("speaker", "actor", "subject", "participant", "talker")
OTHER_NAMES = {"file": "path", "filename": "path", "file name": "path", "label": "emotion"} | {
    name + end: "speaker" for name in SPEAKER_NAMES for end in ("", "id", "_id", "-id", " id")
}
"""Other name of a column -> its name; used where the table has none of that name."""


@dataclass(frozen=True)
class LabelRow:
    """One recording as a table or a folder lists it; all text as written there, "" where nothing is."""

    where: str  # for messages
    name: str  # path, relative to the folder
    speaker: str
    emotion: str
    corpus: str = ""
    sentence: str = ""
    problem: str = ""  # why it cannot be used, if that is known


def emotion_word(text: str) -> str:
    """A word for an emotion, for comparison: in lower case, in NFC (macOS writes NFD), without outer blanks."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def plain_path(path: str) -> str:
    """A path as this program writes it: with slashes (Windows), in NFC (macOS writes NFD)."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path.replace("\\", "/"))))


def path_key(path: str) -> str:
    """A path for comparison in any case, too."""
    return plain_path(path).casefold()


def emotion_words(words: Mapping[str, str]) -> dict[str, str]:
    """Each word for an emotion -> one of EMOTIONS: the emotions themselves, and the given words."""
    return {emotion: emotion for emotion in EMOTIONS} | {emotion_word(word): words[word] for word in words}


def contradiction(rows: Sequence[LabelRow], known: Mapping[str, str]) -> str:
    """What the rows of one file disagree on, or "": then joined_row has its label. An empty speaker is no statement.

    Args:
        known: from emotion_words.
    """
    emotions = {known.get(emotion_word(row.emotion)) for row in rows}
    if None in emotions and len(emotions) > 1:
        word = next(row.emotion for row in rows if emotion_word(row.emotion) not in known)
        return f"listed with an emotion and with the {UNKNOWN_EMOTION} {word!r}"
    if len(emotions) > 1:
        return "listed with two different emotions"
    speakers = {unicodedata.normalize("NFC", row.speaker) for row in rows if row.speaker}
    differ = len(speakers) > 1 or len({unicodedata.normalize("NFC", row.corpus) for row in rows}) > 1
    return "listed with two different speakers" if differ else ""


def joined_row(rows: Sequence[LabelRow]) -> LabelRow:
    """The first row of a file, with the speaker and the sentence that any of its rows names."""
    named = {
        name: next((value for row in rows if (value := getattr(row, name))), "") for name in ("speaker", "sentence")
    }
    return replace(rows[0], **named)


def describe_unused_columns(name: str, content: bytes) -> str:
    """The columns of a table that are not used, where none of them has the speakers; "" otherwise.

    Raises:
        CorpusError: as parse_table.
    """
    columns = column_names(name, table_text(name, content))
    unused = [column for column in columns if column not in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, "")]
    if "speaker" in columns or not unused:
        return ""
    return f"{name} has no column speaker; columns that are not used: {', '.join(unused)}"


def parse_table(name: str, content: bytes) -> list[LabelRow]:
    """Rows of a table; the separator is comma, semicolon or tab.

    Args:
        name: of the file, for messages.

    Raises:
        CorpusError: one of REQUIRED_COLUMNS is missing or there twice, it is not a table, or its encoding is unknown.
    """
    rows = []
    for number, row in table_rows(name, content, REQUIRED_COLUMNS, ("speaker", "corpus")):
        found = {column: row.get(column, "") for column in ("emotion", *OPTIONAL_COLUMNS)}
        rows.append(LabelRow(f"row {number}, {row.get('path', '')}", row.get("path", ""), **found))
    return rows


def table_rows(
    name: str, content: bytes, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of each row that is not empty, and its cells by column: never all of them in memory.

    Args:
        name: of the file, for messages.
        required: columns without which it is refused.
        optional: columns that the message of a refusal names as well.

    Raises:
        CorpusError: a column is missing or there twice, it is not a table, or its encoding is unknown.
    """
    text = table_text(name, content)
    columns = column_names(name, text)
    if absent := [column for column in required if column not in columns]:
        raise CorpusError(
            f"{name} has no column {', '.join(absent)}. It has: {', '.join(filter(None, columns)) or 'none'}. "
            f"Required: {', '.join(required)}{'; optional: ' if optional else ''}{', '.join(optional)}."
        )
    if twice := [column for column in (*required, *optional) if columns.count(column) > 1]:
        written = ", ".join(w for w, column in zip(_first_line(name, text), columns, strict=True) if column in twice)
        raise CorpusError(f"{name} has several columns {', '.join(twice)} ({written}): keep one of each.")
    for number, line in enumerate(islice(_records(name, text), 1, None), 2):
        row = dict(zip(columns, (cell.strip() for cell in line), strict=False))
        if any(row.values()):
            yield number, row


def is_label_table(content: bytes) -> bool:
    """Whether a table has the required columns and is none of predictions, also if its other lines cannot be read."""
    encoding = "utf-16" if content[:2] in UTF_16_MARKS else "utf-8-sig"
    try:
        columns = set(column_names("", _with_line_feeds(content.decode(encoding, "replace"))))
    except CorpusError:  # the first line is none of a table
        return False
    return columns >= set(REQUIRED_COLUMNS) and not columns & PREDICTION_COLUMNS


def table_text(name: str, content: bytes) -> str:
    """Text of a table: UTF-8 with or without a mark, UTF-16 or Windows-1252; lines end with a line feed.

    Raises:
        CorpusError: another encoding.
    """
    encodings = ("utf-16",) if content[:2] in UTF_16_MARKS else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return _with_line_feeds(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise CorpusError(f"{name} has an unknown encoding. Save it as CSV UTF-8.")


def column_names(name: str, text: str) -> list[str]:
    """Names in the first line, in lower case; empty for an empty table.

    Raises:
        CorpusError: it is not a line of a table.
    """
    names = _first_line(name, text)
    return [OTHER_NAMES.get(column, column) if OTHER_NAMES.get(column) not in names else column for column in names]


def _first_line(name: str, text: str) -> list[str]:
    """The names as the table has them, in lower case."""
    return [column.strip().casefold() for column in next(_records(name, text), [])]


def _records(name: str, text: str) -> Iterator[list[str]]:
    """The cells of each line.

    Raises:
        CorpusError: a line is not that of a table.
    """
    reader = csv.reader(io.StringIO(text), delimiter=_separator(text))
    try:
        yield from reader
    except csv.Error as error:
        raise CorpusError(f"{name}, line {reader.line_num}: not a table ({error}). Save it as CSV UTF-8.") from None


def _with_line_feeds(text: str) -> str:
    """Lines as of Unix: of Windows and of the first Macs, too."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _separator(text: str) -> str:
    """The most frequent of comma, semicolon and tab in the first line."""
    return max(",;\t", key=text.partition("\n")[0].count)

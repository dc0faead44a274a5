"""Tables (CSV, TSV) that label recordings, as spreadsheets write them."""

import csv
import io
from dataclasses import dataclass

from ser_core.data.utterances import CorpusError

TABLE_COLUMNS = ("path", "speaker", "emotion")  # and, if there are several corpora, "corpus"
REQUIRED_COLUMNS = ("path", "emotion")
PREDICTION_COLUMN = "abstain"  # of the tables that scripts.predict writes; they have a file and an emotion, too
TABLE_SUFFIXES = (".csv", ".tsv")
OTHER_NAMES = {"file": "path", "filename": "path", "file name": "path", "label": "emotion"}
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


def parse_table(name: str, content: bytes) -> list[LabelRow]:
    """Rows of a table; the separator is comma, semicolon or tab.

    Args:
        name: of the file, for messages.

    Raises:
        CorpusError: one of REQUIRED_COLUMNS is missing, it is not a table, or its encoding is unknown.
    """
    text = table_text(name, content)
    columns = column_names(text)
    if absent := [column for column in REQUIRED_COLUMNS if column not in columns]:
        raise CorpusError(
            f"{name} has no column {', '.join(absent)}. It has: {', '.join(filter(None, columns)) or 'none'}. "
            f"Required: {', '.join(REQUIRED_COLUMNS)}; optional: speaker, corpus."
        )
    try:
        cells = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))[1:]
    except csv.Error as error:
        raise CorpusError(f"{name} is not a table ({error}).") from None
    rows = []
    for number, line in enumerate(cells, 2):
        row = dict(zip(columns, (cell.strip() for cell in line), strict=False))
        if any(row.values()):
            found = {column: row.get(column, "") for column in ("speaker", "emotion", "corpus", "sentence")}
            rows.append(LabelRow(f"row {number}, {row.get('path', '')}", row.get("path", ""), **found))
    return rows


def is_label_table(name: str, content: bytes) -> bool:
    """Whether a table has the required columns and is none of predictions.

    Raises:
        CorpusError: unknown encoding.
    """
    columns = set(column_names(table_text(name, content)))
    return columns >= set(REQUIRED_COLUMNS) and PREDICTION_COLUMN not in columns


def table_text(name: str, content: bytes) -> str:
    """Text of a table: UTF-8 with or without a mark, UTF-16 or Windows-1252.

    Raises:
        CorpusError: another encoding.
    """
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CorpusError(f"{name} has an unknown encoding. Save it as CSV UTF-8.")


def column_names(text: str) -> list[str]:
    """Names in the first line, in lower case; empty for an empty table."""
    header = next(csv.reader([text.partition("\n")[0]], delimiter=_separator(text)), [])
    names = [name.strip().casefold() for name in header]
    return [OTHER_NAMES.get(name, name) if OTHER_NAMES.get(name) not in names else name for name in names]


def _separator(text: str) -> str:
    """The most frequent of comma, semicolon and tab in the first line."""
    return max(",;\t", key=text.partition("\n")[0].count)

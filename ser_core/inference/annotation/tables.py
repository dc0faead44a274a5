"""Readers of annotations with a line or a block for each segment: RTTM, SRT and CSV."""

import csv
import io
import re
from collections.abc import Iterator

from ser_core.inference.annotation.annotations import Annotation, AnnotationError

RTTM_FIELDS = "SPEAKER file 1 start duration <NA> <NA> speaker <NA> <NA>"
START_COLUMNS, END_COLUMNS = ("start_s", "start", "from", "begin"), ("end_s", "end", "to")
_SRT_TIME = r"(\d+:\d\d:\d\d[,.]\d{1,3})"
_SRT_TIMES = re.compile(rf"^\s*{_SRT_TIME}\s*-->\s*{_SRT_TIME}")
_SRT_SPEAKER = re.compile(r"^\[([^\]]+)\]:?\s*")  # as transcription programs write it


def parse_rttm(text: str, stem: str) -> list[Annotation]:
    """The turns of one recording in an RTTM file, as programs for speaker diarisation write it.

    Args:
        stem: of the name of the recording; picks its lines where the file describes several recordings.

    Raises:
        AnnotationError: a malformed line, or several recordings and none of this name.
    """
    turns: dict[str, list[Annotation]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            if not _is_turn(fields):
                raise AnnotationError(f"Line {number} is not “{RTTM_FIELDS}”. Names must not hold spaces.")
            start_s, length_s = _seconds(fields[3], number), _seconds(fields[4], number)
            turn = _annotation(number, start_s, start_s + length_s, "", fields[7])
            turns.setdefault(fields[1], []).append(turn)
    if len(turns) < 2:
        return next(iter(turns.values()), [])
    if stem not in turns:
        raise AnnotationError(f"The file describes {len(turns)} recordings, none named {stem}: {', '.join(turns)}.")
    return turns[stem]


def _is_turn(fields: list[str]) -> bool:
    """Whether no space in a name has shifted the fields of a line: after the times comes no third number."""
    return 8 <= len(fields) <= 10 and fields[2].isdecimal() and not re.fullmatch(r"[\d.]+", fields[5])


def parse_srt(text: str) -> list[Annotation]:
    """The subtitles of an SRT file; a name in square brackets before the text is the speaker.

    Raises:
        AnnotationError: a malformed time.
    """
    lines, found = text.splitlines(), []
    for number, line in enumerate(lines, 1):
        if "-->" not in line:
            continue
        times = _SRT_TIMES.match(line)
        if not times:
            raise AnnotationError(f"Line {number} is not “00:00:01,250 --> 00:00:03,000”.")
        words = " ".join(_until_next_block(lines[number:]))
        speaker = _SRT_SPEAKER.match(words)
        start_s, end_s = (_seconds(time.replace(",", "."), number) for time in times.groups())
        label = re.sub(r"<[^>]+>", "", words[speaker.end() :] if speaker else words).strip()
        found.append(_annotation(number, start_s, end_s, label, speaker[1] if speaker else ""))
    return found


def _until_next_block(lines: list[str]) -> list[str]:
    """The lines of a text: up to the number and the times of the next, as empty lines may be missing or within it."""
    end = next((i for i, line in enumerate(lines) if "-->" in line), None)
    if end and lines[end - 1].strip().isdecimal():
        end -= 1
    return [line.strip() for line in lines[:end] if line.strip()]


def parse_csv(text: str) -> list[Annotation]:
    """The rows of a table with the columns start_s and end_s, and label and speaker if it has them.

    Comma, semicolon and tab separate columns; times are in seconds, or as 1:02:03.5.

    Raises:
        AnnotationError: an empty file, a missing column, a damaged row, or a malformed time.
    """
    if not text.strip():
        raise AnnotationError("The file is empty.")
    head = text.splitlines()[0]
    delimiter = max(",;\t", key=head.count)
    table = _csv_rows(text, delimiter)
    names = [name.lower() for name in next(table)[1]]
    start, end = (next((n for n in known if n in names), None) for known in (START_COLUMNS, END_COLUMNS))
    if start is None or end is None:
        raise AnnotationError(
            f"The first line must name the columns start_s and end_s; label and speaker may follow. It is “{head:.80}”."
        )
    found = []
    for number, cells in table:
        if any(cells[len(names) :]):
            raise AnnotationError(
                f"Line {number} has {len(cells)} cells for {len(names)} columns. Put texts that hold the separator "
                f"“{delimiter}” in quotes, and write times with a decimal point."
            )
        row = dict(zip(names, cells, strict=False))
        if any(cells):
            start_s, end_s = (_seconds(_with_point(row.get(name, ""), delimiter), number) for name in (start, end))
            found.append(_annotation(number, start_s, end_s, row.get("label", ""), row.get("speaker", "")))
    return found


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of each row; line breaks within a cell become spaces.

    Raises:
        AnnotationError: a quote that is open, or a cell of more than 131,072 characters.
    """
    reader, number = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            yield number, [" ".join(cell.splitlines()).strip() for cell in cells]
            number = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(
            f"The row that begins in line {number} is damaged ({error}). Close its quotes; double those within a text."
        ) from None


def _with_point(time: str, delimiter: str) -> str:
    """A time with a decimal point; tables separated by semicolons often have decimal commas."""
    return time if delimiter == "," else time.replace(",", ".")


def _seconds(text: str, line: int) -> float:
    """Seconds, from seconds or hours:minutes:seconds."""
    total_s = 0.0
    try:
        for part in text.split(":"):
            total_s = 60 * total_s + float(part)
    except ValueError:
        raise AnnotationError(f"Line {line}: “{text:.40}” is not a time in seconds.") from None
    return total_s


def _annotation(line: int, start_s: float, end_s: float, label: str, speaker: str) -> Annotation:
    try:
        return Annotation(start_s, end_s, label, speaker)
    except AnnotationError as error:
        raise AnnotationError(f"Line {line}: {error}") from None

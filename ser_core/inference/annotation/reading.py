"""Annotations from a file: TextGrid, RTTM, SRT or CSV, in the encodings that programs write."""

import codecs
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from ser_core.inference.annotation.annotations import AnnotationError, AnnotationFile, fit_to_recording
from ser_core.inference.annotation.tables import parse_csv, parse_rttm, parse_srt
from ser_core.inference.annotation.textgrid import parse_textgrid

MAX_ANNOTATION_BYTES = 20_000_000
_PARSERS: dict[str, Callable[[str, str], AnnotationFile]] = {
    ".textgrid": lambda text, stem: parse_textgrid(text),
    ".rttm": lambda text, stem: AnnotationFile({"": parse_rttm(text, stem)}),
    ".srt": lambda text, stem: AnnotationFile({"": parse_srt(text)}),
    ".csv": lambda text, stem: AnnotationFile({"": parse_csv(text)}),
}
ANNOTATION_SUFFIXES = tuple(_PARSERS)
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_annotations(name: str, content: bytes, duration_s: float, recording: str = "") -> AnnotationFile:
    """The annotations in a file.

    Args:
        name: of the file; its suffix tells the format.
        content: of the file.
        duration_s: of the recording.
        recording: name of the recording, for an RTTM file that describes several.

    Returns:
        Tiers with one annotation or more; all within the recording, in the order of time.

    Raises:
        AnnotationError: unknown format, damaged, or not of this recording.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in _PARSERS:
        raise AnnotationError(f"“{suffix}” is none of {', '.join(ANNOTATION_SUFFIXES)}.")
    if len(content) > MAX_ANNOTATION_BYTES:
        raise AnnotationError(f"The file has {len(content) / 1e6:.0f} MB; {MAX_ANNOTATION_BYTES / 1e6:.0f} MB at most.")
    text, notes = _decode(content)
    found = _PARSERS[suffix](text, PurePath(recording).stem)
    return fit_to_recording(replace(found, notes=notes), duration_s)


def _decode(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The text, and a note where its encoding is a guess."""
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    notes: tuple[str, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        notes = ("The file is not UTF-8: it is read as Windows-1252. Check accented letters.",)
    if "\0" in text:
        raise AnnotationError("This is not a text file. Save the annotations as text, in UTF-8.")
    return text, notes

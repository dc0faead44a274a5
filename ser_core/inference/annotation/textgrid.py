"""Reader of Praat TextGrids, in the long and in the short text format; `ser_core.inference.writers` writes them.

By hand: in both formats everything but free-standing numbers, texts in quotes and flags is comment, so that one
reader of these tokens reads both.
"""

import re
from collections.abc import Iterator

from ser_core.inference.annotation.annotations import Annotation, AnnotationError, AnnotationFile

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?\d[\d.]*(?:[eE][-+]?\d+)?)(?!\S)|<(exists|absent)>')
_DAMAGED = "The TextGrid is damaged or not a text file of Praat. Save it again with “Save as text file”."


def parse_textgrid(text: str) -> AnnotationFile:
    """The interval tiers with the intervals that have a text; point tiers are left out.

    Raises:
        AnnotationError: damaged, or without an interval tier.
    """
    tokens = _tokens(text)
    try:
        if [next(tokens), next(tokens)] != ["ooTextFile", "TextGrid"]:
            raise AnnotationError(_DAMAGED)
        start_s, end_s, _, n_tiers = (next(tokens) for _ in range(4))
        tiers: dict[str, list[Annotation]] = {}
        for _ in range(int(n_tiers)):
            name, intervals = _tier(tokens)
            tiers[_unused(name, tiers)] = intervals
    except (StopIteration, ValueError, TypeError) as error:
        raise error if isinstance(error, AnnotationError) else AnnotationError(_DAMAGED) from None
    if not any(tiers.values()):
        raise AnnotationError("The TextGrid has no interval with a text: only labelled intervals are segments.")
    return AnnotationFile(tiers, float(end_s) - float(start_s))


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        quoted, number, flag = match.groups()
        yield quoted.replace('""', '"') if quoted is not None else number or flag


def _tier(tokens: Iterator[str]) -> tuple[str, list[Annotation]]:
    """Its name and its labelled intervals; none of a tier of points."""
    kind, name, _, _, n_items = (next(tokens) for _ in range(5))
    if kind not in ("IntervalTier", "TextTier"):
        raise AnnotationError(_DAMAGED)
    found = []
    for _ in range(int(n_items)):
        if kind == "TextTier":
            next(tokens), next(tokens)
            continue
        start_s, end_s, label = float(next(tokens)), float(next(tokens)), next(tokens).strip()
        if label:
            found.append(Annotation(start_s, end_s, label))
    return name, found


def _unused(name: str, tiers: dict[str, list[Annotation]]) -> str:
    """The name, with a number where another tier has it."""
    number, wanted = 1, name
    while wanted in tiers:
        number += 1
        wanted = f"{name} {number}"
    return wanted

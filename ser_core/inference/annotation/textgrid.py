"""Reader of Praat TextGrids, in the long and in the short text format; `ser_core.inference.writers` writes them.

By hand: in both formats everything but free-standing numbers, texts in quotes and flags is comment, so that one
reader of these tokens reads both.
"""

import re
from collections.abc import Iterator

from ser_core.inference.annotation.annotations import Annotation, AnnotationError, AnnotationFile

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?\d[\d.]*(?:[eE][-+]?\d+)?)(?!\S)|<(exists|absent)>')
_DAMAGED = "The TextGrid is damaged or not a text file of Praat. Save it again with “Save as text file”."
_SURPLUS = "The TextGrid holds more intervals or tiers than it declares. Correct its sizes, or export it again."


def parse_textgrid(text: str) -> AnnotationFile:
    """The interval tiers with the intervals that have a text; point tiers are left out.

    Raises:
        AnnotationError: damaged, more intervals or tiers than declared, or no interval with a text.
    """
    tokens = _tokens(text)
    try:
        if [next(tokens), next(tokens)] != ["ooTextFile", "TextGrid"]:
            raise AnnotationError(_DAMAGED)
        start_s, end_s = float(next(tokens)), float(next(tokens))
        _, n_tiers = next(tokens), next(tokens)
        tiers: dict[str, list[Annotation]] = {}
        for _ in range(int(n_tiers)):
            name, intervals = _tier(tokens, start_s)
            tiers[_unused(name, tiers)] = intervals
    except (StopIteration, ValueError, TypeError) as error:
        raise error if isinstance(error, AnnotationError) else AnnotationError(_DAMAGED) from None
    if next(tokens, None) is not None:
        raise AnnotationError(_SURPLUS)
    if not any(tiers.values()):
        raise AnnotationError("The TextGrid has no interval with a text: only labelled intervals are segments.")
    return AnnotationFile(tiers, end_s - start_s, clock_start_s=start_s)


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        quoted, number, flag = match.groups()
        yield quoted.replace('""', '"') if quoted is not None else number or flag


def _tier(tokens: Iterator[str], origin_s: float) -> tuple[str, list[Annotation]]:
    """Its name and its labelled intervals, from the time where the sound begins; none of a tier of points."""
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
            found.append(Annotation(start_s - origin_s, end_s - origin_s, label))
    return name, found


def _unused(name: str, tiers: dict[str, list[Annotation]]) -> str:
    """The name, with a number where another tier has it."""
    number, wanted = 1, name
    while wanted in tiers:
        number += 1
        wanted = f"{name} {number}"
    return wanted

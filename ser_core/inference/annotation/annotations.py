"""Annotations of a recording: segments that the user brings, with the label and the speaker where known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ser_core.audio import SpeechSegments

LENGTH_TOLERANCE_S = 0.5  # other programs measure the length of a compressed file differently


class AnnotationError(ValueError):
    """A file of annotations that cannot be used; the message names the place and the cure."""


@dataclass(frozen=True)
class Annotation:
    """One segment of the user."""

    start_s: float
    end_s: float
    label: str = ""  # as in the file: a transcript, an emotion, anything
    speaker: str = ""

    def __post_init__(self) -> None:
        """Raises AnnotationError for times that are not a span."""
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and 0 <= self.start_s < self.end_s):
            raise AnnotationError(f"{self.start_s:g} s to {self.end_s:g} s is not a span of time.")


@dataclass(frozen=True)
class AnnotationFile:
    """The content of a file, in tiers: TextGrids may have several, the other formats have one, named ""."""

    tiers: Mapping[str, Sequence[Annotation]] = field(default_factory=dict)  # each in the order of time
    duration_s: float | None = None  # of the recording, where the file says so
    notes: tuple[str, ...] = ()  # what the user must know
    clock_start_s: float = 0.0  # the file's own time where its sound begins, subtracted from all segments


def fit_to_recording(found: AnnotationFile, duration_s: float) -> AnnotationFile:
    """The annotations, sorted and cut at the end of the recording.

    Raises:
        AnnotationError: no annotation, or the file is of a longer or shorter recording.
    """
    _check_length(found, duration_s)
    tiers = {name: _cut(segments, duration_s) for name, segments in found.tiers.items() if segments}
    if not tiers:
        raise AnnotationError("There is no segment in this file.")
    overlap_s = max(overlapped_s(segments) for segments in tiers.values())
    notes = (*found.notes, *([f"{overlap_s:.1f} s belong to several segments."] if overlap_s > 0 else []))
    return replace(found, tiers=tiers, notes=notes)


def _check_length(found: AnnotationFile, duration_s: float) -> None:
    """Refuses a file of another recording, or of the end of this one."""
    if found.duration_s is None:
        return
    limit_s = LENGTH_TOLERANCE_S
    if found.clock_start_s:  # nearer to the uncut recording, the times count from 0 and must not be shifted
        limit_s = min(limit_s, abs(found.clock_start_s + found.duration_s - duration_s))
    if abs(found.duration_s - duration_s) > limit_s:
        clock = f" from {found.clock_start_s:g} s on its clock" if found.clock_start_s else ""
        raise AnnotationError(
            f"The file describes {found.duration_s:.2f} s{clock}, the recording has {duration_s:.2f} s. {_CURE}"
        )


_CURE = "Choose the annotations of this recording, and the full recording if it was cut."


def _cut(segments: Sequence[Annotation], duration_s: float) -> tuple[Annotation, ...]:
    kept = []
    for segment in sorted(segments, key=lambda one: (one.start_s, one.end_s)):
        if segment.end_s > duration_s + LENGTH_TOLERANCE_S or segment.start_s >= duration_s:
            raise AnnotationError(
                f"The segment from {segment.start_s:.2f} s to {segment.end_s:.2f} s ends after the recording, "
                f"which has {duration_s:.2f} s. {_CURE}"
            )
        kept.append(replace(segment, end_s=min(segment.end_s, duration_s)))
    return tuple(kept)


def overlapped_s(segments: Sequence[Annotation]) -> float:
    """Seconds that belong to two segments or more."""
    return sum(end_s - start_s for start_s, end_s in _overlaps(segments))


def _overlaps(segments: Sequence[Annotation]) -> SpeechSegments:
    """Spans that belong to two segments or more, in order, disjoint."""
    edges = sorted([(s.start_s, 1) for s in segments] + [(s.end_s, -1) for s in segments])
    spans, depth = [], 0
    for (time_s, step), (next_s, _) in pairwise(edges):
        depth += step
        if depth > 1 and next_s > time_s:
            spans.append((time_s, next_s))
    return spans


def alone_s(segment: Annotation, others: Sequence[Annotation]) -> float:
    """Seconds of a segment in which none of the others is."""
    near = [o for o in others if o is not segment and o.start_s < segment.end_s and o.end_s > segment.start_s]
    own = [replace(o, start_s=max(o.start_s, segment.start_s), end_s=min(o.end_s, segment.end_s)) for o in near]
    return segment.end_s - segment.start_s - overlapped_s([segment, *own])

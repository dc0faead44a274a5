"""Downloads of a trajectory: CSV, JSON, TextGrid for Praat, SRT for video players."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import streamlit as st

from pages.ui.export import content_as_json, offer_export, rows_as_csv
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace.trajectories import ClipTrajectories, ModelTrajectory
from ser_core.inference import (
    NO_SPEECH,
    NOT_ANALYSED,
    Annotation,
    Segment,
    annotation_tiers,
    arousal_and_valence,
    as_srt,
    as_textgrid,
)

PARTIAL_WORDS = "Partial: the rest is “not analysed” in CSV and JSON, has no text in TextGrid, and is not in SRT."
TIMES = ("start_s", "end_s", "speech_s")
Units = Sequence[tuple[Annotation, Segment]]  # the user's own segments, predicted by the first model


def show_exports(
    clip: SessionClip, found: ClipTrajectories, lines: Mapping[str, ModelTrajectory], units: Units
) -> None:
    """A file is made when its button is clicked: an hour's takes a moment, in which the page must not start again.

    Args:
        units: in the order of time, those without a prediction as not analysed; SRT then holds these.
    """
    first = next(iter(lines))
    shown = [segment for _, segment in units] or lines[first].segments
    by_model = {name: line.segments for name, line in lines.items()} | _own_tiers(units, found.duration_s)
    makers = {
        "CSV": (lambda: as_csv(clip, lines, units), "text/csv"),
        "JSON": (lambda: as_json(clip, found, lines, units), "application/json"),
        "TextGrid": (lambda: as_textgrid(found.speech, by_model, found.duration_s), "text/plain"),
        "SRT": (lambda: as_srt(shown), "application/x-subrip"),
    }
    with st.container(horizontal=True):
        for kind, (make, mime) in makers.items():
            offer_export(kind, make, mime, clip, "over_time")
    waiting = any(segment.label == NOT_ANALYSED for _, segment in units)
    partial = waiting or not all(line.complete for line in lines.values())
    several = f" SRT holds {plain(first)} only." if len(lines) > 1 else ""
    several = " SRT holds your segments." if units else several
    words = (PARTIAL_WORDS if partial else "") + several
    if words:
        st.caption(words)


def _own_tiers(units: Units, duration_s: float) -> dict[str, tuple[Segment, ...]]:
    return annotation_tiers([one for one, _ in units], [segment for _, segment in units], duration_s)


def as_csv(clip: SessionClip, lines: Mapping[str, ModelTrajectory], units: Units = ()) -> str:
    """One row for each segment of the user, then for each segment and each window of every model; times in seconds."""
    rows = []
    for name, line in lines.items():
        head = {"file": clip.name, "model": name, "version": get_model(name).version}
        if not rows:
            rows += [head | {"part": "own segment", **row} for row in _unit_rows(line, units)]
        rows += [head | {"part": "segment", **row} for row in _segment_rows(line)]
        rows += [head | {"part": "window", **row} for row in _window_rows(line)]
    return rows_as_csv(rows)


def as_json(clip: SessionClip, found: ClipTrajectories, lines: Mapping[str, ModelTrajectory], units: Units = ()) -> str:
    """Everything, with the settings; times in seconds."""
    content = {
        "file": clip.name,
        "duration_s": found.duration_s,
        "possible_emotions": found.emotions,
        "notes": clip.notes,
        "speech": found.speech,
        "own_segments": _unit_rows(next(iter(lines.values())), units),
        "models": [_content(name, line) for name, line in lines.items()],
    }
    return content_as_json(content)


def _content(name: str, line: ModelTrajectory) -> dict:
    return {
        "model": name,
        "version": get_model(name).version,
        "complete": line.complete,
        "analysed_until_s": line.until_s,
        "window_s": line.trajectory.window_s,
        "hop_s": line.trajectory.hop_s,
        "smoothing": asdict(line.smoothing),
        "min_confidence": line.min_confidence,
        "reference_clips": line.trajectory.reference_clips,
        "reference_source": line.trajectory.reference_source,
        "segments": _segment_rows(line),
        "windows": _window_rows(line),
    }


def _unit_rows(line: ModelTrajectory, units: Units) -> list[dict]:
    return [_segment_row(line, segment) | {"label": one.label, "speaker": one.speaker} for one, segment in units]


def _segment_rows(line: ModelTrajectory) -> list[dict]:
    return [_segment_row(line, segment) for segment in line.segments]


def _segment_row(line: ModelTrajectory, segment: Segment) -> dict:
    labels = line.trajectory.labels
    probabilities = segment.probabilities or (None,) * len(labels)
    times = {name: getattr(segment, name) for name in TIMES}
    found = {"answer": segment.label, "emotion": segment.emotion, "confidence": segment.confidence}
    return _row(times | found | dict(zip(labels, probabilities, strict=True)), labels)


def _window_rows(line: ModelTrajectory) -> list[dict]:
    trajectory, labels = line.trajectory, line.trajectory.labels
    times = zip(*(getattr(trajectory, name).tolist() for name in TIMES), strict=True)
    columns = zip(line.labels.tolist(), line.lead.tolist(), trajectory.probabilities.tolist(), strict=True)
    return [
        _row(
            dict(zip(TIMES, time, strict=True))
            | {"answer": label, "emotion": labels[k], "confidence": row[k]}
            | dict(zip(labels, row, strict=True)),
            labels,
        )
        for time, (label, k, row) in zip(times, columns, strict=True)
    ]


def _row(found: dict, labels: Sequence[str]) -> dict:
    """The columns with arousal and valence, rounded."""
    probabilities = np.array([found[label] for label in labels])
    speaks = found["confidence"] is not None and found["answer"] != NO_SPEECH
    arousal, valence = arousal_and_valence(labels, probabilities).tolist() if speaks else (None, None)
    columns = found | {"arousal": arousal, "valence": valence}
    return {name: _rounded(value, 3 if name in TIMES else 6) for name, value in columns.items()}


def _rounded(value: str | float | None, n_digits: int) -> str | float | None:
    return round(value, n_digits) if isinstance(value, float) else value

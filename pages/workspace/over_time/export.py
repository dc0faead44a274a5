"""Downloads of a trajectory: CSV, JSON, TextGrid for Praat, SRT for video players."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import streamlit as st

from pages.ui.export import file_name, rows_as_csv
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace.trajectories import Course, Line
from ser_core.inference import (
    NO_SPEECH,
    Annotation,
    Segment,
    annotation_tiers,
    arousal_and_valence,
    as_srt,
    as_textgrid,
)

Units = Sequence[tuple[Annotation, Segment]]  # the user's own segments, predicted by the first model


def show_exports(clip: SessionClip, found: Course, lines: Mapping[str, Line], units: Units) -> None:
    """A file is made when its button is clicked: an hour's takes a moment, in which the page must not start again.

    Args:
        units: in the order of time; SRT then holds these.
    """
    first = next(iter(lines))
    shown = [segment for _, segment in units] or lines[first].segments
    by_model = {name: line.segments for name, line in lines.items()} | _own_tiers(units, found.duration_s)
    with st.container(horizontal=True):
        _download("CSV", lambda: as_csv(clip, lines, units), "text/csv", clip)
        _download("JSON", lambda: as_json(clip, found, lines, units), "application/json", clip)
        _download("TextGrid", lambda: as_textgrid(found.speech, by_model, found.duration_s), "text/plain", clip)
        _download("SRT", lambda: as_srt(shown), "application/x-subrip", clip)
    partial = [name for name, line in lines.items() if not line.complete]
    several = f" SRT holds {plain(first)} only." if len(lines) > 1 else ""
    several = " SRT holds your segments." if units else several
    words = ("Partial: in the files the rest is “not analysed”." if partial else "") + several
    if words:
        st.caption(words)


def _own_tiers(units: Units, duration_s: float) -> dict[str, tuple[Segment, ...]]:
    return annotation_tiers([one for one, _ in units], [segment for _, segment in units], duration_s)


def as_csv(clip: SessionClip, lines: Mapping[str, Line], units: Units = ()) -> str:
    """One row for each segment of the user, then for each segment and each window of every model; times in seconds."""
    rows = []
    for name, line in lines.items():
        head = {"file": clip.name, "model": name, "version": get_model(name).version}
        if not rows:
            rows += [head | {"part": "own segment", **row} for row in _unit_rows(line, units)]
        rows += [head | {"part": "segment", **row} for row in _segment_rows(line)]
        rows += [head | {"part": "window", **row} for row in _window_rows(line)]
    return rows_as_csv(rows)


def as_json(clip: SessionClip, found: Course, lines: Mapping[str, Line], units: Units = ()) -> str:
    """Everything, with the settings; times in seconds."""
    content = {
        "file": clip.name,
        "duration_s": found.duration_s,
        "notes": clip.notes,
        "speech": found.speech,
        "own_segments": _unit_rows(next(iter(lines.values())), units),
        "models": [_content(name, line) for name, line in lines.items()],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def _content(name: str, line: Line) -> dict:
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


def _unit_rows(line: Line, units: Units) -> list[dict]:
    return [_segment_row(line, segment) | {"label": one.label, "speaker": one.speaker} for one, segment in units]


def _segment_rows(line: Line) -> list[dict]:
    return [_segment_row(line, segment) for segment in line.segments]


def _segment_row(line: Line, s: Segment) -> dict:
    probabilities = s.probabilities or (None,) * len(line.trajectory.labels)
    return _row(line, s.start_s, s.end_s, s.speech_s, s.label, s.emotion, s.confidence, probabilities)


def _window_rows(line: Line) -> list[dict]:
    trajectory, labels = line.trajectory, line.trajectory.labels
    times = zip(trajectory.start_s.tolist(), trajectory.end_s.tolist(), trajectory.speech_s.tolist(), strict=True)
    columns = zip(line.labels.tolist(), line.lead.tolist(), trajectory.probabilities.tolist(), strict=True)
    return [
        _row(line, *time, label, labels[k], row[k], row) for time, (label, k, row) in zip(times, columns, strict=True)
    ]


def _row(
    line: Line,
    start_s: float,
    end_s: float,
    speech_s: float,
    label: str,
    emotion: str,
    confidence: float | None,
    probabilities: Sequence[float | None],
) -> dict:
    labels = line.trajectory.labels
    speaks = confidence is not None and label != NO_SPEECH
    arousal, valence = arousal_and_valence(labels, np.array(probabilities)).tolist() if speaks else (None, None)
    values = {"confidence": confidence, **dict(zip(labels, probabilities, strict=True))}
    values |= {"arousal": arousal, "valence": valence}
    return {
        "start_s": round(start_s, 3),
        "end_s": round(end_s, 3),
        "speech_s": round(speech_s, 3),
        "answer": label,
        "emotion": emotion,
        **{name: None if value is None else round(value, 6) for name, value in values.items()},
    }


def _download(kind: str, make: Callable[[], str], mime: str, clip: SessionClip) -> None:
    suffix = kind if kind == "TextGrid" else kind.lower()
    name = file_name(clip.name, suffix)
    st.download_button(f"Download {kind}", make, name, mime, icon=":material/download:", on_click="ignore")

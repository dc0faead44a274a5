"""Downloads: a table as CSV, a result as JSON, CSV and TextGrid."""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import PurePath
from typing import Any

import streamlit as st

from pages.ui.analysis import ModelResult
from pages.ui.layout import opened, show_rows
from pages.ui.session import SessionClip
from ser_core.audio import Quality
from ser_core.inference import (
    Segment,
    Smoothing,
    as_textgrid,
    guard_formula,
    label_segments,
    prediction_label,
    smooth_trajectory,
    window_records,
)

MAX_STEM_BYTES = 180  # of the 255 of a file system


def as_json(clip: SessionClip, quality: Quality, result: ModelResult) -> str:
    """The complete result; times in seconds."""
    content = {"file": clip.name, **result.prediction.to_dict(), "quality": asdict(quality), "notes": clip.notes}
    content["windows"] = window_records(result.trajectory, result.min_confidence)
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_csv(clip: SessionClip, result: ModelResult) -> str:
    """One row for the clip, then one for each window; times in seconds."""
    clip_row = {"part": "clip", **_row(result.prediction.to_dict(), prediction_label(result.prediction))}
    windows = [{"part": "window", **row} for row in window_rows(result)]
    head = {"file": clip.name, "model": result.prediction.model, "version": result.prediction.version}
    return rows_as_csv([head | row for row in (clip_row, *windows)])


def clip_segments(clip: SessionClip, quality: Quality, result: ModelResult) -> tuple[Segment, ...]:
    """The labelled segments of a clip, without smoothing."""
    trajectory, lead = smooth_trajectory(result.trajectory, Smoothing())
    return label_segments(trajectory, lead, quality.speech_segments, clip.recording.duration_s, result.min_confidence)


def clip_textgrid(clip: SessionClip, quality: Quality, result: ModelResult, segments: Sequence[Segment]) -> str:
    """For Praat: the speech, and the labelled segments with their confidence."""
    return as_textgrid(quality.speech_segments, {result.prediction.model: segments}, clip.recording.duration_s)


def content_as_json(content: object) -> str:
    """Letters of every script as they are."""
    return json.dumps(content, indent=1, ensure_ascii=False)


def rows_as_csv(rows: Sequence[dict]) -> str:
    """A table with the columns of all rows, as models differ in their emotions; a text in it is never a formula."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows({name: guard_formula(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def window_rows(result: ModelResult) -> list[dict]:
    """One row for each window."""
    return [_row(record, record["answer"]) for record in window_records(result.trajectory, result.min_confidence)]


def offer_download(
    label: str, content: str | bytes | Callable[[], str | bytes], name: str, mime: str, **options: Any
) -> None:
    """A button that saves a file.

    Args:
        content: a function makes it when the button is clicked, in a thread that knows nothing of the session.
        options: of st.download_button.
    """
    options = {"icon": ":material/download:", "type": "tertiary"} | options
    st.download_button(label, content, name, mime, on_click="ignore", **options)


def download_rows(label: str, rows: Sequence[dict], name: str) -> None:
    """A button that downloads the rows as CSV; none without rows."""
    if rows:
        offer_download(label, partial(rows_as_csv, rows), name, "text/csv")


def offer_table(rows: Sequence[dict], alt: str, key: str, label: str, name: str) -> None:
    """A table to open, with its download; arguments as of show_rows, opened and download_rows."""
    if box := opened("Table", key):
        with box:
            show_rows(rows, alt)
            download_rows(label, rows, name)


def offer_export(
    kind: str, content: str | Callable[[], str], mime: str, clip: SessionClip, about: str = "emotion"
) -> None:
    """A button that saves results of a clip, in a format such as "CSV"; `about` what they are, for the file name."""
    suffix = kind if kind == "TextGrid" else kind.lower()
    offer_download(f"Download {kind}", content, file_name(clip.name, suffix, about), mime)


def file_name(name: str, suffix: str, about: str = "emotion") -> str:
    """A safe file name for what is saved of a clip; letters, marks and digits of every script are kept."""
    stem = unicodedata.normalize("NFC", PurePath(name).stem)
    kept = "".join(c if c == "-" or unicodedata.category(c)[0] in "LMN" else " " for c in stem)
    short = "_".join(kept.split()).encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    return f"{short or 'clip'}_{about}.{suffix}"


def _row(record: dict, label: str) -> dict:
    probabilities = record["probabilities"]
    columns = {name: record[name] for name in ("start_s", "end_s", "speech_s")}
    columns |= {"answer": label, "emotion": record["emotion"]}
    columns |= {"confidence": probabilities[record["emotion"]]} | probabilities
    return columns | {name: record[name] for name in ("arousal", "valence")}

"""Downloads: a result as JSON, CSV and TextGrid."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import PurePath

from pages.ui.analysis import ModelResult
from pages.ui.session import SessionClip
from ser_core.audio import Quality
from ser_core.inference import (
    MIN_SPEECH_TO_PREDICT_S,
    NO_SPEECH,
    NOT_SURE,
    Prediction,
    Smoothing,
    as_textgrid,
    label_segments,
    smooth_trajectory,
    window_labels,
)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_json(clip: SessionClip, quality: Quality, answer: ModelResult) -> str:
    """The complete result; times in seconds."""
    content = {"file": clip.name, **answer.prediction.to_dict(), "quality": asdict(quality), "notes": clip.notes}
    content["windows"] = answer.trajectory.to_records()
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_csv(clip: SessionClip, answer: ModelResult) -> str:
    """One row for the whole clip, then one for each window; times in seconds."""
    whole = {"part": "clip", **_row(answer.prediction.to_dict(), answer_label(answer.prediction))}
    windows = [{"part": "window", **row} for row in window_rows(answer)]
    head = {"file": clip.name, "model": answer.prediction.model, "version": answer.prediction.version}
    return rows_as_csv([head | row for row in (whole, *windows)])


def answer_label(prediction: Prediction) -> str:
    """The label shown: an emotion, "not sure" or "no speech"."""
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return NO_SPEECH
    return NOT_SURE if prediction.abstain else prediction.emotion


def clip_textgrid(clip: SessionClip, quality: Quality, answer: ModelResult) -> str:
    """For Praat: the speech, and the labelled segments with their confidence."""
    trajectory, lead = smooth_trajectory(answer.trajectory, Smoothing())
    speech, duration_s = quality.speech_segments, clip.recording.duration_s
    found = label_segments(trajectory, lead, speech, duration_s, answer.min_confidence)
    return as_textgrid(speech, {answer.prediction.model: found}, duration_s)


def rows_as_csv(rows: Sequence[dict]) -> str:
    """A table with the columns of the first row; a text in it is never a formula."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(
        {name: _no_formula(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
    )
    return file.getvalue()


def window_rows(answer: ModelResult) -> list[dict]:
    """One row for each window."""
    trajectory = answer.trajectory
    words = window_labels(trajectory, trajectory.probabilities.argmax(1), answer.min_confidence).tolist()
    return [_row(record, word) for record, word in zip(trajectory.to_records(), words, strict=True)]


def file_name(name: str, suffix: str) -> str:
    """A safe file name for the export of a clip."""
    stem = re.sub(r"[^A-Za-z0-9-]+", "_", PurePath(name).stem).strip("_")[:60]
    return f"{stem or 'clip'}_emotion.{suffix}"


def _row(record: dict, answer: str) -> dict:
    probabilities = record["probabilities"]
    columns = {name: record[name] for name in ("start_s", "end_s", "speech_s")}
    columns |= {"answer": answer, "emotion": record["emotion"]}
    return columns | {"confidence": probabilities[record["emotion"]]} | probabilities


def _no_formula(text: str) -> str:
    """A text that a spreadsheet does not evaluate as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

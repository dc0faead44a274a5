"""The data of the timeline of a long recording: compact enough to be sent for an hour, drawn by the browser."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ser_core.inference import (
    NO_SPEECH,
    NOT_ANALYSED,
    NOT_SURE,
    Segment,
    Trajectory,
    TrajectorySummary,
    label_in_words,
    speech_mask,
    window_edges_s,
)
from ser_core.labels import AROUSAL_VALENCE, EMOTION_STYLES, format_probability
from ser_core.plots.style import emotion_label, format_time

NOT_SURE_LABEL = -1  # in place of an index into the labels


def timeline_data(
    trajectory: Trajectory,
    segments: Sequence[Segment],
    duration_s: float,
    min_confidence: float,
    until_s: float,
    units: Mapping[str, Sequence[Segment]],
    others: Mapping[str, Sequence[Segment]],
) -> dict[str, Any]:
    """What the timeline draws, JSON-serialisable; probabilities have 8 bits.

    Args:
        trajectory: of one model; each window counts over the interval where it is the nearest one.
        segments: label_segments of it.
        duration_s: of the recording.
        min_confidence: abstention threshold.
        until_s: later windows are not analysed yet.
        units: rows of the user's own segments, by title; they are played in place of those of the trajectory.
        others: rows of other models, by title.
    """
    speaks = speech_mask(trajectory)
    content = {
        "duration_s": duration_s,
        "until_s": until_s,
        "min_confidence": min_confidence,
        "labels": [_label(name) for name in trajectory.labels],
        "edges": _packed(window_edges_s(trajectory).astype("<f4")),
        "values": _packed(np.round(255 * trajectory.probabilities).astype(np.uint8)),
        "speaks": _packed(speaks.astype(np.uint8)),
        "segments": [_segment(one, trajectory.labels) for one in segments],
        "rows": [
            {"title": title, "segments": [_segment(one, trajectory.labels) for one in own]}
            for title, own in [*units.items(), *others.items()]
        ],
        "n_units": len(units),
    }
    return content | {"id": hashlib.sha256(json.dumps(content).encode()).hexdigest()}


def _label(name: str) -> dict[str, Any]:
    style, (arousal, valence) = EMOTION_STYLES[name], AROUSAL_VALENCE[name]
    return {"name": name, "symbol": style.symbol, "colour": style.colour, "arousal": arousal, "valence": valence}


def _packed(values: np.ndarray) -> str:
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _segment(segment: Segment, labels: Sequence[str]) -> list:
    """[start_s, end_s, index of the label or NOT_SURE_LABEL or None, confidence, text]."""
    span = [round(segment.start_s, 3), round(segment.end_s, 3)]
    if segment.label in (NO_SPEECH, NOT_ANALYSED) or segment.confidence is None:
        return [*span, None, 0.0, segment.label]
    words = f"{emotion_label(segment.emotion)} {format_probability(segment.confidence)}"
    label = NOT_SURE_LABEL if segment.label == NOT_SURE else labels.index(segment.label)
    return [*span, label, round(segment.confidence, 3), label_in_words(segment.label, words)]


def _listed(times: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(times[:-1]), times[-1])))


def describe_trajectory(summary: TrajectorySummary) -> str:
    """A recording in a sentence, "Mostly ● neutral (62% of the speech); ✚ angry peaks at 3:10."; "" without speech."""
    if not summary.shares:
        return ""
    (label, share), *others = summary.shares
    name = emotion_label(label)
    parts = [
        f"{name} throughout"
        if not others
        else f"{'Mostly' if share > 0.5 else 'Most often'} {name} ({share:.0%} of the speech)"
    ]
    if label == NOT_SURE and others:
        parts += [f"{emotion_label(others[0][0])} in {others[0][1]:.0%}"]
    peaks: dict[str, list[str]] = {}
    for peak in summary.peaks:
        peaks.setdefault(peak.emotion, []).append(format_time(round(peak.time_s)))
    parts += [f"{emotion_label(emotion)} peaks at {_listed(times)}" for emotion, times in peaks.items()]
    parts += [f"{NOT_SURE} in {share:.0%}" for label, share in others if label == NOT_SURE and share >= 0.005]
    words = "; ".join(parts) + "."
    return words[0].upper() + words[1:]

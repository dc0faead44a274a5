"""A long recording in one sentence: the share of each label in the speech, and when other emotions peak."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.inference.results import Trajectory
from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import EMA_SMOOTHING, NO_SPEECH, NOT_SURE, Smoothing, speech_mask

SMOOTHED_SHARE = 1 / 200  # of the recording: what is shorter is no event in it
MIN_SMOOTHED_S = 5.0  # a shorter recording is not smoothed
MAX_PEAKS = 3
PEAK_DISTANCE_SHARE = 1 / 20  # of the recording, or a window: nearer ones are one event
MIN_PEAK = 0.5  # probability: more likely than all else


@dataclass(frozen=True)
class Peak:
    """A moment at which an emotion other than the prevalent one is likely."""

    emotion: str
    time_s: float
    probability: float


@dataclass(frozen=True)
class TrajectorySummary:
    """What a recording consists of."""

    shares: tuple[tuple[str, float], ...]  # label ("not sure" too) -> share of the labelled speech, largest first
    peaks: tuple[Peak, ...]  # in the order of time


def default_smoothing(duration_s: float) -> Smoothing:
    """The smoothing for a recording of some length: the longer, the more; none for less than a quarter of an hour."""
    time_constant_s = duration_s * SMOOTHED_SHARE
    return Smoothing(EMA_SMOOTHING, round(time_constant_s, 1)) if time_constant_s >= MIN_SMOOTHED_S else Smoothing()


def summarise_trajectory(trajectory: Trajectory, segments: Sequence[Segment], duration_s: float) -> TrajectorySummary:
    """The summary of a recording.

    Args:
        trajectory: of one model, with default_smoothing: its peaks are events in a recording of this length.
        segments: label_segments of the trajectory without smoothing.
        duration_s: of the recording.
    """
    seconds: dict[str, float] = {}
    for segment in segments:
        if segment.label not in (NO_SPEECH, NOT_ANALYSED):
            seconds[segment.label] = seconds.get(segment.label, 0.0) + segment.speech_s
    total_s = sum(seconds.values())
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    shares = tuple((label, speech_s / total_s) for label, speech_s in ranked) if total_s else ()
    prevalent = next((label for label, _ in shares if label != NOT_SURE), "")
    return TrajectorySummary(shares, _peaks(trajectory, prevalent, duration_s) if shares else ())


def _peaks(trajectory: Trajectory, prevalent: str, duration_s: float) -> tuple[Peak, ...]:
    """The highest probabilities of the other emotions, far enough from each other."""
    others = [k for k, label in enumerate(trajectory.labels) if label != prevalent]
    values = np.where(speech_mask(trajectory)[:, None], trajectory.probabilities, 0)[:, others]
    middle_s = (trajectory.start_s + trajectory.end_s) / 2
    distance_s = max(PEAK_DISTANCE_SHARE * duration_s, trajectory.window_s)
    found: list[Peak] = []
    best, which = values.max(1), values.argmax(1)
    for i in np.argsort(-best, kind="stable").tolist():
        if len(found) == MAX_PEAKS or best[i] < MIN_PEAK:
            break
        if all(abs(middle_s[i] - peak.time_s) >= distance_s for peak in found):
            found.append(Peak(trajectory.labels[others[which[i]]], float(middle_s[i]), float(best[i])))
    return tuple(sorted(found, key=lambda peak: peak.time_s))

"""Smoothing of a trajectory, and its segments. Windows without speech have no label and do not smooth others."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ser_core.audio import SpeechSegments, speech_overlap_s
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Trajectory

NO_SPEECH, NOT_SURE, NOT_ANALYSED = "no speech", "not sure", "not analysed"
NO_SMOOTHING, EMA_SMOOTHING, MEDIAN_SMOOTHING, HYSTERESIS_SMOOTHING = "none", "EMA", "median", "hysteresis"


@dataclass(frozen=True)
class Smoothing:
    """Method and amount: a time constant in s (EMA), a number of windows (median) or a hold time in s (hysteresis)."""

    kind: str = NO_SMOOTHING
    amount: float = 0


@dataclass(frozen=True)
class Segment:
    """A part of a recording with one label."""

    start_s: float
    end_s: float
    label: str  # an emotion, "not sure", "no speech" or "not analysed"
    speech_s: float = 0.0  # seconds of speech in it
    emotion: str = ""  # the most probable one, also when not sure
    confidence: float | None = None  # its probability, mean over the windows; None without an emotion
    probabilities: tuple[float, ...] = ()  # mean over the windows


def smooth_trajectory(trajectory: Trajectory, smoothing: Smoothing) -> tuple[Trajectory, np.ndarray]:
    """The smoothed trajectory, and the index of the label of each window, shape = (n_windows,).

    Raises:
        ValueError: unknown kind of smoothing.
    """
    if smoothing.kind == HYSTERESIS_SMOOTHING:
        return trajectory, hysteresis_labels(trajectory, smoothing.amount)
    if smoothing.kind == EMA_SMOOTHING:
        trajectory = smooth_ema(trajectory, smoothing.amount)
    elif smoothing.kind == MEDIAN_SMOOTHING:
        trajectory = smooth_median(trajectory, int(smoothing.amount))
    elif smoothing.kind != NO_SMOOTHING:
        raise ValueError(
            f"Unknown smoothing {smoothing.kind!r}. There are: "
            f"{NO_SMOOTHING}, {EMA_SMOOTHING}, {MEDIAN_SMOOTHING}, {HYSTERESIS_SMOOTHING}."
        )
    return trajectory, trajectory.probabilities.argmax(1)


def smooth_ema(trajectory: Trajectory, time_constant_s: float) -> Trajectory:
    """Exponential moving average of the probabilities: each window moves it by 1 - exp(-elapsed / time constant)."""
    middle_s = (trajectory.start_s + trajectory.end_s) / 2
    probabilities = trajectory.probabilities.copy()
    for before, now in pairwise(np.flatnonzero(speech_mask(trajectory))):
        kept = np.exp(-(middle_s[now] - middle_s[before]) / time_constant_s)
        probabilities[now] = kept * probabilities[before] + (1 - kept) * probabilities[now]
    return replace(trajectory, probabilities=probabilities)


def smooth_median(trajectory: Trajectory, n_windows: int) -> Trajectory:
    """Running median of each probability over n_windows windows (odd), normalised to sum to 1."""
    half, speaks = n_windows // 2, speech_mask(trajectory)
    values = np.where(speaks[:, None], trajectory.probabilities, np.nan)
    values = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(values, 2 * half + 1, axis=0)[speaks]
    probabilities = trajectory.probabilities.copy()
    middle = np.nanmedian(around, axis=-1)
    probabilities[speaks] = middle / np.maximum(middle.sum(1, keepdims=True), 1e-12)
    return replace(trajectory, probabilities=probabilities)


def hysteresis_labels(trajectory: Trajectory, hold_s: float) -> np.ndarray:
    """The label of each window, with changes accepted only if the new label leads for hold_s; then from its start.

    The first label needs no hold time.

    Returns:
        Indices into the labels, shape = (n_windows,).
    """
    lead = trajectory.probabilities.argmax(1)
    lasts_s = np.diff(window_edges_s(trajectory))
    speaks = np.flatnonzero(speech_mask(trajectory))
    current = None
    for run in np.split(speaks, np.flatnonzero(np.diff(lead[speaks])) + 1):
        if current is None or lasts_s[run].sum() >= hold_s:
            current = lead[run[:1]]
        lead[run] = current
    return lead


def speech_mask(trajectory: Trajectory) -> np.ndarray:
    """True for windows with speech, shape = (n_windows,)."""
    return trajectory.speech_s >= MIN_SPEECH_TO_PREDICT_S


def window_edges_s(trajectory: Trajectory) -> np.ndarray:
    """Edges between windows, half-way between their centres, shape = (n_windows + 1,)."""
    middle_s = (trajectory.start_s + trajectory.end_s) / 2
    return np.concatenate([trajectory.start_s[:1], (middle_s[1:] + middle_s[:-1]) / 2, trajectory.end_s[-1:]])


def window_labels(trajectory: Trajectory, label_indices: np.ndarray, min_confidence: float) -> np.ndarray:
    """The label of each window: an emotion, "not sure" or "no speech"; shape = (n_windows,)."""
    sure = np.take_along_axis(trajectory.probabilities, label_indices[:, None], 1)[:, 0] >= min_confidence
    labels = np.where(sure, np.array(trajectory.labels)[label_indices], NOT_SURE)
    return np.where(speech_mask(trajectory), labels, NO_SPEECH)


def label_segments(
    trajectory: Trajectory,
    label_indices: np.ndarray,
    speech: SpeechSegments,
    duration_s: float,
    min_confidence: float = 0.0,
    complete: bool = True,
) -> tuple[Segment, ...]:
    """Segments of a recording, cut where the label changes; without gaps from 0 to duration_s.

    Args:
        label_indices: of the label of each window, shape = (n_windows,).
        speech: (start_s, end_s) of the speech in the recording.
        min_confidence: below it the label is "not sure".
        complete: the rest after the last window is "no speech"; otherwise it is "not analysed".
    """
    words, edge_s = window_labels(trajectory, label_indices, min_confidence), window_edges_s(trajectory).tolist()
    cuts = [0, *(np.flatnonzero(words[1:] != words[:-1]) + 1).tolist(), len(words)]
    found = [_build_segment(trajectory, words[a], slice(a, b), edge_s[a], edge_s[b]) for a, b in pairwise(cuts)]
    found = _fill_gaps(found, duration_s, NO_SPEECH if complete else NOT_ANALYSED)
    amounts = speech_overlap_s(speech, *np.array([(segment.start_s, segment.end_s) for segment in found]).T)
    return tuple(replace(segment, speech_s=float(amount)) for segment, amount in zip(found, amounts, strict=True))


def _build_segment(trajectory: Trajectory, label: str, windows: slice, start_s: float, end_s: float) -> Segment:
    if label == NO_SPEECH:
        return Segment(start_s, end_s, NO_SPEECH)
    mean = trajectory.probabilities[windows].mean(0)
    emotion = trajectory.labels[mean.argmax()] if label == NOT_SURE else str(label)
    confidence = float(mean[trajectory.labels.index(emotion)])
    return Segment(start_s, end_s, str(label), 0.0, emotion, confidence, tuple(mean.tolist()))


def _fill_gaps(found: list[Segment], duration_s: float, rest: str) -> list[Segment]:
    """The segments extended to 0 and duration_s: silence before the first window, `rest` after the last one."""
    first, last = found[0], found[-1]
    before = [Segment(0.0, first.start_s, NO_SPEECH)] if first.start_s > 0 else []
    after = [Segment(last.end_s, duration_s, rest)] if last.end_s < duration_s else []
    return _merge_no_speech([*before, *found, *after])


def _merge_no_speech(found: list[Segment]) -> list[Segment]:
    """The segments with adjacent ones without speech merged."""
    joined = found[:1]
    for segment in found[1:]:
        if segment.label == joined[-1].label == NO_SPEECH:
            joined[-1] = replace(joined[-1], end_s=segment.end_s)
        else:
            joined.append(segment)
    return joined

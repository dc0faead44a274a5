"""Smoothing of a trajectory. Windows without speech have no label and do not smooth others."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Prediction, Trajectory

NO_SPEECH, NOT_SURE = "no speech", "not sure"
NO_SMOOTHING, EMA_SMOOTHING, MEDIAN_SMOOTHING, HYSTERESIS_SMOOTHING = "none", "EMA", "median", "hysteresis"


@dataclass(frozen=True)
class Smoothing:
    """Method and amount: a time constant in s (EMA), a number of windows (median) or a hold time in s (hysteresis)."""

    kind: str = NO_SMOOTHING
    amount: float = 0  # 0: none

    def __post_init__(self) -> None:
        """Raises ValueError for an amount that would give probabilities outside [0, 1]."""
        if not 0 <= self.amount < math.inf:
            raise ValueError(f"Smoothing by {self.amount}: give an amount of 0 or more.")


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
    if not time_constant_s:
        return trajectory
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


def prediction_label(prediction: Prediction) -> str:
    """The label of a recording: an emotion, "not sure" or "no speech"."""
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return NO_SPEECH
    return NOT_SURE if prediction.abstain else prediction.emotion


def label_in_words(label: str, emotion: str) -> str:
    """The text of the most probable emotion, in brackets where the label is "not sure"."""
    return f"{NOT_SURE} ({emotion})" if label == NOT_SURE else emotion


def window_labels(trajectory: Trajectory, label_indices: np.ndarray, min_confidence: float) -> np.ndarray:
    """The label of each window: an emotion, "not sure" or "no speech"; shape = (n_windows,)."""
    sure = np.take_along_axis(trajectory.probabilities, label_indices[:, None], 1)[:, 0] >= min_confidence
    labels = np.where(sure, np.array(trajectory.labels)[label_indices], NOT_SURE)
    return np.where(speech_mask(trajectory), labels, NO_SPEECH)

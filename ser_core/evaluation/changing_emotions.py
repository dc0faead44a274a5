"""Predictions over time where the emotion changes: recordings joined from clips of one speaker, and their scores.

The clips follow each other without the silence at their ends, at random pauses, in faint noise.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE, SpeechSegments, speech_overlap_s, speech_segments
from ser_core.data import AudioStore, Utterance
from ser_core.inference import EMA_SMOOTHING, Smoothing, Trajectory, label_segments, smooth_trajectory

PAUSES_S = (0.25, 0.75)  # between the clips, uniform
NOISE_LEVEL = 1e-4  # RMS, -80 dBFS: of a quiet room behind a good microphone
STEP_S = 0.25  # from one scored moment to the next
MOMENT_S = 1e-3


@dataclass(frozen=True, eq=False)
class JoinedClips:
    """A recording in which the emotion changes."""

    waveform: np.ndarray  # 16 kHz, (n_samples,)
    clips: tuple[tuple[float, float, str], ...]  # (start_s, end_s, emotion), in order
    speech: SpeechSegments  # that is detected in it


@dataclass(frozen=True)
class OverTime:
    """How often what a model says at a moment of speech is the emotion of that moment; all in [0, 1]."""

    uar: float  # of the moments, over the emotions that occur
    answered: float  # share of the moments whose confidence reaches the model's threshold
    right: float | None  # of these; None if there are none


def join_clips(
    clips: Sequence[Utterance], store: AudioStore, rng: np.random.Generator, n_changes: int, n_in_a_row: int
) -> JoinedClips:
    """A recording of n_changes emotions, each for n_in_a_row clips and unlike the one before it.

    Args:
        clips: of one speaker, with n_in_a_row clips or more of two emotions.

    Raises:
        ValueError: there are fewer.
    """
    by_emotion = defaultdict(list)
    for clip in clips:
        by_emotion[clip.emotion].append(clip)
    usable = sorted(emotion for emotion, own in by_emotion.items() if len(own) >= n_in_a_row)
    if len(usable) < 2:
        raise ValueError(f"{n_in_a_row} clips in a row need as many of two emotions: {dict(Counter(usable))}")
    chosen: list[Utterance] = []
    for _ in range(n_changes):
        others = [emotion for emotion in usable if not chosen or emotion != chosen[-1].emotion]
        own = by_emotion[str(rng.choice(others))]
        chosen += [own[i] for i in rng.choice(len(own), n_in_a_row, replace=False)]
    return _joined(chosen, store, rng)


def _joined(clips: Sequence[Utterance], store: AudioStore, rng: np.random.Generator) -> JoinedClips:
    parts, marks, n_samples = [], [], 0
    for clip in clips:
        pause = np.zeros(round(rng.uniform(*PAUSES_S) * SAMPLE_RATE), np.float32)
        sound = store.trimmed(clip.id)
        start = n_samples + len(pause)
        n_samples = start + len(sound)
        marks.append((start / SAMPLE_RATE, n_samples / SAMPLE_RATE, clip.emotion))
        parts += [pause, sound]
    waveform = np.concatenate(parts) + rng.normal(0, NOISE_LEVEL, n_samples).astype(np.float32)
    return JoinedClips(waveform, tuple(marks), speech_segments(waveform))


def score_timeline(trajectories: Sequence[Trajectory], recordings: Sequence[JoinedClips], threshold: float) -> OverTime:
    """At each moment, the emotion of the window whose middle is nearest.

    Args:
        trajectories: of each recording, of one model.
        threshold: of its confidence.
    """
    said = []
    for trajectory, recording in zip(trajectories, recordings, strict=True):
        at_s, truth = _moments(recording, trajectory.labels)
        middle_s = (trajectory.start_s + trajectory.end_s) / 2
        said.append(_said(trajectory, np.abs(middle_s - at_s[:, None]).argmin(1), truth))
    return _score(said, threshold)


def score_live(
    trajectories: Sequence[Trajectory], recordings: Sequence[JoinedClips], threshold: float, smoothing_s: float
) -> OverTime:
    """As score_timeline, by the last window that has ended, after an exponential moving average.

    Args:
        smoothing_s: its time constant, in seconds.
    """
    said = []
    for trajectory, recording in zip(trajectories, recordings, strict=True):
        at_s, truth = _moments(recording, trajectory.labels)
        smooth, _ = smooth_trajectory(trajectory, Smoothing(EMA_SMOOTHING, smoothing_s))
        said.append(_said(smooth, np.maximum(np.searchsorted(smooth.end_s, at_s, "right") - 1, 0), truth))
    return _score(said, threshold)


def score_segments(trajectories: Sequence[Trajectory], recordings: Sequence[JoinedClips], threshold: float) -> OverTime:
    """As score_timeline, by the segment of each moment."""
    said = []
    for trajectory, recording in zip(trajectories, recordings, strict=True):
        leads, duration_s = trajectory.probabilities.argmax(1), len(recording.waveform) / SAMPLE_RATE
        segments = label_segments(trajectory, leads, recording.speech, duration_s, threshold)
        at_s, truth = _moments(recording, trajectory.labels)
        rows = [segments[i] for i in np.searchsorted([one.end_s for one in segments], at_s).clip(max=len(segments) - 1)]
        confidence = np.array([one.confidence or 0.0 for one in rows])
        said.append((np.array([one.emotion for one in rows]) == truth, confidence, truth))
    return _score(said, threshold)


Said = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of each moment of a recording: whether the emotion is right, its confidence, and the true one."""


def _moments(recording: JoinedClips, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds at which somebody speaks, and the emotion at each; those that the model knows."""
    at_s, truth = [], []
    for start_s, end_s, emotion in recording.clips:
        times = np.arange(start_s + STEP_S / 2, end_s, STEP_S) if emotion in labels else np.empty(0)
        at_s.append(times[speech_overlap_s(recording.speech, times, times + MOMENT_S) > 0])
        truth += [emotion] * len(at_s[-1])
    return np.concatenate(at_s), np.array(truth)


def _said(trajectory: Trajectory, windows: np.ndarray, truth: np.ndarray) -> Said:
    probabilities = trajectory.probabilities[windows]
    return np.array(trajectory.labels)[probabilities.argmax(1)] == truth, probabilities.max(1), truth


def _score(said: Sequence[Said], threshold: float) -> OverTime:
    is_right, confidence, emotion = (np.concatenate(column) for column in zip(*said, strict=True))
    is_sure = confidence >= threshold
    recalls = [float(is_right[emotion == one].mean()) for one in np.unique(emotion)]
    right = float(is_right[is_sure].mean()) if is_sure.any() else None
    return OverTime(float(np.mean(recalls)), float(is_sure.mean()), right)

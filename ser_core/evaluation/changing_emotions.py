"""Predictions over time where the emotion changes: recordings joined from clips of one speaker, and their scores.

The clips follow each other without the silence at their ends, at random pauses, in faint noise.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE
from ser_core.data import AudioStore, Utterance
from ser_core.inference import EMA_SMOOTHING, Smoothing, Trajectory, smooth_trajectory

PAUSES_S = (0.25, 0.75)  # between the clips, uniform
NOISE_LEVEL = 1e-4  # RMS, -80 dBFS: of a quiet room behind a good microphone
STEP_S = 0.25  # from one scored moment to the next


@dataclass(frozen=True, eq=False)
class JoinedClips:
    """A recording in which the emotion changes."""

    waveform: np.ndarray  # 16 kHz, (n_samples,)
    clips: tuple[tuple[float, float, str], ...]  # (start_s, end_s, emotion), in order


@dataclass(frozen=True)
class OverTime:
    """How often what a model says at a moment is the emotion of that moment; all in [0, 1]."""

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
    waveform = np.concatenate(parts)
    return JoinedClips(waveform + rng.normal(0, NOISE_LEVEL, n_samples).astype(np.float32), tuple(marks))


def score_over_time(
    trajectories: Sequence[Trajectory],
    recordings: Sequence[JoinedClips],
    min_confidence: float,
    live_smoothing_s: float | None = None,
) -> OverTime:
    """The score of a model on recordings; moments in pauses do not count, nor emotions that it does not know.

    Args:
        trajectories: of each recording, of one model.
        min_confidence: its threshold.
        live_smoothing_s: None: by the window whose middle is nearest, as on a timeline. Otherwise by the last one that
            has ended, as for live speech, after an exponential moving average with this time constant in seconds.
    """
    right, confidence, emotions = [], [], []
    for trajectory, recording in zip(trajectories, recordings, strict=True):
        at_s, truth = _moments(recording, trajectory.labels)
        probabilities = _probabilities_at(trajectory, at_s, live_smoothing_s)
        right.append(np.array(trajectory.labels)[probabilities.argmax(1)] == truth)
        confidence.append(probabilities.max(1))
        emotions.append(truth)
    is_right, emotion = np.concatenate(right), np.concatenate(emotions)
    is_sure = np.concatenate(confidence) >= min_confidence
    recalls = [float(is_right[emotion == one].mean()) for one in np.unique(emotion)]
    return OverTime(
        float(np.mean(recalls)), float(is_sure.mean()), float(is_right[is_sure].mean()) if is_sure.any() else None
    )


def _moments(recording: JoinedClips, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds, and the emotion at each; both of shape (n_moments,)."""
    times = [
        (np.arange(start_s + STEP_S / 2, end_s, STEP_S), one)
        for start_s, end_s, one in recording.clips
        if one in labels
    ]
    return np.concatenate([at_s for at_s, _ in times]), np.repeat(
        [one for _, one in times], [len(at_s) for at_s, _ in times]
    )


def _probabilities_at(trajectory: Trajectory, at_s: np.ndarray, live_smoothing_s: float | None) -> np.ndarray:
    """The probabilities that are shown at each time, shape = (n_moments, n_classes)."""
    if live_smoothing_s is None:
        middle_s = (trajectory.start_s + trajectory.end_s) / 2
        return trajectory.probabilities[np.abs(middle_s - at_s[:, None]).argmin(1)]
    smooth, _ = smooth_trajectory(trajectory, Smoothing(EMA_SMOOTHING, live_smoothing_s))
    return smooth.probabilities[np.maximum(np.searchsorted(smooth.end_s, at_s, "right") - 1, 0)]

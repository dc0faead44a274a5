"""Trajectories of the clip as far as analysed. They grow piece by piece, and settings never run a model again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
import streamlit as st

from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip, is_remembered, remember
from ser_core.audio import SAMPLE_RATE, analysed_bounds, speech_segments
from ser_core.inference import (
    PartialTrajectory,
    Segment,
    Smoothing,
    Trajectory,
    extend_trajectory,
    label_segments,
    pool_trajectory,
    recording_reference,
    smooth_trajectory,
    start_trajectory,
    window_labels,
)
from ser_core.models import functionals_cache

STEP_S = 2.0  # from one look at the growing result to the next
BEGINNING_S = 60.0  # of a longer clip its beginning is shown while the rest is still searched for speech


@dataclass(frozen=True)
class View:
    """Settings of the view of the same predictions."""

    n_model_windows: int  # how long a window is, in windows of the model's own length
    hop_s: float
    smoothing: Smoothing


@dataclass(eq=False)
class Course:
    """The sound, and the trajectory of each model so far."""

    waveform: np.ndarray  # shape = (n_samples,)
    duration_s: float
    speech: tuple[tuple[float, float], ...]
    bounds: tuple[int, int]  # in samples: all but the silence at both ends
    is_beginning: bool = False  # only the first BEGINNING_S are known
    own_reference: bool = False  # models that take a reference use the recording itself
    partials: dict[str, PartialTrajectory] = field(default_factory=dict)
    stopped: bool = False

    def is_done(self, models: Sequence[str]) -> bool:
        """Nothing more will come."""
        return not (self.is_beginning or self.missing(models))

    def covers(self, name: str) -> bool:
        """Whether a model has analysed the clip from the beginning to the end."""
        return not self.is_beginning and name in self.partials and self.partials[name].n_passes > 0

    def missing(self, models: Sequence[str]) -> list[str]:
        """Models that have not analysed the full clip."""
        return [name for name in models if name not in self.partials or self.partials[name].share < 1]

    def n_known(self, models: Sequence[str]) -> int:
        """Windows that can be shown."""
        return sum(len(self.partials[name].known) for name in models if name in self.partials)

    def share(self, models: Sequence[str]) -> float:
        """How much is done, in [0, 1]."""
        if self.is_beginning:
            return 0.0
        return sum(self.partials[name].share if name in self.partials else 0.0 for name in models) / len(models)


@dataclass(frozen=True, eq=False)
class Line:
    """One model's trajectory under the settings."""

    trajectory: Trajectory
    smoothing: Smoothing
    lead: np.ndarray  # which label leads in each window, shape = (n_windows,)
    labels: np.ndarray  # of each window: an emotion, "not sure" or "no speech"
    segments: tuple[Segment, ...]
    min_confidence: float
    until_s: float  # later windows are not analysed yet
    complete: bool  # nothing comes later; with more passes the hop may still become finer


def course(clip: SessionClip, own_reference: bool = False) -> Course:
    """The clip with its speech, before any model; of a long one its beginning until `full_course` is called.

    Args:
        own_reference: models that take a reference use the recording itself.
    """
    if clip.recording.duration_s <= 2 * BEGINNING_S or is_remembered(clip.id, "course"):
        return full_course(clip, own_reference)
    plain = remember(lambda: _analyse_beginning(clip), clip.id, "beginning")
    return _with_own_reference(plain, clip, "beginning") if own_reference else plain


def full_course(clip: SessionClip, own_reference: bool = False) -> Course:
    """All of the clip with its speech."""
    plain = remember(lambda: _analyse_all(clip), clip.id, "course")
    return _with_own_reference(plain, clip, "course") if own_reference else plain


def _with_own_reference(plain: Course, clip: SessionClip, kind: str) -> Course:
    """The same sound with trajectories of its own."""
    return remember(lambda: replace(plain, partials={}, own_reference=True), clip.id, kind, "own reference")


def _analyse_all(clip: SessionClip) -> Course:
    waveform, bar = clip.recording.waveform, st.progress(0.0, "Detecting speech")
    speech = speech_segments(waveform, lambda share: bar.progress(share, "Detecting speech"))
    bar.empty()
    return Course(waveform, clip.recording.duration_s, speech, analysed_bounds(waveform, speech))


def _analyse_beginning(clip: SessionClip) -> Course:
    waveform = clip.recording.waveform[: round(BEGINNING_S * SAMPLE_RATE)]
    speech = speech_segments(waveform)
    bounds = analysed_bounds(waveform, speech)
    return Course(waveform, clip.recording.duration_s, speech, bounds, is_beginning=True)


def analyse(found: Course, models: Sequence[str], step_s: float, progress: Callable[[], None] = lambda: None) -> None:
    """Extends the trajectories that are behind, piece by piece, until there is more to show and step_s are over."""
    until, before = perf_counter() + step_s, found.n_known(models)
    with functionals_cache():
        while behind := found.missing(models):
            for name in behind:
                partial = found.partials.get(name) or _start(found, name)
                found.partials[name] = extend_trajectory(get_model(name), found.waveform, partial)
            progress()
            if perf_counter() > until and found.n_known(models) > before:
                return


def _start(found: Course, name: str) -> PartialTrajectory:
    model = get_model(name)
    own = found.own_reference and model.takes_reference
    reference = recording_reference(model, found.waveform, found.speech) if own else None
    return start_trajectory(model, found.bounds, found.speech, reference=reference)


def line(found: Course, name: str, view: View) -> Line:
    """Trajectory of one model so far, under the given settings; no model is run."""
    partial = found.partials[name]
    trajectory = pool_trajectory(partial, found.speech, view.n_model_windows, view.hop_s)
    trajectory, lead = smooth_trajectory(trajectory, view.smoothing)
    complete = found.covers(name)
    return Line(
        trajectory,
        view.smoothing,
        lead,
        window_labels(trajectory, lead, partial.min_confidence),
        label_segments(trajectory, lead, found.speech, found.duration_s, partial.min_confidence, complete),
        partial.min_confidence,
        partial.until_s,
        complete,
    )

"""Trajectories of the clip as far as analysed. They grow piece by piece, and settings never run a model again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from pages.ui.analysis import PreparedClip
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip, is_remembered, remember, session
from pages.ui.voice.clips import voice_key
from pages.ui.voice.personal import PersonalModel, personal_model
from ser_core.audio import SpeechSegments, analysed_bounds
from ser_core.inference import (
    GRID_HOP_S,
    OWN_RECORDING,
    PartialTrajectory,
    Reference,
    Segment,
    Smoothing,
    Trajectory,
    TrajectorySummary,
    default_smoothing,
    extend_trajectory,
    label_segments,
    loaded_models,
    pool_trajectory,
    recording_reference,
    smooth_trajectory,
    start_trajectory,
    summarise_trajectory,
    window_labels,
)
from ser_core.labels import EMOTIONS
from ser_core.models import SERModel, functionals_cache

STEP_S = 2.0  # from one look at the growing result to the next
SHORT_S, SHORT_HOP_S = 15.0, 0.25  # a short clip has a finer grid: a word lasts as long as the usual hop
NO_REFERENCE, ENROLLED = "", "clips"  # besides OWN_RECORDING


@dataclass(frozen=True)
class WindowSettings:
    """Settings of the view of the same predictions."""

    n_model_windows: int  # how long a window is, in windows of the model's own length
    hop_s: float
    smoothing: Smoothing


@dataclass(eq=False)
class ClipTrajectories:
    """The sound, and the trajectory of each model so far."""

    waveform: np.ndarray  # shape = (n_samples,)
    duration_s: float
    speech: SpeechSegments
    bounds: tuple[int, int]  # in samples: all but the silence at both ends
    grid_s: float = GRID_HOP_S
    reference: str = NO_REFERENCE  # of models that take one: the recording itself, or the enrolled voice
    emotions: tuple[str, ...] = EMOTIONS  # that can occur
    partials: dict[str, PartialTrajectory] = field(default_factory=dict)
    units: dict[tuple, list[Segment]] = field(default_factory=dict)  # predicted, by model and segments of the user
    stopped: bool = False
    view: WindowSettings | None = None  # that was shown last

    def model(self, name: str) -> SERModel:
        """A model that chooses among these emotions.

        Raises:
            CheckpointError: the checkpoint cannot be used.
        """
        return PersonalModel(name, emotions=self.emotions).adapted()

    def is_done(self, models: Sequence[str]) -> bool:
        """Nothing more will come."""
        return not self.missing(models)

    def covers(self, name: str) -> bool:
        """Whether a model has analysed the clip from the beginning to the end."""
        return name in self.partials and self.partials[name].n_passes > 0

    def missing(self, models: Sequence[str]) -> list[str]:
        """Models that have not analysed the full clip."""
        return [name for name in models if name not in self.partials or self.partials[name].share < 1]

    def n_known(self, models: Sequence[str]) -> int:
        """Windows that can be shown."""
        return sum(len(self.partials[name].known) for name in models if name in self.partials)

    def share(self, models: Sequence[str]) -> float:
        """How much is done, in [0, 1]."""
        return sum(self.partials[name].share if name in self.partials else 0.0 for name in models) / len(models)


@dataclass(frozen=True, eq=False)
class ModelTrajectory:
    """One model's trajectory under the settings."""

    trajectory: Trajectory
    smoothing: Smoothing
    lead: np.ndarray  # which label leads in each window, shape = (n_windows,)
    labels: np.ndarray  # of each window: an emotion, "not sure" or "no speech"
    segments: tuple[Segment, ...]
    min_confidence: float
    until_s: float  # later windows are not analysed yet
    complete: bool  # nothing comes later; with more passes the hop may still become finer


def grid_hop_s(clip: SessionClip) -> float:
    """From one prediction to the next."""
    return SHORT_HOP_S if clip.recording.duration_s <= SHORT_S else GRID_HOP_S


def clip_trajectories(clip: SessionClip, prepared: PreparedClip, reference: str = NO_REFERENCE) -> ClipTrajectories:
    """The clip with its speech, before any model.

    Args:
        reference: which one the models use that take one.
    """
    speech, waveform, loaded = prepared.speech, prepared.waveform, loaded_models()
    found = remember(
        lambda: ClipTrajectories(
            waveform,
            clip.recording.duration_s,
            speech,
            analysed_bounds(waveform, speech),
            grid_hop_s(clip),
            reference,
            session().possible_emotions,
        ),
        *_trajectories_key(prepared, reference),
    )
    for name, partial in list(found.partials.items()):
        if name in loaded and loaded[name].version != partial.version:  # trained again since
            del found.partials[name]
    return found


def _trajectories_key(prepared: PreparedClip, reference: str) -> tuple:
    voice = voice_key() if reference == ENROLLED else ()
    return prepared.id, "clip_trajectories", reference, voice, session().possible_emotions


def timeline_segments(
    clip: SessionClip, prepared: PreparedClip, name: str, reference: str
) -> tuple[Segment, ...] | None:
    """The segments of a model that the timeline shows; None as long as it does not cover the clip.

    The one source of segments from then on: those of the coarser windows of the answer differ in a few per cent.
    """
    if not is_remembered(*_trajectories_key(prepared, reference)):
        return None
    found = clip_trajectories(clip, prepared, reference)
    return line(found, name, found.view).segments if found.view and found.covers(name) else None


def analyse(
    found: ClipTrajectories, models: Sequence[str], step_s: float, progress: Callable[[], None] = lambda: None
) -> None:
    """Extends the trajectories that are behind, piece by piece, until there is more to show and step_s are over."""
    until, before = perf_counter() + step_s, found.n_known(models)
    with functionals_cache():
        while behind := found.missing(models):
            for name in behind:
                partial = found.partials.get(name) or _start(found, name)
                found.partials[name] = extend_trajectory(found.model(name), found.waveform, partial)
            progress()
            if perf_counter() > until and found.n_known(models) > before:
                return


def _start(found: ClipTrajectories, name: str) -> PartialTrajectory:
    return start_trajectory(found.model(name), found.bounds, found.speech, found.grid_s, reference_for(found, name))


def reference_for(found: ClipTrajectories, name: str) -> Reference | None:
    """What the predictions of a model are relative to."""
    model = get_model(name)
    if model.takes_reference and found.reference == OWN_RECORDING:
        return recording_reference(model, found.waveform, found.speech, model.trajectory_window_s)
    if found.reference == ENROLLED:
        # none where the voice was imported for another model
        return personal_model(name, clip=session().clip).reference
    return None


def summary(found: ClipTrajectories, name: str) -> TrajectorySummary:
    """One model's trajectory so far: shares of the segments, and peaks smoothed as the length asks for."""
    plain, smooth = (
        line(found, name, WindowSettings(1, found.grid_s, smoothing))
        for smoothing in (Smoothing(), default_smoothing(found.duration_s))
    )
    return summarise_trajectory(smooth.trajectory, plain.segments, found.duration_s)


def line(found: ClipTrajectories, name: str, view: WindowSettings) -> ModelTrajectory:
    """Trajectory of one model so far, under the given settings; no model is run."""
    partial = found.partials[name]
    trajectory = pool_trajectory(partial, found.speech, view.n_model_windows, view.hop_s)
    trajectory, lead = smooth_trajectory(trajectory, view.smoothing)
    complete = found.covers(name)
    return ModelTrajectory(
        trajectory,
        view.smoothing,
        lead,
        window_labels(trajectory, lead, partial.min_confidence),
        label_segments(trajectory, lead, found.speech, found.duration_s, partial.min_confidence, complete),
        partial.min_confidence,
        partial.until_s,
        complete,
    )

"""From the clip of this session to what the page shows, each step computed once per clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import streamlit as st

from pages.ui.components.player import Track, track
from pages.ui.model_picker import choose_model, model
from pages.ui.session import SessionClip, remember, session
from pages.ui.text import plain
from ser_core.audio import Quality, measure_quality, reduce_noise
from ser_core.inference import Prediction, Trajectory, predict_with_windows
from ser_core.models import Adapter, CheckpointError, apply_adapter, available_models, functionals_cache

NOTHING_TO_REDUCE = "Noise reduction changed nothing: it needs speech with pauses, to measure the noise in them."


@dataclass(frozen=True)
class Settings:
    model: str | None  # None when there is no checkpoint
    reduce_noise: bool = False
    all_models: bool = False  # ask the others too
    my_voice: bool = False  # with what the model learned of the person in this session


@dataclass(frozen=True, eq=False)
class Hearing:
    """The sound that is analysed and how good it is."""

    id: str
    waveform: np.ndarray  # shape = (n_samples,)
    tracks: tuple[Track, ...]  # the original, then what noise reduction left of it
    quality: Quality
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says, and what is known about that model."""

    prediction: Prediction
    trajectory: Trajectory  # a single window for clips no longer than one
    took_s: float
    min_confidence: float  # below it the model is not sure
    metrics: dict  # on speakers it never heard
    note: str  # what people must know before they rely on it


def choose_settings(has_clip: bool) -> Settings:
    """Draw the choices that exist: the model when there are several, noise reduction when there is a clip."""
    names = available_models()
    chosen = choose_model(names) if names else None
    several = False
    if len(names) > 1:
        several = has_clip and st.toggle(f"Ask all {len(names)} models", help="Their answers stand side by side.")
    reduce = has_clip and st.toggle(
        "Reduce steady noise",
        help="Spectral gating. Hear the recording before and after in the player, and see whether the answer changes. "
        "The models were trained without it.",
    )
    mine = (
        has_clip
        and chosen in session().adapters
        and st.toggle("Use my voice", help="What the model learned of your clips on the page Embedding map.")
    )
    return Settings(chosen, reduce, several, mine)


def hear(clip: SessionClip, settings: Settings) -> Hearing:
    """Measure the clip and prepare it for the player."""
    original = _hearing(clip.id, "Original", clip.recording.waveform)
    if not settings.reduce_noise:
        return original
    with st.spinner("Reducing noise"):
        waveform = remember(lambda: reduce_noise(original.waveform), clip.id, "reduce noise")
    if np.array_equal(waveform, original.waveform):
        return replace(original, notes=(NOTHING_TO_REDUCE,))
    reduced = _hearing(clip.id, "Noise reduced", waveform)
    return replace(reduced, tracks=original.tracks + reduced.tracks)


def _hearing(clip_id: str, name: str, waveform: np.ndarray) -> Hearing:
    with st.spinner("Looking for speech"):
        measured = remember(lambda: measure_quality(waveform), clip_id, name, "quality")
        drawn = remember(lambda: track(name, waveform, clip_id), clip_id, name, "track")
    return Hearing(f"{clip_id} {name}", waveform, (drawn,), measured)


def answer(hearing: Hearing, model_name: str | None, my_voice: bool = False) -> Answer | None:
    """Ask the model; None when there is none.

    Args:
        my_voice: with the adapter of this session.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        AdapterError: the adapter is of another version.
    """
    if model_name is None:
        return None
    learned = session().adapters[model_name] if my_voice else None
    return remember(lambda: _ask(hearing, model_name, learned), hearing.id, "answer", model_name, learned)


def all_answers(hearing: Hearing) -> tuple[list[Answer], list[str]]:
    """As answers_of, of every model there is."""
    return answers_of(hearing, available_models())


def answers_of(hearing: Hearing, names: Sequence[str]) -> tuple[list[Answer], list[str]]:
    """The answers of several models to the clip, and why some have none."""
    answers, problems = [], []
    with st.spinner("Asking the models"), functionals_cache():
        for name in names:
            try:
                answers.append(answer(hearing, name))
            except CheckpointError as error:
                problems.append(str(error))
    return answers, problems


def _ask(hearing: Hearing, model_name: str, learned: Adapter | None = None) -> Answer:
    words = f"Listening: {plain(model_name)}"
    judge = apply_adapter(model(model_name), learned) if learned else model(model_name)
    bar = st.progress(0.0, words)
    started = perf_counter()
    prediction, trajectory = predict_with_windows(
        judge, hearing.waveform, hearing.quality.speech_segments, lambda share: bar.progress(share, words)
    )
    took_s = perf_counter() - started
    bar.empty()
    return Answer(prediction, trajectory, took_s, judge.calibration.min_confidence, judge.metrics, judge.note)

"""Analysis of the clip of this session: quality, noise reduction, predictions; each computed once per clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import streamlit as st

from pages.ui.components.player import Track, track
from pages.ui.emotion import choose_emotions
from pages.ui.model_picker import choose_model, get_model
from pages.ui.session import SessionClip, is_remembered, remember, session
from pages.ui.text import plain
from pages.ui.voice.personal import PersonalModel, personal_model
from pages.ui.voice.switch import uses_voice
from ser_core.audio import Quality, SpeechSegments, measure_quality, reduce_noise, speech_segments
from ser_core.inference import (
    Prediction,
    SpeakerReferenceError,
    Trajectory,
    loaded_models,
    predict_with_windows,
)
from ser_core.models import CheckpointError, available_models, functionals_cache

NOTHING_TO_REDUCE = "Noise reduction had no effect: it needs speech with pauses, in which it measures the noise."


@dataclass(frozen=True)
class Settings:
    model: str | None  # None when there is no checkpoint
    reduce_noise: bool = False
    my_voice: bool = False  # with the speaker adapter of this session
    enrolled: bool = False  # with the enrolled voice of this session as the reference


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """The waveform that is analysed, ready for the player; the rest is computed when it is first asked for."""

    id: str
    clip: SessionClip
    waveform: np.ndarray  # shape = (n_samples,)
    tracks: tuple[Track, ...]  # the original, then the noise-reduced one
    notes: tuple[str, ...] = ()

    @property
    def speech(self) -> SpeechSegments:
        """(start_s, end_s) of the speech, detected once, with a progress bar where the page is then."""
        return remember(lambda: _detect_speech(self.waveform), self.id, "speech")

    @property
    def quality(self) -> Quality:
        return remember(lambda: measure_quality(self.waveform, self.speech), self.id, "quality")

    @property
    def known_speech(self) -> SpeechSegments | None:
        """The speech, if it is detected already."""
        return self.speech if is_remembered(self.id, "speech") else None


@dataclass(frozen=True, eq=False)
class ModelResult:
    """Prediction of one model, with the model's threshold and metrics."""

    model: PersonalModel
    prediction: Prediction
    trajectory: Trajectory  # a single window for clips no longer than one
    took_s: float
    min_confidence: float  # below it the model is not sure
    metrics: dict  # on unseen speakers
    note: str  # caveat shown with every prediction


def choose_settings() -> Settings:
    """Draw the choices that exist: the model when there are several, noise reduction, the voice, the emotions."""
    names = available_models()
    chosen = choose_model(names) if names else None
    reduce = st.toggle(
        "Reduce steady noise",
        help="Spectral gating. Compare both versions in the player, and see whether the prediction changes. "
        "The models were trained without it.",
    )
    mine = chosen in session().adapters and st.toggle(
        "Speaker adaptation", help="The last layer, adapted to your labelled clips in the view Map."
    )
    choose_emotions()
    return Settings(chosen, reduce, mine, enrolled=not mine and uses_voice(chosen))


def prepare_clip(clip: SessionClip, settings: Settings) -> PreparedClip:
    """Prepare the clip for the player."""
    original = _prepare(clip, "Original", clip.recording.waveform)
    if not settings.reduce_noise:
        return original
    with st.spinner("Reducing noise"):
        waveform = remember(lambda: reduce_noise(original.waveform, original.speech), clip.id, "reduce noise")
    if np.array_equal(waveform, original.waveform):
        return replace(original, notes=(NOTHING_TO_REDUCE,))
    reduced = _prepare(clip, "Noise reduced", waveform)
    return replace(reduced, tracks=original.tracks + reduced.tracks)


def _prepare(clip: SessionClip, name: str, waveform: np.ndarray) -> PreparedClip:
    with st.spinner("Drawing the sound"):
        drawn = remember(lambda: track(name, waveform, clip.id), clip.id, name, "track")
    return PreparedClip(f"{clip.id} {name}", clip, waveform, (drawn,))


def _detect_speech(waveform: np.ndarray) -> SpeechSegments:
    bar = st.empty()
    found = speech_segments(waveform, lambda share: bar.progress(share, "Detecting speech"))
    bar.empty()
    return found


def model_result(prepared: PreparedClip, model: PersonalModel, quiet: bool = False) -> ModelResult:
    """Result of one model.

    Args:
        quiet: without a progress bar.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        AdapterError: the adapter is of another version.
        SpeakerReferenceError: the reference is of another version.
    """
    get_model(model.name, quiet)
    return remember(lambda: _run_model(prepared, model, quiet), *_answer_key(prepared, model))


def is_predicted(prepared: PreparedClip, model: PersonalModel) -> bool:
    """Whether the result of a model is there already."""
    return is_remembered(*_answer_key(prepared, model))


def _answer_key(prepared: PreparedClip, model: PersonalModel) -> tuple:
    """With the version: a model that was unloaded may have been trained again since."""
    loaded = loaded_models().get(model.name)
    return prepared.id, "answer", model, loaded and loaded.version


def answer(prepared: PreparedClip, settings: Settings) -> ModelResult | None:
    """The result of the chosen model that all views show; None without a model.

    Raises:
        CheckpointError, AdapterError, SpeakerReferenceError: as model_result, or a clip of the voice cannot be used.
    """
    if settings.model is None:
        return None
    return model_result(prepared, personal_model(settings.model, settings.my_voice, prepared.clip))


def model_results(prepared: PreparedClip, names: Sequence[str]) -> tuple[list[ModelResult], list[str]]:
    """Results of several models, with the enrolled voice where it is used, and the errors of those that have none."""
    results, problems = [], []
    with st.spinner("Running the models"), functionals_cache():
        for name in names:
            try:
                results.append(model_result(prepared, personal_model(name, clip=prepared.clip)))
            except (CheckpointError, SpeakerReferenceError) as error:
                problems.append(str(error))
    return results, problems


def _run_model(prepared: PreparedClip, who: PersonalModel, quiet: bool) -> ModelResult:
    words = f"Running {plain(who.name)}"
    model = who.adapted()
    bar = st.empty()
    started = perf_counter()
    prediction, trajectory = predict_with_windows(
        model,
        prepared.waveform,
        prepared.speech,
        lambda share: None if quiet else bar.progress(share, words),
        who.reference,
    )
    took_s = perf_counter() - started
    bar.empty()
    threshold = model.calibration.threshold(who.reference is not None)
    return ModelResult(who, prediction, trajectory, took_s, threshold, model.metrics, model.note)

"""The audio of the lessons: the clip of this session, or a sample."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui.clip import chosen, current_clip
from pages.ui.model_picker import get_model
from pages.ui.problems import show_problem
from pages.ui.samples import SAMPLES, sample_list
from pages.ui.text import plain
from ser_core.audio import SAMPLE_RATE, AudioError, load_audio
from ser_core.interpret import has_stage_outputs, loudest_excerpt
from ser_core.models import HOW_TO_TRAIN, CheckpointError, SERModel, available_models
from ser_core.plots import format_time


@dataclass(frozen=True, eq=False)
class Sound:
    """A full recording."""

    id: str
    name: str  # as the browser sent it: shown as plain text
    waveform: np.ndarray  # shape = (n_samples,)


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The part of a recording that a lesson draws."""

    id: str  # of the recording
    waveform: np.ndarray  # shape = (n_samples,)
    start_s: float
    duration_s: float


def sound() -> Sound:
    """The clip of this session; otherwise, or where it is unreadable, a sample, with a note."""
    try:
        clip = current_clip()
    except AudioError as error:
        show_problem(error, chosen().name)
        clip = None
    if clip:
        return Sound(clip.id, clip.name, clip.recording.waveform)
    sample = sample_list()[0]
    return Sound(sample["file"], f"Sample: {sample['title']}", _sample(sample["file"]))


@st.cache_data
def _sample(file: str) -> np.ndarray:
    return load_audio(SAMPLES / file)


def excerpt(duration_s: float) -> Excerpt:
    """The loudest part of the sound, with a caption of its times."""
    source = sound()
    start, end = loudest_excerpt(source.waveform, duration_s)
    part = Excerpt(source.id, source.waveform[start:end], start / SAMPLE_RATE, (end - start) / SAMPLE_RATE)
    name = plain(source.name)
    if end - start == len(source.waveform):
        st.caption(f"{name}, all of it")
    else:
        end_s = part.start_s + part.duration_s
        st.caption(f"{name}, its loudest part: {format_time(part.start_s)} to {format_time(end_s)}")
    return part


def first_model(with_stages: bool) -> SERModel | None:
    """The first usable model; None, with a message, without one."""
    for name in available_models():
        try:
            found = get_model(name)
        except CheckpointError as error:
            st.warning(plain(str(error)))
            continue
        if not with_stages or has_stage_outputs(found):
            return found
    st.info(HOW_TO_TRAIN, title="This lesson needs a trained ResoNet" if with_stages else "No trained model yet")
    return None

"""Enrolment of a voice: unlabelled clips of one speaker, kept in this session, as the reference of its predictions."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui.analysis import ModelResult, voice_reference
from pages.ui.clip_input import FORMATS
from pages.ui.session import PageState, SessionClip, erase, input_key, session
from pages.ui.text import plain
from ser_core.audio import SAMPLE_RATE, AudioError, read_audio, speech_segments
from ser_core.inference import (
    MAX_REFERENCE_CLIPS,
    MIN_REFERENCE_CLIPS,
    MIN_SPEECH_TO_PREDICT_S,
    SpeakerReferenceError,
)
from ser_core.models import models_with_reference

MAX_CLIP_S = 20.0  # of each clip


@dataclass
class EnrolmentState(PageState):
    problem: str = ""  # why the latest clip was not added


def show_enrolment(clip: SessionClip, result: ModelResult) -> None:
    """The clips of the voice, for models that take a reference."""
    name = result.prediction.model
    if name not in models_with_reference():
        return
    with st.expander("Enrolled voice", key="enrolment"):
        st.caption(
            f"Add {MIN_REFERENCE_CLIPS} to {MAX_REFERENCE_CLIPS} clips of one speaker, in any mood and without labels: "
            "predictions are then relative to this voice. The clips stay in this session."
        )
        known = session().voice_clips
        full = len(known) >= MAX_REFERENCE_CLIPS
        silent = result.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S
        unusable = full or silent or clip.id in known
        st.button("Add this clip", on_click=_add_clip, args=(clip,), disabled=unusable, key="enrol-clip")
        key = input_key("voice")
        st.file_uploader(
            "Clips of this voice", FORMATS, accept_multiple_files=True, key=key, on_change=_add_files, args=(key,)
        )
        _show_problem()
        if known:
            _show_clips(name)


def _show_problem() -> None:
    if problem := session().page(EnrolmentState).problem:
        st.warning(plain(problem))
        session().page(EnrolmentState).problem = ""


def _show_clips(name: str) -> None:
    known = session().voice_clips
    duration_s = sum(len(waveform) for waveform in known.values()) / SAMPLE_RATE
    st.markdown(f"Clips: {len(known)}, {duration_s:.0f} s")
    try:
        reference = voice_reference(name)
    except SpeakerReferenceError as error:
        st.warning(plain(str(error)))
    else:
        content = json.dumps(reference.to_dict())
        help_text = "For `python -m scripts.predict --reference`, and for the REST API."
        st.download_button("Download the reference", content, "reference.json", "application/json", help=help_text)
    st.button("Remove all", on_click=session().clear_voice, key="clear-voice")


def _add_clip(clip: SessionClip) -> None:
    _add(clip.id, clip.recording.waveform)


def _add_files(key: str) -> None:
    """Adds the uploaded files and empties the widget."""
    for file in st.session_state.get(key) or ():
        try:
            waveform = read_audio(file, max_duration_s=MAX_CLIP_S).waveform
            if sum(end_s - start_s for start_s, end_s in speech_segments(waveform)) < MIN_SPEECH_TO_PREDICT_S:
                raise AudioError("No speech was found in it.")
            _add(hashlib.sha256(waveform.tobytes()).hexdigest(), waveform)
        except AudioError as error:
            session().page(EnrolmentState).problem = f"{file.name}: {error}"
        erase(file)
    session().rounds["voice"] += 1


def _add(clip_id: str, waveform: np.ndarray) -> None:
    now = session()
    if len(now.voice_clips) >= MAX_REFERENCE_CLIPS:
        now.page(EnrolmentState).problem = f"{MAX_REFERENCE_CLIPS} clips are enough: the others were not added."
        return
    now.voice_clips[clip_id] = waveform[: round(MAX_CLIP_S * SAMPLE_RATE)]
    now.references = {}

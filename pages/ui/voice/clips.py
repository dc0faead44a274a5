"""The enrolled voice: clips of one speaker, kept in this session, as the reference of its predictions."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import streamlit as st

from pages.ui.clip import overlap, speaks
from pages.ui.model_picker import get_model
from pages.ui.session import PageState, SessionClip, erase, session
from pages.ui.text import plain
from ser_core.audio import AudioError, read_audio
from ser_core.evaluation import describe_enrolment
from ser_core.inference import (
    MAX_REFERENCE_CLIPS,
    MIN_REFERENCE_CLIPS,
    MIN_SPEECH_TO_PREDICT_S,
    Prediction,
    Reference,
    SpeakerReferenceError,
    reference_part,
)
from ser_core.models import models_with_reference

PAGE = "pages/enrol/page.py"
MIN_SUGGESTED = MIN_REFERENCE_CLIPS + 1  # recordings: each is compared with the others


@dataclass
class EnrolmentState(PageState):
    names: dict[str, str] = field(default_factory=dict)  # by clip id
    labels: dict[str, str] = field(default_factory=dict)  # emotions that the person states, by clip id
    problems: list[str] = field(default_factory=list)  # why clips were not added, until it is shown
    imported: Reference | None = None  # since the clips changed last
    declined: bool = False  # the offer to enrol the recordings of this session

    def contents(self) -> dict[str, int]:
        return {"labels of your clips": len(self.labels)}


def enrolment_state() -> EnrolmentState:
    return session().page(EnrolmentState)


def has_voice(model: str | None) -> bool:
    """Whether this session has a voice that a model can use."""
    now = session()
    return model in models_with_reference() and bool(now.voice_clips or model in now.references)


def n_clips(model: str) -> int:
    """How many clips the voice of a model is made of: an imported one knows it; 0 without a voice."""
    now = session()
    return len(now.voice_clips) or (now.references[model].n_clips if model in now.references else 0)


def voice_key() -> tuple:
    """What the references of the voice are made of: another one for another voice."""
    state = enrolment_state()
    return (*((clip_id, state.labels.get(clip_id)) for clip_id in session().voice_clips), state.imported)


def is_enrolled(clip_id: str) -> bool:
    """Whether a clip, or sound of it, is part of the voice."""
    return any(overlap(clip_id, other_id) for other_id in session().voice_clips)


def add_clip(clip: SessionClip) -> None:
    """Adds a clip of the session; without speech, `problems` says so."""
    _add(clip.id, clip.name, reference_part(clip.recording.waveform))


def latest_clips() -> list[SessionClip]:
    """Short clips of this session that the person recorded or chose and that are not in the voice, oldest first."""
    return [clip for clip in session().latest.values() if not is_enrolled(clip.id)]


def add_clips(clips: Iterable[SessionClip]) -> None:
    """Adds clips of this session."""
    for clip in clips:
        add_clip(clip)


def add_recording(name: str, file: object, label: str = "") -> bool:
    """Adds a recording or a file; returns whether it was added, otherwise `problems` names the reason."""
    try:
        waveform = reference_part(read_audio(file).waveform)
    except AudioError as error:
        report_problem(f"{name}: {error}")
        return False
    return _add(hashlib.sha256(waveform.tobytes()).hexdigest(), name, waveform, label)


def add_files(files: Iterable[object]) -> None:
    """Adds uploaded files and erases them."""
    for file in files:
        add_recording(file.name, file)
        erase(file)


def _add(clip_id: str, name: str, waveform: np.ndarray, label: str = "") -> bool:
    now, state = session(), enrolment_state()
    if not speaks(waveform):
        report_problem(f"{name}: No speech was found in it.")
        return False
    if len(now.voice_clips) >= MAX_REFERENCE_CLIPS:
        report_problem(f"{MAX_REFERENCE_CLIPS} clips are enough: the others were not added.")
        return False
    now.voice_clips[clip_id] = waveform
    if state.imported:
        report_problem("Your own clips replace the voice that you imported: remove them and import it again to use it.")
    now.references, state.imported = {}, None
    state.names[clip_id] = _numbered(name, state.names.values())
    if label:
        state.labels[clip_id] = label
    return True


def _numbered(name: str, taken: Collection[str]) -> str:
    """The name, with a number where another clip has it."""
    if name not in taken:
        return name
    return next(numbered for n in count(2) if (numbered := f"{name} {n}") not in taken)


def remove_clips(clip_ids: Iterable[str]) -> None:
    """Removes some of the clips."""
    now, state = session(), enrolment_state()
    for clip_id in clip_ids:
        now.voice_clips.pop(clip_id, None)
        state.names.pop(clip_id, None)
        state.labels.pop(clip_id, None)
    now.references, state.imported = {}, None


def remove_voice() -> None:
    """Removes the clips, the references and the labels."""
    session().clear_voice()
    session().pages.pop(EnrolmentState, None)


def import_reference(content: bytes) -> None:
    """Takes a reference that was exported before; the clips it was made of are not in it.

    Raises:
        SpeakerReferenceError: another file, the reference of a model or version that is not here, or there are clips.
    """
    if session().voice_clips:  # most models would be relative to them, and one to what is imported
        raise SpeakerReferenceError("Your voice has clips of its own. Remove all of them, then import.")
    reference = Reference.from_json(content)
    if reference.model not in models_with_reference():
        raise SpeakerReferenceError(
            f"It is a reference of {reference.model}, which is not on this machine. Put the model's folder into "
            "checkpoints/, or make the voice here from the same clips."
        )
    reference.check(get_model(reference.model))
    session().references[reference.model] = enrolment_state().imported = reference


def report_problem(problem: str) -> None:
    """Keeps a reason until it is shown, once where many clips have the same."""
    problems = enrolment_state().problems
    if problem not in problems:
        problems.append(problem)


def show_problems_of_clips() -> None:
    """Why clips were not added, once."""
    for problem in enrolment_state().problems:
        st.warning(plain(problem))
    enrolment_state().problems = []


def offer_enrolment(clip: SessionClip, prediction: Prediction) -> None:
    """A button that adds the clip, if it has speech, to the voice, and the way to the page about it.

    Nothing for models that take no reference.
    """
    if prediction.model not in models_with_reference() or prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return
    with st.container():  # also when it is empty, so that the buttons stay in their place
        show_problems_of_clips()
        _suggest_voice(prediction.model)
    refusal = _why_no_more()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Part of your voice" if is_enrolled(clip.id) else "Add this clip to your voice",
            on_click=add_clip,
            args=(clip,),
            disabled=bool(refusal) or is_enrolled(clip.id),
            icon=":material/add:",
            key="enrol-clip",
            help=refusal or None,
        )
        lead_to_page("voice-from-answer")


def _why_no_more() -> str:
    if enrolment_state().imported:
        return "This session uses a voice that you imported. To make one of clips, remove it first, on My voice."
    full = len(session().voice_clips) >= MAX_REFERENCE_CLIPS
    return f"Your voice has {MAX_REFERENCE_CLIPS} clips: enough." if full else ""


def _suggest_voice(model: str) -> None:
    """An offer to enrol what the person has recorded in this session, where that makes a voice and there is none."""
    recorded = [clip for clip in latest_clips() if clip.kind != "upload"]
    has_enough = n_clips(model) >= MIN_REFERENCE_CLIPS or enrolment_state().imported
    if len(recorded) < MIN_SUGGESTED or has_enough or enrolment_state().declined:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="suggest-voice"):
        st.markdown(
            f"Are your last {len(recorded)} recordings of one person? Predictions relative to them are right more "
            f"often. {describe_enrolment(model)}"
        )
        st.button(
            "Use them as my voice",
            icon=":material/record_voice_over:",
            on_click=_use_as_voice,
            args=(recorded,),
            key="use-as-voice",
        )
        st.button("No", on_click=_decline, key="decline-voice", type="tertiary")


def _use_as_voice(clips: Iterable[SessionClip]) -> None:
    add_clips(clips)
    session().uses_voice = True


def _decline() -> None:
    enrolment_state().declined = True


def lead_to_page(key: str) -> None:
    """A button that opens the page about the voice."""
    if st.button("My voice", icon=":material/record_voice_over:", key=key, help="Enrol your voice in two minutes."):
        st.switch_page(PAGE, query_params={})  # or Streamlit refuses where the address names what is chosen

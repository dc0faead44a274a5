"""State of the page "My voice": the sentence to read, and what the voice changes on the labelled clips."""

from dataclasses import dataclass

import streamlit as st

from pages.ui.model_picker import get_model
from pages.ui.session import PageState, session
from pages.ui.voice.clips import enrolment_state
from ser_core.inference import EnrolmentGain, enrolment_gain
from ser_core.models import models_with_reference


@dataclass
class ReadingState(PageState):
    position: int = 0  # in SENTENCES
    began: bool = False  # to read
    plainly: bool = False  # all of them
    gain: tuple[tuple, EnrolmentGain] | None = None  # of a model, and of clips with their labels

    def contents(self) -> dict[str, int]:
        return {"comparisons with and without your voice": int(self.gain is not None)}


def reading_state() -> ReadingState:
    return session().page(ReadingState)


def enrolling_model() -> str | None:
    """That of an imported voice; else the chosen one if it takes a reference, else the first one that does."""
    names = models_with_reference()
    chosen, imported = st.session_state.get("model"), enrolment_state().imported
    if imported and chosen not in session().references:
        return imported.model
    return chosen if chosen in names else next(iter(names), None)


def known_gain(model: str) -> EnrolmentGain | None:
    """What the voice changes, if it was measured with this model on the clips and labels of now."""
    found = reading_state().gain
    return found[1] if found and found[0] == (model, _clips_and_labels()) else None


def measure_gain(model: str, progress) -> None:
    """Predicts every labelled clip with and without the other clips.

    Raises:
        SpeakerReferenceError: a clip cannot be used.
    """
    clips, labels = session().voice_clips, enrolment_state().labels
    found = enrolment_gain(get_model(model), list(clips.values()), [labels.get(i) for i in clips], progress)
    reading_state().gain = ((model, _clips_and_labels()), found)


def _clips_and_labels() -> frozenset:
    labels = enrolment_state().labels
    return frozenset((clip_id, labels.get(clip_id)) for clip_id in session().voice_clips)

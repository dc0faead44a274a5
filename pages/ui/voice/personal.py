"""Models as they predict for this person: relative to the enrolled voice, or adapted to labelled clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.model_picker import get_model
from pages.ui.session import session
from pages.ui.text import plain
from pages.ui.voice.switch import uses_voice
from ser_core.inference import Reference, enrolled_model, speaker_reference
from ser_core.models import Adapter, SERModel, apply_adapter


@dataclass(frozen=True)
class PersonalModel:
    """A model by name, with what it uses of the person; two with the same of it are equal."""

    name: str
    reference: Reference | None = None
    adapter: Adapter | None = None

    def adapted(self) -> SERModel:
        """The model with the adapter, for functions that take the reference themselves.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            AdapterError: the adapter is of another version.
        """
        model = get_model(self.name)
        return apply_adapter(model, self.adapter) if self.adapter else model

    def load(self) -> SERModel:
        """The model whose logits for a waveform are those of the prediction shown.

        Raises:
            CheckpointError, AdapterError: as above.
            SpeakerReferenceError: the reference is of another version.
        """
        model = self.adapted()
        return enrolled_model(model, self.reference) if self.reference else model


def personal_model(name: str, adapted: bool = False) -> PersonalModel:
    """The model with the enrolled voice where it is switched on, or else, on request, with the adapter.

    Raises:
        SpeakerReferenceError: a clip of the voice cannot be used.
    """
    if adapted:
        return PersonalModel(name, adapter=session().adapters.get(name))
    return PersonalModel(name, reference_in_force(name))


def reference_in_force(name: str | None) -> Reference | None:
    """The reference that predictions of a model are relative to; None where the voice is off or the model takes none.

    Raises:
        SpeakerReferenceError: a clip of the voice cannot be used.
    """
    return voice_reference(name) if name and uses_voice(name) else None


def voice_reference(name: str) -> Reference:
    """The reference of the enrolled voice, made at the first call.

    Raises:
        SpeakerReferenceError: a clip cannot be used.
    """
    now = session()
    if name not in now.references:
        with st.spinner("Enrolling the voice"):
            now.references[name] = speaker_reference(get_model(name), list(now.voice_clips.values()))
    return now.references[name]


def describe_voice(models: Sequence[PersonalModel]) -> str:
    """Which models predicted relative to the enrolled voice, and which take no reference; "" where it is off."""
    now = session()
    if not (now.uses_voice and (now.voice_clips or now.references)):
        return ""
    used = [plain(model.name) for model in models if model.reference]
    others = [plain(model.name) for model in models if not (model.reference or model.adapter)]
    if not others:
        return "Relative to your enrolled voice." if used else ""
    takes = "takes no reference clips: it predicts" if len(others) == 1 else "take no reference clips: they predict"
    without = f"{', '.join(others)} {takes} without your voice."
    return f"Relative to your enrolled voice: {', '.join(used)}. {without}" if used else without

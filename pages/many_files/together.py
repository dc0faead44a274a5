"""Files as the reference of each other: recordings of one kind, of any speaker."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from streamlit.typing import UploadedFile

from pages.ui.model_picker import get_model
from pages.ui.voice.personal import PersonalModel, personal_model
from ser_core.audio import AudioError, read_audio
from ser_core.inference import MAX_REFERENCE_CLIP_S, Reference, collection_reference, draw_reference_clips
from ser_core.models import models_with_reference


@dataclass
class Together:
    """Whether the files are, and the references made of them so far."""

    on: bool = False
    references: dict[tuple[str, ...], Reference | None] = field(default_factory=dict)  # by model and ids of the files

    def model(self, name: str, files: Sequence[UploadedFile]) -> PersonalModel:
        """A model as it predicts now: relative to the files, else to the enrolled voice where that is switched on.

        Raises:
            SpeakerReferenceError: a clip of the voice cannot be used.
            CheckpointError: the model cannot be used.
        """
        reference = self.reference(name, files) if self.on and name in models_with_reference() else None
        return PersonalModel(name, reference) if reference else personal_model(name)

    def reference(self, name: str, files: Sequence[UploadedFile]) -> Reference | None:
        """The reference for a model, made at the first call; None with fewer than three files with speech."""
        key = (name, *(file.file_id for file in files))
        if key not in self.references:
            with st.spinner("Reading some of the files"):
                self.references[key] = collection_reference(get_model(name), _read(files))
        return self.references[key]

    def describe(self, models: Sequence[PersonalModel]) -> str:
        """What the predictions are relative to; "" if it is switched off."""
        if not self.on:
            return ""
        used = [model.reference for model in models if model.reference and model.reference.source == "collection"]
        if not used:
            return "Too few of these files hold speech: at least three are needed to be a reference."
        return (
            f"Relative to {used[0].n_clips} of these files. That is right for recordings with the same microphone, "
            "room and language, in several moods; a mood that all of them have would be hidden."
        )


def _read(files: Sequence[UploadedFile]) -> list[np.ndarray]:
    """The files of the reference, without those that cannot be read: their row says why."""
    waveforms = []
    for i in draw_reference_clips(len(files)):
        files[i].seek(0)
        with suppress(AudioError):
            waveforms.append(read_audio(files[i], max_duration_s=MAX_REFERENCE_CLIP_S).waveform)
    return waveforms

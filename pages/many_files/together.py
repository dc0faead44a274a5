"""Files as the reference of each other: recordings of one kind, of any speaker."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.typing import UploadedFile

from pages.ui.model_picker import get_model
from pages.ui.text import plain
from pages.ui.voice.personal import PersonalModel, personal_model
from ser_core.inference import Reference, collection_reference, read_drawn_clips
from ser_core.models import models_with_reference


@dataclass
class Together:
    """Whether the files are, and the references made of the files as they are now."""

    on: bool = False
    references: dict[tuple[str, ...], Reference | None] = field(default_factory=dict)  # by model, version, ids of files

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
        model, ids = get_model(name), tuple(file.file_id for file in files)
        key = (name, model.version, *ids)
        if key not in self.references:
            with st.spinner("Reading some of the files"):
                clips = read_drawn_clips([file.name for file in files], files)
                made = collection_reference(model, clips)
            self.references = {known: found for known, found in self.references.items() if known[2:] == ids}
            self.references[key] = made
        return self.references[key]


def describe_together(models: Sequence[PersonalModel]) -> str:
    """What predictions relative to each other mean, for models of which some can be."""
    used = [model for model in models if is_together(model)]
    if not used:
        return "Too few of these files hold speech: at least three are needed to be a reference."
    others = [plain(model.name) for model in models if not is_together(model)]
    without = f" Models that take no reference: {', '.join(others)}." if others else ""
    return (
        f"Relative to {used[0].reference.n_clips} of these files.{without} That is right for recordings with the same "
        "microphone, room and language, in several moods; a mood that all of them have would be hidden. Opened in "
        "Clip, a file is predicted without the others."
    )


def is_together(model: PersonalModel) -> bool:
    """Whether a model predicts relative to the files."""
    return bool(model.reference) and model.reference.source == "collection"

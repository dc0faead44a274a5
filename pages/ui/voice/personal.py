"""Models as they predict for this person: relative to the voice, adapted to clips, among the possible emotions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from pages.ui.clip import overlap
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip, remember, session
from pages.ui.text import plain
from pages.ui.voice.clips import enrolment_state, has_voice
from pages.ui.voice.switch import uses_voice
from ser_core.inference import Reference, enrolled_model, reference_part, speaker_reference
from ser_core.models import Adapter, SERModel, apply_adapter, limit_emotions


@dataclass(frozen=True)
class PersonalModel:
    """A model by name, with what it uses of the person; two with the same of it are equal."""

    name: str
    reference: Reference | None = None
    adapter: Adapter | None = None
    emotions: tuple[str, ...] = field(default_factory=lambda: session().possible_emotions)

    def adapted(self) -> SERModel:
        """The model with the adapter and the emotions, for functions that take the reference themselves.

        Raises:
            CheckpointError: the checkpoint cannot be used.
            AdapterError: the adapter is of another version.
        """
        model = get_model(self.name)
        model = apply_adapter(model, self.adapter) if self.adapter else model
        return limit_emotions(model, self.emotions)

    def load(self) -> SERModel:
        """The model whose logits for a waveform are those of the prediction shown.

        Raises:
            CheckpointError, AdapterError: as above.
            SpeakerReferenceError: the reference is of another version.
        """
        model = self.adapted()
        return enrolled_model(model, self.reference) if self.reference else model


def personal_model(name: str, adapted: bool = False, clip: SessionClip | None = None) -> PersonalModel:
    """The model with the enrolled voice where it is switched on, or else, on request, with the adapter.

    Args:
        clip: that it is to predict; where it is part of the voice, it is compared with the other clips alone.

    Raises:
        CheckpointError, SpeakerReferenceError: as voice_reference.
    """
    if adapted:
        return PersonalModel(name, adapter=session().adapters.get(name))
    if not uses_voice(name):
        return PersonalModel(name)
    reference = voice_reference(name)
    return PersonalModel(name, _of_other_clips(name, reference, clip) if clip else reference)


def _of_other_clips(name: str, reference: Reference, clip: SessionClip) -> Reference | None:
    """The reference without a clip, or what that was trimmed from, or parts of it; None without another one."""
    now = session()
    sounds = [reference_part(c.recording.waveform) for c in (clip, now.full_clip) if c]
    sounds += [waveform for i, waveform in now.voice_clips.items() if overlap(i, clip.id)]
    own = {sound.tobytes(): sound for sound in sounds if reference.clip_of(sound) is not None}  # each once
    if not own:
        return reference
    model, parts = get_model(name), list(own.values())
    return remember(lambda: reference.without_clip(speaker_reference(model, parts)), clip.id, "other clips", reference)


def voice_reference(name: str) -> Reference:
    """The reference of the enrolled voice, made at the first call with each version of the model.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        SpeakerReferenceError: a clip cannot be used, or an imported voice is of another version.
    """
    now, model = session(), get_model(name)
    known = now.references.get(name)
    if now.voice_clips and (known is None or known.version != model.version):
        with st.spinner("Enrolling the voice"):
            known = now.references[name] = speaker_reference(model, list(now.voice_clips.values()))
    if known and now.voice_clips and known.emotions != (emotions := _stated_emotions(model)):
        now.references[name] = replace(known, emotions=emotions)
    now.references[name].check(model)
    return now.references[name]


def _stated_emotions(model: SERModel) -> tuple[str, ...]:
    """The labels of the clips of the voice, as Reference.emotions; () for a model that cannot use them."""
    labels = enrolment_state().labels
    emotions = tuple(labels.get(clip_id, "") for clip_id in session().voice_clips)
    return emotions if any(emotions) and model.emotion_offsets is not None else ()


def is_enrolled_for(name: str) -> bool:
    """Whether personal_model takes no time: the voice is off, or its reference for this model is made."""
    return not uses_voice(name) or name in session().references


def describe_voice(models: Sequence[PersonalModel]) -> str:
    """Which models predicted relative to the enrolled voice, and which cannot use it; "" where it is off."""
    now = session()
    if not (now.uses_voice and (now.voice_clips or now.references)):
        return ""
    used = [plain(model.name) for model in models if model.reference]
    able = [model for model in models if not (model.reference or model.adapter) and has_voice(model.name)]
    if able:
        return "Without your voice: this recording is all of it so far. Add other clips to it."
    others = [plain(model.name) for model in models if not (model.reference or model.adapter)]
    if not others:
        return "Relative to your enrolled voice." if used else ""
    without = f"Without your voice, which it cannot use: {others[0]}."
    if len(others) > 1:
        without = f"Without your voice, which they cannot use: {', '.join(others)}."
    return f"Relative to your enrolled voice: {', '.join(used)}. {without}" if used else without

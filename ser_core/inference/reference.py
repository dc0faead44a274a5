"""The reference of a speaker or a collection: what unlabelled clips tell a model, as small as a JSON file."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ser_core.inference.reference_clips import MIN_REFERENCE_CLIPS, fingerprint, reference_part
from ser_core.inference.results import FAR_NOTE
from ser_core.labels import EMOTIONS, EVERYDAY
from ser_core.models import (
    OFFSETS_FILE,
    SERModel,
    check_model,
    mean_offset,
    models_with_emotions,
    models_with_reference,
    reference_weight,
)

N_DIGITS = 6  # significant, of each value in JSON
# Of a recording from the reference, in units of its spread. Measured on 141 speakers with ten clips each and the pooled
# layers of Whisper base: beyond it are fewer than 5 % of their own other clips and most clips of other corpora, but few
# of other speakers in the same studio. It shows another recording situation rather than another voice.
MAX_RELATIVE_DISTANCE = 1.4
# The same from ten clips of one mood, which lie closer together. Of neutral ones: beyond it are 8 % of a speaker's own
# clips in any mood and two thirds of the clips of other corpora. Those of other moods lie as close.
MAX_ONE_MOOD_DISTANCE = 1.8

MAX_EMBEDDING_VALUE = 1000.0  # the shipped models reach 23, also on noise; 3e38 would overflow in a layer

ReferenceSource = Literal["clips", "recording", "running", "collection"]
OWN_RECORDING: Literal["recording"] = "recording"  # in place of a reference: the recording itself
TOGETHER = "together"  # in place of speakers or reference clips: all files of a collection, of any speaker


class SpeakerReferenceError(ValueError):
    """A reference that cannot be made or used; the message names the cause and the cure."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The mean embedding of reference clips: of one speaker, of a recording's windows, or of a collection."""

    model: str
    version: str  # of the model: another version has another embedding space
    embedding: np.ndarray  # float32, (embedding_dim,)
    n_clips: int  # clips, or windows of a recording without overlap
    speech_s: float  # seconds of speech in them
    spread: float | None = None  # mean distance of a clip from the mean of the other clips; None for a single clip
    source: ReferenceSource = "clips"  # or the recording itself, a live session so far, a collection of recordings
    clips: tuple[str, ...] = ()  # fingerprints: a recording that is one of the clips is not compared with itself
    emotions: tuple[str, ...] = ()  # of the clips, or EVERYDAY, "" where unknown; (): all are unknown

    @property
    def weight(self) -> float:
        """How far predictions rely on it, in (0, 1)."""
        return reference_weight(self.n_clips)

    @property
    def kind(self) -> str:
        """The source, as predictions name it: "clips" with the one mood that is known of all, as NEUTRAL_CLIPS."""
        return f"{self.mood} clips" if self.source == "clips" and self.mood else self.source

    @property
    def mood(self) -> str:
        """The emotion, or EVERYDAY, that all clips are known to have; "" for several, or where one is unknown."""
        moods = {*self.emotions}
        return moods.pop() if len(moods) == 1 else ""

    @property
    def note(self) -> str:
        """What users must know before they rely on it, or ""."""
        if self.source != "clips" or self.n_clips >= MIN_REFERENCE_CLIPS:
            return ""
        return f"Reference clips: {self.n_clips}. Add some: {MIN_REFERENCE_CLIPS} or more describe a voice better."

    def note_for(self, embedding: np.ndarray) -> str:
        """What users must know before they rely on a prediction with this reference, or "".

        Args:
            embedding: of the recording, shape = (embedding_dim,).
        """
        most = MAX_ONE_MOOD_DISTANCE if self.mood else MAX_RELATIVE_DISTANCE
        if self.spread is None or np.linalg.norm(embedding - self.embedding) <= most * self.spread:
            return self.note
        return f"{self.note} {FAR_NOTE}".lstrip()

    def clip_of(self, waveform: np.ndarray) -> np.ndarray | None:
        """The part of a recording, 16 kHz, shape = (n_samples,), that is one of the clips: all of it or its start."""
        parts = (waveform, reference_part(waveform)) if self.clips else ()
        return next((part for part in parts if fingerprint(part) in self.clips), None)

    def without_clip(self, clip: "Reference") -> "Reference | None":
        """The reference without one of its clips, each of which has an equal share in the mean; None without others.

        Args:
            clip: the reference of this clip alone.
        """
        n_times = sum(self.clips.count(mark) for mark in clip.clips)
        n_others = self.n_clips - n_times
        if not n_others:
            return None
        mean = (self.n_clips * self.embedding - n_times * clip.embedding) / n_others
        speech_s = max(self.speech_s - n_times * clip.speech_s, 0.0)
        kept = [i for i, mark in enumerate(self.clips) if mark not in clip.clips]
        others, emotions = (tuple(column[i] for i in kept) if column else () for column in (self.clips, self.emotions))
        return replace(self, embedding=mean, n_clips=n_others, speech_s=speech_s, clips=others, emotions=emotions)

    def tensor_for(self, model: SERModel) -> Tensor:
        """What predictions are relative to, on the device of a model, shape = (embedding_dim,).

        It is the embedding without the offsets of emotions that are known: what is left is the voice and the room.

        Raises:
            SpeakerReferenceError: the model takes no reference, or this is one of another model or damaged.
        """
        self.check(model)
        voice = self.embedding - mean_offset(model, self.emotions) if self.emotions else self.embedding
        return torch.from_numpy(voice).to(model.device)

    def check(self, model: SERModel) -> None:
        """Checks that a model can use it.

        Raises:
            SpeakerReferenceError: the model takes no reference, or this is one of another model or damaged.
        """
        check_takes_reference(model)
        if (self.model, self.version) != (model.name, model.version):
            raise SpeakerReferenceError(
                f"This reference was made by {self.model} (version {self.version}); "
                f"{model.name} has version {model.version}. Make one from the same clips with {model.name}."
            )
        if len(self.embedding) != model.embedding_dim:
            raise SpeakerReferenceError(
                f"This reference is damaged: it has {len(self.embedding)} values, not {model.embedding_dim}. "
                f"Make it again from the same clips with {model.name}."
            )
        if self.emotions:
            check_takes_emotions(model)

    def to_dict(self) -> dict:
        """JSON-serialisable."""
        embedding = [float(f"{value:.{N_DIGITS}g}") for value in self.embedding.tolist()]
        lists = {"embedding": embedding, "clips": list(self.clips), "emotions": list(self.emotions)}
        return {field.name: getattr(self, field.name) for field in fields(self)} | lists

    @classmethod
    def from_dict(cls, values: object) -> "Reference":
        """Inverse of to_dict.

        Raises:
            SpeakerReferenceError: another kind of JSON.
        """
        try:
            known = dict(values)  # type: ignore[call-overload]  # foreign
            with np.errstate(over="ignore"):  # infinite values are refused
                embedding = np.array(list(map(_number, known["embedding"])), np.float32)
            lists = {name: tuple(known.get(name, ())) for name in ("clips", "emotions")}
            reference = cls(**known | lists | {"embedding": embedding})
            valid = reference._is_valid()
        except (TypeError, ValueError, KeyError, OverflowError):
            valid = False
        if not valid:
            raise SpeakerReferenceError("This is not a reference of this program, or it is damaged. Make it again.")
        return reference

    @classmethod
    def from_json(cls, text: str | bytes) -> "Reference":
        """A reference from the JSON of to_dict.

        Raises:
            SpeakerReferenceError: another kind of text.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        return cls.from_dict(values)

    def _is_valid(self) -> bool:
        """Whether it may come from to_dict."""
        measures = [_number(self.speech_s), 0.0 if self.spread is None else _number(self.spread)]
        return (
            isinstance(self.model, str)
            and isinstance(self.version, str)
            and self.source in get_args(ReferenceSource)
            and len(self.embedding) > 0
            and bool((np.abs(self.embedding) <= MAX_EMBEDDING_VALUE).all())  # False for NaN
            and type(self.n_clips) is int  # not a bool
            and 0 < self.weight < 1
            and len(self.clips) in (0, self.n_clips)
            and all(isinstance(clip, str) for clip in self.clips)
            and len(self.emotions) in (0, self.n_clips)
            and all(emotion in ("", EVERYDAY, *EMOTIONS) for emotion in self.emotions)
            and all(0 <= measure < np.inf for measure in measures)
        )


def _number(value: object) -> float:
    """The value of a foreign JSON; a bool is no number there.

    Raises:
        TypeError: no number.
        OverflowError: too large an integer.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is not a number")
    return float(value)


def source_and_mood(kind: str) -> tuple[str, str]:
    """Of a Reference.kind: ("clips", "neutral") of "neutral clips"; without a mood the second is ""."""
    return ("clips", kind.removesuffix(" clips")) if kind.endswith(" clips") else (kind, "")


def reference_fields(reference: Reference | None) -> dict[str, Any]:
    """The fields of a Trajectory that describe the reference of its predictions."""
    return {"reference_clips": reference.n_clips, "reference_source": reference.kind} if reference else {}


def as_collection(reference: Reference) -> Reference:
    """The reference of clips of several speakers: how far they lie apart says nothing about a further one."""
    return replace(reference, source="collection", spread=None)


def enrolled_model(model: SERModel, reference: Reference) -> SERModel:
    """A copy of the model, sharing its weights, whose predictions are relative to a reference.

    For functions that take a model alone, such as attributions and their tests.

    Raises:
        SpeakerReferenceError: a reference of another model, or a model that takes none.
    """
    enrolled, calibration = copy.copy(model), model.calibration
    own = partial(model.classify, reference=reference.tensor_for(model), weight=reference.weight)
    relative = partial(_scaled, own, calibration.reference_gain**reference.weight)
    enrolled.classify = relative  # type: ignore[method-assign]  # of this copy alone
    enrolled.calibration = replace(calibration, min_confidence=calibration.threshold(True))
    return enrolled


def _scaled(classify: Callable[[Tensor], Tensor], factor: float, embedding: Tensor) -> Tensor:
    return factor * classify(embedding)


ReferenceChoice = Reference | Literal["recording"] | None


def check_takes_emotions(model: SERModel) -> None:
    """Checks that a model can use the emotions of reference clips.

    Raises:
        SpeakerReferenceError: it cannot.
    """
    if model.emotion_offsets is None:
        others = ", ".join(models_with_emotions()) or "none of the checkpoints"
        raise SpeakerReferenceError(
            f"{model.name} cannot use the emotions of reference clips: it has no {OFFSETS_FILE}. Make the reference "
            f"without emotions, or use a model that has it: {others}. A head on Whisper's encoder gets it by "
            "python -m scripts.fit_offsets."
        )


def check_reference(model: SERModel, reference: ReferenceChoice) -> None:
    """Checks that a model can use a reference, or its recordings as one.

    Raises:
        SpeakerReferenceError: the model takes none, or this is one of another model or damaged.
    """
    if isinstance(reference, Reference):
        reference.check(model)
    elif reference is not None:
        check_takes_reference(model)


def check_takes_reference(model: SERModel) -> None:
    """Checks that a model uses reference clips.

    Raises:
        SpeakerReferenceError: it does not; the message lists those that do.
        TypeError: no model.
    """
    check_model(model)
    if not model.takes_reference:
        others = ", ".join(models_with_reference()) or "none of the checkpoints"
        raise SpeakerReferenceError(f"{model.name} takes no reference clips; models that do: {others}.")

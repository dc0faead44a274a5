"""Files of this session and the predictions for them: kept until they are deleted."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from streamlit.typing import UploadedFile

from pages.many_files.together import Together
from pages.ui.model_picker import ensemble_members, get_model
from pages.ui.session import PageState, erase, session
from pages.ui.voice.personal import PersonalModel
from ser_core.audio import (
    FLOOR_DBFS,
    AudioError,
    SpeechSegments,
    power_to_dbfs,
    read_audio,
    speech_duration_s,
    speech_segments,
)
from ser_core.data import TABLE_SUFFIXES
from ser_core.evaluation import OwnHead
from ser_core.inference import (
    ENSEMBLE_NAME,
    Prediction,
    ensemble_disagreement,
    ensemble_prediction,
    predict,
    stack_probabilities,
)
from ser_core.interpret import embed_windows
from ser_core.models import FAST_MODEL, available_models, functionals_cache


@dataclass(frozen=True)
class BatchItem:
    """One file and the predictions for it."""

    name: str  # as the browser sent it: shown as plain text, never used as a path
    duration_s: float = 0.0
    speech_s: float = 0.0
    notes: tuple[str, ...] = ()
    problem: str = ""  # why it could not be read
    predictions: dict[str, Prediction] = field(default_factory=dict)  # by model, as it predicts for the person now
    kept: dict[PersonalModel, Prediction] = field(default_factory=dict)  # with each reference so far, and without
    level_db: float = FLOOR_DBFS  # RMS of all samples
    digest: str = ""  # of the samples
    embedding: np.ndarray | None = None  # in the space of space_model(), (embedding_dim,)

    def with_ensemble(self, models: Sequence[str]) -> dict[str, Prediction]:
        """By model; once all have run, also the ensemble prediction of those that may be averaged."""
        found = {name: self.predictions[name] for name in models if name in self.predictions}
        members = ensemble_members(models) if 1 < len(models) == len(found) else []
        if len(members) < 2:
            return found
        return found | {ENSEMBLE_NAME: ensemble_prediction([found[name] for name in members])}

    def disagreement(self, models: Sequence[str]) -> float | None:
        """Mean distance of the models from their mean, in [0, 1]; None until all have run."""
        if set(models) - self.predictions.keys():
            return None
        return round(ensemble_disagreement(stack_probabilities([self.predictions[name] for name in models])), 3)


@dataclass
class UploadState(PageState):
    """Files of this session with their results, both by file id.

    Files outlive their widgets, which are empty after a visit to another page.
    """

    uploaded: dict[str, UploadedFile] = field(default_factory=dict)
    results: dict[str, BatchItem] = field(default_factory=dict)
    in_widgets: set[str] = field(default_factory=set)
    round: int = 0  # how often the widgets were emptied: part of their keys
    running: bool = False
    together: Together = field(default_factory=Together)
    made_by: dict[str, PersonalModel] = field(default_factory=dict)  # by model: what the predictions are of
    words: dict[str, str] = field(default_factory=dict)  # word for an emotion -> the emotion
    identified: dict[str, str] = field(default_factory=dict)  # file id -> corpus recording with this sound, "": none
    current: str = ""  # id of the file that is played
    n_walks: int = 0  # how often the keys chose a row: part of the key of the table
    table: str = ""  # key of the table drawn last
    plays: bool = True  # by itself: the current file was chosen since the table is there
    head: OwnHead | None = None
    head_files: tuple[str, ...] = ()  # ids of the files that the head was trained on

    def contents(self) -> dict[str, int]:
        return {"files of Many files, with their results": len(self.uploaded)}

    def files(self) -> Iterable[UploadedFile]:
        return self.uploaded.values()


def upload_state() -> UploadState:
    return session().page(UploadState)


def together_key() -> str:
    """Of the switch for the files as the reference of each other."""
    return f"together-{upload_state().round}"


def results() -> dict[str, BatchItem]:
    """File id -> result, of this session."""
    return upload_state().results


def files() -> dict[str, UploadedFile]:
    """File id -> file, of this session: sounds and tables."""
    return upload_state().uploaded


def sound_files() -> list[UploadedFile]:
    return [file for file in files().values() if not is_table(file)]


def tables() -> dict[str, bytes]:
    """Name -> content of the tables with labels."""
    return {file.name: file.getvalue() for file in files().values() if is_table(file)}


def is_table(file: UploadedFile) -> bool:
    return PurePath(file.name).suffix.lower() in TABLE_SUFFIXES


def forget() -> None:
    """Drop the results and the files: new widgets are empty."""
    for file in files().values():
        erase(file)
    session().pages[UploadState] = UploadState(round=upload_state().round + 1)


def keep(uploaded: Sequence[UploadedFile], is_back: bool) -> None:
    """Take over what is new in the widgets; drop what was taken out of them, with its results.

    Args:
        is_back: from another page. The widgets are empty then, though nobody took anything out of them.
    """
    now = {file.file_id: file for file in uploaded}
    before = set() if is_back else upload_state().in_widgets
    for file_id in before - now.keys():
        files().pop(file_id, None)
        results().pop(file_id, None)
    if now.keys() - files().keys():
        upload_state().running = True  # new ones are analysed at once
    files().update(now)
    upload_state().in_widgets = set(now)


def unprocessed(files: Sequence[UploadedFile], models: Sequence[str]) -> list[UploadedFile]:
    """Files without a prediction of some of the models; unreadable files count as processed."""
    known = results()
    return [
        file
        for file in files
        if not (item := known.get(file.file_id)) or (not item.problem and set(models) - item.predictions.keys())
    ]


def space_model() -> str:
    """The model whose embeddings compare files: the fast one, which has an atlas of the corpora."""
    names = available_models()
    return FAST_MODEL if FAST_MODEL in names else names[0]


def model_now(name: str) -> PersonalModel:
    """A model with the reference that is switched on. Errors as Together.model."""
    return upload_state().together.model(name, sound_files())


def follow_reference(models: Sequence[str]) -> None:
    """Takes up the predictions with the reference that is switched on; what is missing is run at once.

    Raises:
        SpeakerReferenceError: a clip of the voice cannot be used.
        CheckpointError: a model cannot be used.
    """
    state = upload_state()
    now = {name: model_now(name) for name in models}
    changed = {name: model for name, model in now.items() if state.made_by.get(name, PersonalModel(name)) != model}
    for file_id, item in state.results.items() if changed else ():
        rest = {name: found for name, found in item.predictions.items() if name not in changed}
        known = {name: item.kept[model] for name, model in changed.items() if model in item.kept}
        state.results[file_id] = replace(item, predictions=rest | known)
    state.running = state.running or bool(changed)
    state.made_by |= now


def process_file(file: UploadedFile, models: Sequence[str]) -> None:
    """Run the models that have no prediction of the file yet; an unreadable file is kept with the error.

    Raises:
        CheckpointError: a model cannot be used.
    """
    item = results().get(file.file_id) or BatchItem(file.name)
    try:
        recording = read_audio(file)
        speech = speech_segments(recording.waveform)
        new = _predict_missing(item, models, recording.waveform, speech)
        if item.embedding is None:
            windows = embed_windows(get_model(space_model()), recording.waveform, speech)[1]
            item = replace(item, embedding=windows.mean(0), **_about_samples(recording.waveform))
    except AudioError as error:
        results()[file.file_id] = replace(item, problem=str(error))
        return
    results()[file.file_id] = replace(
        item,
        duration_s=recording.duration_s,
        speech_s=speech_duration_s(speech),
        notes=recording.notes,
        predictions=item.predictions | {model.name: found for model, found in new.items()},
        kept=item.kept | new,
    )


def _predict_missing(
    item: BatchItem, models: Sequence[str], waveform: np.ndarray, speech: SpeechSegments
) -> dict[PersonalModel, Prediction]:
    """Predictions of the models that have none of the file yet."""
    missing = [model_now(name) for name in models if name not in item.predictions]
    with functionals_cache():
        return {model: predict(model.adapted(), waveform, speech, model.reference) for model in missing}


def _about_samples(waveform: np.ndarray) -> dict:
    level_db = float(power_to_dbfs(np.mean(np.square(waveform, dtype=np.float64))))
    return {"level_db": level_db, "digest": hashlib.sha256(waveform.tobytes()).hexdigest()}

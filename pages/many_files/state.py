"""Batch of uploaded files: results are kept in this session until they are deleted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from streamlit.typing import UploadedFile

from pages.ui.export import prediction_label
from pages.ui.model_picker import ensemble_members, get_model
from pages.ui.session import PageState, erase, session
from ser_core.audio import AudioError, read_audio, speech_segments
from ser_core.data import Utterance, parse_filename
from ser_core.inference import (
    ENSEMBLE_NAME,
    NO_SPEECH,
    NOT_SURE,
    Prediction,
    ensemble_disagreement,
    ensemble_prediction,
    predict,
    stack_probabilities,
)
from ser_core.labels import EMOTIONS
from ser_core.metrics import confusion_matrix
from ser_core.models import functionals_cache

CERTAINTY_SUFFIX = ", certain"  # of the column with the confidence of a model


@dataclass(frozen=True)
class BatchItem:
    """One file and the predictions for it."""

    name: str  # as the browser sent it: shown as plain text, never used as a path
    duration_s: float = 0.0
    speech_s: float = 0.0
    notes: tuple[str, ...] = ()
    label: str | None = None  # the emotion in the name of a corpus recording
    problem: str = ""  # why it could not be read
    predictions: dict[str, Prediction] = field(default_factory=dict)  # by model

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

    def contents(self) -> dict[str, int]:
        return {"files of Many files, with their results": len(self.uploaded)}

    def files(self) -> Iterable[UploadedFile]:
        return self.uploaded.values()


def upload_state() -> UploadState:
    return session().page(UploadState)


def results() -> dict[str, BatchItem]:
    """File id -> result, of this session."""
    return upload_state().results


def files() -> dict[str, UploadedFile]:
    """File id -> file, of this session."""
    return upload_state().uploaded


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


def process_file(file: UploadedFile, models: Sequence[str]) -> None:
    """Run the models that have no prediction of the file yet; an unreadable file is kept with the error.

    Raises:
        CheckpointError: a model cannot be used.
    """
    item = results().get(file.file_id) or BatchItem(file.name, label=_label_in_name(file.name))
    try:
        file.seek(0)
        recording = read_audio(file)
        speech = speech_segments(recording.waveform)
        with functionals_cache():
            new = {n: predict(get_model(n), recording.waveform, speech) for n in models if n not in item.predictions}
    except AudioError as error:
        results()[file.file_id] = replace(item, problem=str(error))
        return
    results()[file.file_id] = replace(
        item,
        duration_s=recording.duration_s,
        speech_s=sum(end_s - start_s for start_s, end_s in speech),
        notes=recording.notes,
        predictions=item.predictions | new,
    )


def _label_in_name(name: str) -> str | None:
    utterance = parse_filename(PurePath(name))
    return utterance.emotion if isinstance(utterance, Utterance) else None


def table_row(item: BatchItem, models: Sequence[str], written: Callable[[str], str] = str) -> dict:
    """A row of the table and of the CSV; `written` formats an emotion."""
    found = item.with_ensemble(models)
    line: dict = {"file": item.name, "meant": written(item.label) if item.label else ""}
    if len(models) > 1:
        line["disagreement"] = item.disagreement(models)
    for name in [ENSEMBLE_NAME, *models] if len(models) > 1 else models:
        line[name], line[name + CERTAINTY_SUFFIX] = _prediction_cells(found.get(name), written)
    return line | {"seconds": round(item.duration_s, 2), "speech s": round(item.speech_s, 2)}


def _prediction_cells(prediction: Prediction | None, written: Callable[[str], str]) -> tuple[str | None, float | None]:
    """Prediction and confidence; None for a model that was not run."""
    if prediction is None:
        return None, None
    text, closest = prediction_label(prediction), written(prediction.emotion)
    if text == NO_SPEECH:
        return text, None
    return f"{text} ({closest})" if text == NOT_SURE else closest, round(prediction.confidence, 3)


def confusions(items: Sequence[BatchItem], models: Sequence[str]) -> dict[str, np.ndarray]:
    """By model, and of the ensemble, over the files with a known label.

    Returns:
        Counts, each of shape (n_emotions, n_emotions): row label, column prediction. None without such files.
    """
    known = [(h.label, h.with_ensemble(models)) for h in items if h.label]
    pairs = {
        name: [(EMOTIONS.index(label), EMOTIONS.index(found[name].emotion)) for label, found in known if name in found]
        for name in (*models, ENSEMBLE_NAME)
    }
    return {
        name: confusion_matrix(*np.array(predicted).T, len(EMOTIONS)) for name, predicted in pairs.items() if predicted
    }

"""Many files at once: what was heard in each is kept in this session, one file after the other, until it is deleted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from streamlit.typing import UploadedFile

from pages.ui.export import said
from pages.ui.model_picker import model
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


@dataclass(frozen=True)
class Heard:
    """One file and what the models say of it."""

    name: str  # as the browser sent it: shown as plain text, never used as a path
    duration_s: float = 0.0
    speech_s: float = 0.0
    notes: tuple[str, ...] = ()
    meant: str | None = None  # the emotion in the name of a corpus recording
    problem: str = ""  # why it could not be read
    predictions: dict[str, Prediction] = field(default_factory=dict)  # by model

    def answers(self, models: Sequence[str]) -> dict[str, Prediction]:
        """By model, those that were asked; of several, when all were, also what they say together."""
        found = {name: self.predictions[name] for name in models if name in self.predictions}
        complete = 1 < len(models) == len(found)
        return found | {ENSEMBLE_NAME: ensemble_prediction(list(found.values()))} if complete else found

    def disagreement(self, models: Sequence[str]) -> float | None:
        """How far the models are from their mean, in [0, 1]; None until all were asked."""
        if set(models) - self.predictions.keys():
            return None
        return round(ensemble_disagreement(stack_probabilities([self.predictions[name] for name in models])), 3)


@dataclass
class UploadState(PageState):
    """Files of this session with their results, both by file id.

    Files outlive their widgets, which are empty after a visit to another page.
    """

    uploaded: dict[str, UploadedFile] = field(default_factory=dict)
    results: dict[str, Heard] = field(default_factory=dict)
    in_widgets: set[str] = field(default_factory=set)
    round: int = 0  # how often the widgets were emptied: part of their keys
    running: bool = False

    def contents(self) -> dict[str, int]:
        return {"files of Upload & compare, with their results": len(self.uploaded)}

    def files(self) -> Iterable[UploadedFile]:
        return self.uploaded.values()


def upload_state() -> UploadState:
    return session().page(UploadState)


def results() -> dict[str, Heard]:
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


def missing(files: Sequence[UploadedFile], models: Sequence[str]) -> list[UploadedFile]:
    """Files that some of the models have not heard yet; those that cannot be read are done."""
    known = results()
    return [
        file
        for file in files
        if not (heard := known.get(file.file_id)) or (not heard.problem and set(models) - heard.predictions.keys())
    ]


def hear(file: UploadedFile, models: Sequence[str]) -> None:
    """Ask the models that have not been asked yet; a file that cannot be read is kept with the reason.

    Raises:
        CheckpointError: a model cannot be used.
    """
    heard = results().get(file.file_id) or Heard(file.name, meant=_meant(file.name))
    try:
        file.seek(0)
        recording = read_audio(file)
        speech = speech_segments(recording.waveform)
        with functionals_cache():
            new = {n: predict(model(n), recording.waveform, speech) for n in models if n not in heard.predictions}
    except AudioError as error:
        results()[file.file_id] = replace(heard, problem=str(error))
        return
    results()[file.file_id] = replace(
        heard,
        duration_s=recording.duration_s,
        speech_s=sum(end_s - start_s for start_s, end_s in speech),
        notes=recording.notes,
        predictions=heard.predictions | new,
    )


def _meant(name: str) -> str | None:
    utterance = parse_filename(PurePath(name))
    return utterance.emotion if isinstance(utterance, Utterance) else None


def row(heard: Heard, models: Sequence[str], written: Callable[[str], str] = str) -> dict:
    """A line of the table and of the CSV; `written` says how an emotion is."""
    found = heard.answers(models)
    line: dict = {"file": heard.name, "meant": written(heard.meant) if heard.meant else ""}
    if len(models) > 1:
        line["disagreement"] = heard.disagreement(models)
    for name in [ENSEMBLE_NAME, *models] if len(models) > 1 else models:
        line[name], line[f"{name}, certain"] = _answer(found.get(name), written)
    return line | {"seconds": round(heard.duration_s, 2), "speech s": round(heard.speech_s, 2)}


def _answer(prediction: Prediction | None, written: Callable[[str], str]) -> tuple[str | None, float | None]:
    """What a model says, and how sure it is; neither of one that was not asked."""
    if prediction is None:
        return None, None
    answer, closest = said(prediction), written(prediction.emotion)
    if answer == NO_SPEECH:
        return answer, None
    return f"{answer} ({closest})" if answer == NOT_SURE else closest, round(prediction.confidence, 3)


def confusions(heard: Sequence[Heard], models: Sequence[str]) -> dict[str, np.ndarray]:
    """By model that was asked, and of all together, over the files whose emotion is known.

    Returns:
        Counts, each of shape (n_emotions, n_emotions): row meant, column answered. None without such files.
    """
    known = [(h.meant, h.answers(models)) for h in heard if h.meant]
    pairs = {
        name: [(EMOTIONS.index(meant), EMOTIONS.index(found[name].emotion)) for meant, found in known if name in found]
        for name in (*models, ENSEMBLE_NAME)
    }
    return {
        name: confusion_matrix(*np.array(answered).T, len(EMOTIONS)) for name, answered in pairs.items() if answered
    }

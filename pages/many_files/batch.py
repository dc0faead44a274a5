"""The files that could be read, with their labels and the part of a corpus they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

from pages.many_files import state
from pages.many_files.state import BatchItem
from pages.ui.model_picker import clip_parts, get_model
from pages.ui.session import session
from pages.ui.text import counted
from ser_core.data import FileLabel, FileLabels, label_files
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction
from ser_core.interpret import Atlas, AtlasError, load_atlas, nearest_neighbours
from ser_core.labels import EMOTIONS
from ser_core.metrics import confusion_matrix

SAME_RECORDING = 0.999  # cosine of two embeddings: no two takes of the corpora come near it
ALIKE = 0.98  # is enough where the next recording is much farther: windows may be cut elsewhere
MAX_RATIO = 0.25  # of the distances to the nearest and to the next recording, for that
UNSEEN, OWN, DEVELOPMENT, TRAINING = "unseen speakers", "your own", "development", "training"
PARTS = (UNSEEN, OWN, DEVELOPMENT, TRAINING)


@dataclass(frozen=True)
class BatchRow:
    """One readable file."""

    file_id: str
    item: BatchItem
    label: FileLabel | None  # None: without a label
    utterance_id: str  # of the corpus recording that it is, "" for another one

    @property
    def has_speech(self) -> bool:
        return self.item.speech_s >= MIN_SPEECH_TO_PREDICT_S


@dataclass(frozen=True)
class Batch:
    """All files of the session, as far as they are analysed."""

    models: list[str]
    rows: list[BatchRow]
    labels: FileLabels
    unreadable: list[BatchItem]
    possible: tuple[str, ...] = EMOTIONS  # among which the models choose

    @cached_property
    def labelled(self) -> list[BatchRow]:
        """Those with a label that is possible: of copies with the same one, so that no recording counts twice."""
        found: dict[tuple[str, str], BatchRow] = {}
        for row in self.rows:
            if row.label and row.label.emotion in self.possible:
                found.setdefault((row.item.digest, row.label.emotion), row)
        return [*found.values()]

    @cached_property
    def has_labels(self) -> bool:
        """Whether any file has a label, possible or not."""
        return any(row.label and row.label.emotion for row in self.rows)

    @property
    def impossible_note(self) -> str:
        """Files with the label of an emotion among which the models do not choose, as a sentence; "" without any."""
        labels = [row.label.emotion for row in self.rows if row.label and row.label.emotion]
        n_files = sum(label not in self.possible for label in labels)
        about = "with the label of an emotion that cannot occur, by the choice in Models: left out of all scores."
        return f"{counted(n_files, 'file')} {about}" if n_files else ""

    @property
    def n_copies(self) -> int:
        """Files with the samples of another one."""
        return len(self.rows) - len({row.item.digest for row in self.rows})

    @cached_property
    def has_corpus_recordings(self) -> bool:
        return any(row.utterance_id for row in self.rows)

    def by_doubt(self) -> list[BatchRow]:
        """The most doubtful first: where models disagree, then where the first one is least confident; silence last."""
        return sorted(self.rows, key=self._certainty)

    def _certainty(self, row: BatchRow) -> tuple:
        disagreement = row.item.disagreement(self.models) if len(self.models) > 1 else None
        first = row.item.predictions.get(self.models[0])
        return not row.has_speech, -(disagreement or 0.0), first.confidence if first else 0.0

    def part(self, row: BatchRow, model: str) -> str:
        """Which part of the corpora of this model a file is from."""
        if not row.utterance_id:
            return OWN
        train, dev, _ = clip_parts(model)
        return TRAINING if row.utterance_id in train else DEVELOPMENT if row.utterance_id in dev else UNSEEN


def read_batch(models: Sequence[str]) -> Batch:
    """The batch as it is now."""
    known, files = state.results(), state.sound_files()
    labels = label_files([file.name for file in files], state.tables(), state.upload_state().words)
    items = {file.file_id: known[file.file_id] for file in files if file.file_id in known}
    readable = {i: item for i, item in items.items() if not item.problem}
    identified = _identify(readable, labels)
    rows = [BatchRow(i, item, labels.labels.get(item.name), identified[i]) for i, item in readable.items()]
    unreadable = [item for item in items.values() if item.problem]
    return Batch(list(models), rows, labels, unreadable, session().possible_emotions)


def predictions_of(rows: Sequence[BatchRow], model: str) -> list[tuple[BatchRow, Prediction]]:
    """Rows that a model has run on."""
    return [(row, row.item.predictions[model]) for row in rows if model in row.item.predictions]


def confusion(rows: Sequence[BatchRow], model: str) -> np.ndarray:
    """Counts of the labelled rows with speech, shape = (n_emotions, n_emotions): row label, column prediction."""
    pairs = [
        (EMOTIONS.index(row.label.emotion), EMOTIONS.index(prediction.emotion))
        for row, prediction in predictions_of(rows, model)
        if row.has_speech and row.label and row.label.emotion
    ]
    return confusion_matrix(*np.array(pairs, int).reshape(-1, 2).T, len(EMOTIONS))


def _identify(items: dict[str, BatchItem], labels: FileLabels) -> dict[str, str]:
    """File id -> corpus recording: by its name, otherwise by its sound; "" where it is none."""
    known = state.upload_state().identified
    for file_id, item in items.items():
        label = labels.labels.get(item.name)
        if label and label.utterance_id:
            known[file_id] = label.utterance_id
    unknown = [i for i in items if i not in known and items[i].embedding is not None]
    found = _same_sound([items[i].embedding for i in unknown]) if unknown else []
    known.update(zip(unknown, found, strict=True))
    return {i: known.get(i, "") for i in items}


def _same_sound(embeddings: list[np.ndarray]) -> list[str]:
    atlas = _atlas(state.space_model(), get_model(state.space_model()).version)
    if atlas is None:
        return [""] * len(embeddings)
    reference, own = _unit(atlas.embeddings), _unit(np.stack(embeddings))
    nearest = nearest_neighbours(reference, own, 2).index
    first, second = (1 - (reference[nearest[:, k]] * own).sum(1) for k in (0, 1))
    same = (first < 1 - SAME_RECORDING) | ((first < 1 - ALIKE) & (first < MAX_RATIO * second))
    return [str(atlas.ids[row]) if found else "" for row, found in zip(nearest[:, 0], same, strict=True)]


def _unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


@st.cache_resource(max_entries=2, show_spinner="Reading the embeddings")
def _atlas(name: str, version: str) -> Atlas | None:
    try:
        return load_atlas(name, version)
    except AtlasError:  # files are then known by their names only
        return None

"""Predictions as a table: one row per file, with the fields of `Prediction` as columns.

An unreadable file has a row too, with its name and the reason only, so that no file is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from ser_core.audio import LINK_TO_PARENT, AudioError, Recording, read_audio
from ser_core.inference.archive.store import fetch_files, is_address
from ser_core.inference.prediction.predict import predict_batch
from ser_core.inference.reference import Reference
from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError, SERModel, limit_emotions, load_model

MAX_GROUP_S = 600.0  # seconds of audio in memory at once, whatever the lengths of the files

_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    bool: pa.bool_(),
    int: pa.int64(),
    float | None: pa.float64(),
    str | None: pa.string(),
}
_SCALAR_COLUMNS = [(field.name, _ARROW_TYPES[field.type]) for field in fields(Prediction) if field.type in _ARROW_TYPES]

PREDICTION_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        *_SCALAR_COLUMNS,
        *((emotion, pa.float64()) for emotion in EMOTIONS),
        ("notes", pa.list_(pa.string())),
    ]
)
"""Columns of the results: the file, the fields of `Prediction`, a probability for each emotion that can occur (null for
others), and notes."""

BATCH_TABLE_SCHEMA = PREDICTION_SCHEMA.append(pa.field("error", pa.string()))
"""The same with unreadable files, which have only `file` and `error`."""


def predict_files(
    folder: str,
    files: Sequence[str],
    model: str,
    version: str,
    references: Sequence[Reference | None] = (),
    emotions: Sequence[str] = EMOTIONS,
) -> pa.Table:
    """Decodes and predicts files; runs in any process, on any machine that can read the folder.

    Args:
        folder: root of the file names; a folder, or an address in an object store.
        files: names relative to it.
        model: name or folder of the checkpoint.
        version: required of the checkpoint, so that one table holds one version only.
        references: of the speaker of each file, or none at all.
        emotions: that can occur, see limit_emotions.

    Returns:
        One row per file, in the order of `files`, with BATCH_TABLE_SCHEMA.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another version here.
        ObjectStoreError: the object store does not answer.
    """
    torch.set_num_threads(1)  # every core has its own process
    loaded = limit_emotions(cached_model(model, version), emotions)
    rows = _predict_rows(loaded, folder, files, references or [None] * len(files))
    return pa.Table.from_pylist(list(rows), schema=BATCH_TABLE_SCHEMA)


def cached_model(name: str, version: str) -> SERModel:
    """The model of this process.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another version here.
    """
    loaded = _load_once(name)
    if loaded.version != version:
        raise CheckpointError(
            f"{loaded.name} has version {loaded.version} on one machine and {version} on another. "
            "Put the same checkpoint on all of them."
        )
    return loaded


@lru_cache(maxsize=1)
def _load_once(name: str) -> SERModel:
    return load_model(name)


def _predict_rows(
    model: SERModel, folder: str, files: Sequence[str], references: Sequence[Reference | None]
) -> Iterator[dict]:
    """Rows in the order of the files, predicted in groups of recordings, each of one reference."""
    group: list[tuple[str, Recording | str]] = []
    read = read_files(folder, files)
    for name, recording, reference, following in zip(files, read, references, [*references[1:], None], strict=True):
        group.append((name, recording))
        long = sum(r.duration_s for _, r in group if isinstance(r, Recording)) >= MAX_GROUP_S
        if long or following is not reference:
            yield from _predict_group(model, group, reference)
            group = []
    yield from _predict_group(model, group, references[-1] if references else None)


def read_files(folder: str, files: Sequence[str]) -> Iterator[Recording | str]:
    """The recordings, in a folder or an object store, in order; or the reason why one cannot be read.

    Raises:
        ObjectStoreError: the object store does not answer.
    """
    contents = fetch_files(folder, files) if is_address(folder) else (Path(folder) / name for name in files)
    return (_read_or_error(content) for content in contents)


def _read_or_error(file: Path | bytes | AudioError) -> Recording | str:
    if isinstance(file, Path) and file.is_symlink() and file.is_dir():
        return f"This is {LINK_TO_PARENT}; the files there are read once, without it."
    if isinstance(file, AudioError):
        return str(file)
    try:
        return read_audio(file)
    except AudioError as error:
        return str(error)
    except Exception as error:  # one file must not end a job of thousands
        return f"This file cannot be read ({type(error).__name__}: {error!s:.200}). Export it again, as 16-bit WAV."


def _predict_group(
    model: SERModel, group: Sequence[tuple[str, Recording | str]], reference: Reference | None
) -> Iterator[dict]:
    recordings = [recording for _, recording in group if isinstance(recording, Recording)]
    waveforms = [recording.waveform for recording in recordings]
    predictions = iter(predict_batch(model, waveforms, reference=reference))
    for name, recording in group:
        shown = printable_name(name)
        if isinstance(recording, str):
            yield {"file": shown, "error": recording}
        else:
            yield prediction_row(shown, next(predictions), recording.notes)


def prediction_row(file: str, prediction: Prediction, notes: Sequence[str]) -> dict:
    """The row of PREDICTION_SCHEMA for one file."""
    plain = {name: getattr(prediction, name) for name, _ in _SCALAR_COLUMNS}
    probabilities = {emotion: prediction.probabilities[emotion] for emotion in prediction.possible_emotions}
    return {"file": file} | plain | probabilities | {"notes": list(notes)}


def printable_name(name: str) -> str:
    """A file name as valid text: bytes that are not UTF-8 become \\udc80 and the like."""
    return name.encode("utf-8", "backslashreplace").decode()

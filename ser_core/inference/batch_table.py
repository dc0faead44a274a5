"""Many recordings as the rows of a table: one row a file, its columns those of `Prediction`.

A file that cannot be heard has a row too, with nothing but its name and the reason, so that none is ever lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from ser_core.audio import AudioError, Recording, read_audio
from ser_core.inference.prediction import predict_batch
from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError, SERModel, load_model

MAX_GROUP_S = 600.0  # seconds of sound that wait together for the model: bounds the memory, whatever the files hold

_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    bool: pa.bool_(),
    float | None: pa.float64(),
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
"""Columns of the results: the file, what `Prediction` holds, a probability of each emotion, and what was left out."""

BATCH_TABLE_SCHEMA = PREDICTION_SCHEMA.append(pa.field("error", pa.string()))
"""The same for all files, also those that could not be heard: these have only `file` and `error`."""


def predict_files(folder: str, files: Sequence[str], model: str, version: str) -> pa.Table:
    """Decode, find speech and ask the model; runs in any process and on any machine that sees the folder.

    Args:
        folder: that the names are relative to.
        files: names of files.
        model: name or folder of the checkpoint.
        version: that it must have, so that no two versions answer in one table.

    Returns:
        One row a file, in the order of `files`; its schema is ROWS.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another version here.
    """
    torch.set_num_threads(1)  # every core has its own process
    loaded = _cached_model(model)
    if loaded.version != version:
        raise CheckpointError(
            f"{loaded.name} has version {loaded.version} on one machine and {version} on another. "
            "Put the same checkpoint on all of them."
        )
    return pa.Table.from_pylist(list(_predict_rows(loaded, Path(folder), files)), schema=BATCH_TABLE_SCHEMA)


@lru_cache(maxsize=1)
def _cached_model(name: str) -> SERModel:
    return load_model(name)


def _predict_rows(model: SERModel, folder: Path, files: Sequence[str]) -> Iterator[dict]:
    """In the order of the files; recordings wait until a group of them is large enough."""
    group: list[tuple[str, Recording | str]] = []
    for name in files:
        group.append((name, _read_or_error(folder / name)))
        if sum(r.duration_s for _, r in group if isinstance(r, Recording)) >= MAX_GROUP_S:
            yield from _predict_group(model, group)
            group = []
    yield from _predict_group(model, group)


def _read_or_error(path: Path) -> Recording | str:
    """The recording, or why there is none."""
    try:
        return read_audio(path)
    except AudioError as error:
        return str(error)
    except Exception as error:  # one file of thousands must not end the work on the others
        return f"This file cannot be heard ({type(error).__name__}: {error!s:.200}). Export it again, as 16-bit WAV."


def _predict_group(model: SERModel, group: Sequence[tuple[str, Recording | str]]) -> Iterator[dict]:
    recordings = [recording for _, recording in group if isinstance(recording, Recording)]
    waveforms = [recording.waveform for recording in recordings]
    predictions = iter(predict_batch(model, waveforms))
    for name, recording in group:
        shown = printable_name(name)
        if isinstance(recording, str):
            yield {"file": shown, "error": recording}
        else:
            yield prediction_row(shown, next(predictions), recording.notes)


def prediction_row(file: str, prediction: Prediction, notes: Sequence[str] = ()) -> dict:
    """The columns of ANSWERS for one file."""
    plain = {name: getattr(prediction, name) for name, _ in _SCALAR_COLUMNS}
    return {"file": file} | plain | prediction.probabilities | {"notes": list(notes)}


def printable_name(name: str) -> str:
    """A file name as text that every table can hold: bytes that are no UTF-8 become \\udc80 and the like."""
    return name.encode("utf-8", "backslashreplace").decode()

"""Batches in which a worker process died: read file by file, so that the file that ended it is named and left out.

The list is kept beside the parts of the job. A file that ended a worker alone gets a reason instead of a prediction.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from ser_core import paths
from ser_core.inference.archive.batch_table import BATCH_TABLE_SCHEMA, printable_name

SUSPECTS_FILE = "suspects.json"
LETHAL_REASON = "This file ended the process that read it: it needs too much memory, or breaks a library. Left out."
WORKER_ERRORS = (BrokenExecutor, MemoryError)


@dataclass
class Suspects:
    """Batches to be read file by file, and the files that ended a worker."""

    batches: list[int] = field(default_factory=list)
    lethal: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, parts: Path) -> "Suspects":
        """The list of a job; empty if none was written."""
        path = parts / SUSPECTS_FILE
        return cls(**json.loads(path.read_text())) if path.is_file() else cls()

    def save(self, parts: Path) -> None:
        """Writes the list beside the parts."""
        paths.write_text(parts / SUSPECTS_FILE, json.dumps(asdict(self)))

    def add(self, batches: Iterable[int]) -> None:
        """Batches that were running when a worker died."""
        self.batches = sorted({*self.batches, *batches})


def predict_one_by_one(submit: Callable[[Sequence[str]], Future], files: Iterable[str], suspects: Suspects) -> pa.Table:
    """The table of a batch, each file in a task of its own while nothing else runs.

    Args:
        submit: starts the task that predicts files.
        files: of the batch.
        suspects: a file that ends a worker is added.

    Raises:
        BrokenExecutor, MemoryError: a worker died; the file is in `suspects.lethal`.
    """
    tables = []
    for name in files:
        if name in suspects.lethal:
            row = {"file": printable_name(name), "error": LETHAL_REASON}
            tables.append(pa.Table.from_pylist([row], schema=BATCH_TABLE_SCHEMA))
            continue
        try:
            tables.append(submit([name]).result())
        except WORKER_ERRORS:
            suspects.lethal.append(name)
            raise
    return pa.concat_tables(tables)

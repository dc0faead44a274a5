"""Thousands of recordings in one go, with a state on the disk that any interruption leaves usable.

RESULTS.parts/ holds plan.jsonl (the names of all files, fixed at the start), job.json (what is asked of them, and how
many names make a batch) and one NUMBER.parquet for each batch that is done. A file appears there under its name only
when it is whole, so whatever is missing has to be done and nothing is done twice. At the end the parts become RESULTS
in the order of the plan: the table that a run without interruptions writes, row for row.
"""

import csv
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_core import paths
from ser_core.inference.batch_table import BATCH_TABLE_SCHEMA, PREDICTION_SCHEMA, predict_files

MAX_FILES_PER_BATCH = 64  # files: what an interruption costs each process
BATCHES_PER_WORKER = 4  # at least, where there are so many files, so that all are busy until the end
PLAN_FILE, JOB_FILE = "plan.jsonl", "job.json"


class BatchError(ValueError):
    """The work cannot begin or go on; the message names the cause and the cure."""


@dataclass(frozen=True)
class BatchJob:
    """What is asked of which files."""

    folder: str
    model: str  # name or folder of the checkpoint
    version: str
    n_files: int
    batch_size: int

    @property
    def n_batches(self) -> int:
        return -(-self.n_files // self.batch_size)


@dataclass(frozen=True)
class BatchProgress:
    """What a batch has brought."""

    n_files: int
    n_bad: int
    audio_s: float
    from_earlier_run: bool  # in a run before this one


def parts_folder(out: Path) -> Path:
    """Where the state of an unfinished job is kept."""
    return out.with_name(f"{out.name}.parts")


def bad_files_path(out: Path) -> Path:
    """Where the files that could not be heard are listed, with the reason."""
    return out.with_suffix(".bad_files.csv")


@contextmanager
def exclusive_lock(out: Path) -> Iterator[None]:
    """Nobody else works on these results meanwhile; however this process ends, the next one may.

    Raises:
        ArchiveError: somebody does.
    """
    parts = parts_folder(out)
    parts.mkdir(parents=True, exist_ok=True)
    with ExitStack() as at_the_end:
        handle = os.open(parts, os.O_RDONLY)
        at_the_end.callback(os.close, handle)
        _lock(handle, out)
        at_the_end.callback(_remove_empty, parts)
        yield


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BatchError(f"{out} is being made by another process. Wait, or name another file with --out.") from None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def open_job(folder: Path, model: str, version: str, out: Path, n_workers: int) -> BatchJob:
    """Fixes which files are heard, or finds the job that was begun before.

    Args:
        folder: all files below it are heard, whatever their names, but for those that begin with a dot.
        model: name or folder of the checkpoint.
        version: of the checkpoint.
        out: the table that will be written.
        n_workers: how many batches may run at once.

    Raises:
        ArchiveError: no such folder, no file in it, a folder in it that cannot be listed, results that are there
            already, or the parts of another job.
    """
    if not folder.is_dir():
        raise BatchError(f"There is no folder {str(folder)!r}. Check the path.")
    parts = parts_folder(out)
    if (parts / JOB_FILE).is_file():
        return _load_job(parts, str(folder.resolve()), version)
    if out.exists():
        raise BatchError(f"{out} is there already. Delete it, or name another file with --out.")
    parts.mkdir(parents=True, exist_ok=True)
    for part in parts.glob("*.parquet"):
        part.unlink()  # of a job that ended before all of them were taken away
    n_files = _write_plan(folder, parts, out)
    if not n_files:
        raise BatchError(f"There are no files in {folder}.")
    batch_size = max(1, min(MAX_FILES_PER_BATCH, n_files // (BATCHES_PER_WORKER * n_workers)))
    job = BatchJob(str(folder.resolve()), model, version, n_files, batch_size)
    with paths.atomic_path(parts / JOB_FILE) as path:
        path.write_text(json.dumps(asdict(job), indent=1) + "\n")
    return job


def _load_job(parts: Path, folder: str, version: str) -> BatchJob:
    try:
        job = BatchJob(**json.loads((parts / JOB_FILE).read_text()))
    except (ValueError, TypeError):
        raise BatchError(f"{parts / JOB_FILE} is damaged. Delete the folder {parts} and begin anew.") from None
    if (job.folder, job.version) != (folder, version):
        raise BatchError(
            f"{parts} belongs to another job: {job.model} (version {job.version}) on {job.folder}. "
            "Finish that one, delete the folder, or name another file with --out."
        )
    return job


def _write_plan(folder: Path, parts: Path, out: Path) -> int:
    """Names of all files, one JSON string a line; returns how many. Never more than a folder's names in memory."""
    own = {os.path.realpath(path) for path in (parts, out, bad_files_path(out))}
    n_files = 0
    with (parts / PLAN_FILE).open("w") as plan:
        for where, folders, files in os.walk(folder, onerror=_raise_unlistable):
            folders[:] = sorted(f for f in folders if _is_included(where, f, own))
            for name in sorted(f for f in files if _is_included(where, f, own)):
                plan.write(json.dumps(Path(where, name).relative_to(folder).as_posix()) + "\n")
                n_files += 1
    return n_files


def _is_included(where: str, name: str, own: set[str]) -> bool:
    return not name.startswith(".") and os.path.realpath(os.path.join(where, name)) not in own


def _raise_unlistable(error: OSError) -> None:
    """A folder that is left out would look as if it were empty."""
    raise BatchError(f"{error.filename} cannot be listed: {error.strerror}. Make it readable, or move it away.")


def run_job(job: BatchJob, out: Path, executor: Executor, n_workers: int) -> Iterator[BatchProgress]:
    """Hears what has not been heard yet; only whoever asks for the next batch keeps it going.

    Args:
        executor: runs hear_files, at most 2 * n_workers batches at once.

    Yields:
        What each batch has brought, first those of an earlier run, in any order.

    Raises:
        ArchiveError: a process has ended unexpectedly.
        CheckpointError: a worker cannot use the checkpoint.
    """
    parts = parts_folder(out)
    running: dict[Future, int] = {}
    for number, files in _batches(job, parts):
        if (path := _part_path(parts, number)).is_file():
            yield _batch_progress(pq.read_table(path, columns=["error", "duration_s"]), from_earlier_run=True)
            continue
        running[executor.submit(predict_files, job.folder, files, job.model, job.version)] = number
        if len(running) >= 2 * n_workers:
            yield from _collect_finished(running, parts)
    while running:
        yield from _collect_finished(running, parts)


def _batches(job: BatchJob, parts: Path) -> Iterator[tuple[int, list[str]]]:
    with (parts / PLAN_FILE).open() as plan:
        for number in range(job.n_batches):
            yield number, [json.loads(line) for line in islice(plan, job.batch_size)]


def _collect_finished(running: dict[Future, int], parts: Path) -> Iterator[BatchProgress]:
    """Waits for a batch or more, and keeps them."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        number = running.pop(future)
        try:
            rows = future.result()
        except (BrokenExecutor, MemoryError):
            raise BatchError(
                "A process ended in the middle of its work: out of memory, or a file that breaks the decoder. "
                "What was heard is kept: start the same command again, with fewer --workers."
            ) from None
        with paths.atomic_path(_part_path(parts, number)) as path:
            pq.write_table(rows, path)
        yield _batch_progress(rows, from_earlier_run=False)


def _batch_progress(rows: pa.Table, from_earlier_run: bool) -> BatchProgress:
    n_bad = len(rows) - rows["error"].null_count
    return BatchProgress(len(rows), n_bad, pc.sum(rows["duration_s"]).as_py() or 0.0, from_earlier_run)


def finish_job(job: BatchJob, out: Path) -> int:
    """Makes the results of all parts, and takes the parts away.

    Returns:
        How many files could not be heard; they are in bad_files(out).

    Raises:
        ArchiveError: a part is missing.
    """
    parts = parts_folder(out)
    missing = [n for n in range(job.n_batches) if not _part_path(parts, n).is_file()]
    if missing:
        raise BatchError(f"{len(missing)} of {job.n_batches} batches are missing: start the same command again.")
    with paths.atomic_path(bad_files_path(out)) as path:
        n_bad = _write_bad_files(job, parts, path)
    with paths.atomic_path(out) as path:
        _write_predictions(job, parts, path)
    (parts / JOB_FILE).unlink()  # from here on the job is done, even if the rest of the folder stays
    shutil.rmtree(parts, ignore_errors=True)
    return n_bad


def _write_bad_files(job: BatchJob, parts: Path, path: Path) -> int:
    n_bad = 0
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "reason"])
        for rows in _read_parts(job, parts):
            bad = rows.filter(pc.is_valid(rows["error"]))
            table.writerows(zip(bad["file"].to_pylist(), bad["error"].to_pylist(), strict=True))
            n_bad += len(bad)
    return n_bad


def _write_predictions(job: BatchJob, parts: Path, path: Path) -> None:
    with pq.ParquetWriter(path, PREDICTION_SCHEMA) as table:
        for rows in _read_parts(job, parts):
            table.write_table(rows.filter(pc.is_null(rows["error"])).select(PREDICTION_SCHEMA.names))


def _read_parts(job: BatchJob, parts: Path) -> Iterator[pa.Table]:
    return (pq.read_table(_part_path(parts, number), schema=BATCH_TABLE_SCHEMA) for number in range(job.n_batches))


def _part_path(parts: Path, number: int) -> Path:
    return parts / f"{number:06d}.parquet"

"""Predictions for thousands of recordings, with a state on disk that is valid after any interruption.

RESULTS.parts/ holds plan.jsonl (the names of all files, fixed at the start), job.json (model, version and batch size)
and one NUMBER.parquet for each finished batch. A file gets its name there only when it is complete: missing batches are
run, and no batch is run twice. suspects.json lists the batches in which a worker died, which are read file by file. At
the end the parts become RESULTS in the order of the plan: the table of a run without interruptions, row for row.
"""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_core import paths
from ser_core.audio import LINK_TO_PARENT, walk_files
from ser_core.inference.archive.batch_table import BATCH_TABLE_SCHEMA, PREDICTION_SCHEMA, predict_files
from ser_core.inference.archive.speakers import draw_clips, enrol_files, speaker_function
from ser_core.inference.archive.suspects import WORKER_ERRORS, Suspects, predict_one_by_one
from ser_core.inference.reference import Reference
from ser_core.inference.writers import guard_formula

MAX_FILES_PER_BATCH = 64  # at most these are lost per process by an interruption
BATCHES_PER_WORKER = 4  # at least, if there are enough files: keeps all workers busy until the end
PLAN_FILE, JOB_FILE, REFERENCES_FILE = "plan.jsonl", "job.json", "references.json"


class BatchError(ValueError):
    """A job that cannot start or continue; the message names the cause and the cure."""


class WorkerDied(BatchError):
    """A worker process ended unexpectedly. The job continues with a new executor, and finds the file that ended it."""


@dataclass(frozen=True)
class BatchJob:
    """The files of a job and the model that predicts them."""

    folder: str
    model: str  # name or folder of the checkpoint
    version: str
    n_files: int
    batch_size: int
    speakers: str = ""  # "folders" or the path of a table: who speaks in which file; "": without enrolment

    @property
    def n_batches(self) -> int:
        return -(-self.n_files // self.batch_size)


@dataclass(frozen=True)
class BatchProgress:
    """The counts of one finished batch."""

    n_files: int
    n_bad: int
    audio_s: float
    from_earlier_run: bool


def parts_folder(out: Path) -> Path:
    """The folder with the state of an unfinished job."""
    return out.with_name(f"{out.name}.parts")


def bad_files_path(out: Path) -> Path:
    """The list of unreadable files, with the reason for each."""
    return out.with_suffix(".bad_files.csv")


@contextmanager
def exclusive_lock(out: Path) -> Iterator[None]:
    """A lock on the results, released however this process ends.

    Raises:
        BatchError: another process holds it.
    """
    parts = parts_folder(out)
    parts.mkdir(parents=True, exist_ok=True)
    with ExitStack() as at_the_end:
        try:
            at_the_end.enter_context(paths.only_writer(parts))
        except BlockingIOError:
            raise BatchError(
                f"{out} is being made by another process. Wait, or name another file with --out."
            ) from None
        at_the_end.callback(_remove_empty, parts)
        yield


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def open_job(folder: Path, model: str, version: str, out: Path, n_workers: int, speakers: str = "") -> BatchJob:
    """Writes the plan of a new job, or reads that of an interrupted one.

    Args:
        folder: all files below it, whatever their extension, except names that begin with a dot; linked folders too,
            each once.
        model: name or folder of the checkpoint.
        version: of the checkpoint.
        out: path of the results table.
        n_workers: how many batches may run at once.
        speakers: see speaker_function; the files of a speaker become the reference for all of them.

    Raises:
        SpeakerTableError: the table of speakers cannot be used.
        BatchError: a folder that does not exist, is empty or cannot be listed, existing results, or the parts of
            another job.
    """
    if not folder.is_dir():
        raise BatchError(f"There is no folder {str(folder)!r}. Check the path.")
    if speakers:
        speaker_function(speakers)
    parts = parts_folder(out)
    if (parts / JOB_FILE).is_file():
        return _load_job(parts, str(folder.resolve()), version, speakers)
    if out.exists():
        raise BatchError(f"{out} already exists. Delete it, or name another file with --out.")
    parts.mkdir(parents=True, exist_ok=True)
    for part in parts.glob("*.parquet"):
        part.unlink()  # of a job interrupted while it deleted them
    n_files = _write_plan(folder, parts, out)
    if not n_files:
        raise BatchError(f"There are no files in {folder}.")
    batch_size = max(1, min(MAX_FILES_PER_BATCH, n_files // (BATCHES_PER_WORKER * n_workers)))
    (parts / REFERENCES_FILE).unlink(missing_ok=True)
    job = BatchJob(str(folder.resolve()), model, version, n_files, batch_size, speakers)
    with paths.atomic_path(parts / JOB_FILE) as path:
        path.write_text(json.dumps(asdict(job), indent=1) + "\n")
    return job


def _load_job(parts: Path, folder: str, version: str, speakers: str) -> BatchJob:
    try:
        job = BatchJob(**json.loads((parts / JOB_FILE).read_text()))
    except (ValueError, TypeError):
        raise BatchError(f"{parts / JOB_FILE} is damaged. Delete the folder {parts} and start again.") from None
    if (job.folder, job.version, job.speakers) != (folder, version, speakers):
        raise BatchError(
            f"{parts} belongs to another job: {job.model} (version {job.version}) on {job.folder}"
            f"{f', speakers by {job.speakers}' if job.speakers else ''}. "
            "Finish that one, delete the folder, or name another file with --out."
        )
    return job


def _write_plan(folder: Path, parts: Path, out: Path) -> int:
    """Writes the names of all files, one JSON string per line; returns their number. One folder in memory at a time."""
    own = {os.path.realpath(path) for path in (parts, out, bad_files_path(out))}
    loops: list[Path] = []  # in the plan, so that they are among the files that could not be read

    def on_link(link: Path, reason: str) -> None:
        loops.extend([link] if reason == LINK_TO_PARENT else [])

    files = walk_files(folder, lambda where, name: _is_included(where, name, own), on_link, _raise_unlistable)
    n_files = 0
    with (parts / PLAN_FILE).open("w") as plan:
        for path in chain(files, loops):
            n_files += 1
            plan.write(json.dumps(path.relative_to(folder).as_posix()) + "\n")
    return n_files


def _is_included(where: str, name: str, own: set[str]) -> bool:
    return not name.startswith(".") and os.path.realpath(os.path.join(where, name)) not in own


def _raise_unlistable(error: OSError) -> None:
    """Without an error, an unreadable folder would look empty."""
    raise BatchError(f"{error.filename} cannot be listed: {error.strerror}. Make it readable, or move it away.")


def enrol_speakers(job: BatchJob, out: Path, executor: Executor) -> int:
    """Makes the references of all speakers, unless an earlier run did; returns their number.

    Args:
        executor: runs enrol_files.

    Raises:
        BatchError: a process ended unexpectedly.
        CheckpointError: a worker cannot use the checkpoint.
        SpeakerTableError: the table of speakers cannot be used.
    """
    path = parts_folder(out) / REFERENCES_FILE
    if not path.is_file():
        clips = draw_clips(lambda: _read_plan(parts_folder(out)), speaker_function(job.speakers))
        running = {s: executor.submit(enrol_files, job.folder, c, job.model, job.version) for s, c in clips.items()}
        found = {speaker: _result(future) for speaker, future in running.items()}
        values = {speaker: reference.to_dict() for speaker, reference in found.items() if reference}
        with paths.atomic_path(path) as unfinished:
            unfinished.write_text(json.dumps(values))
    return len(_read_references(job, parts_folder(out)))


def _read_references(job: BatchJob, parts: Path) -> dict[str, Reference]:
    """Speaker -> reference; empty without enrolment."""
    if not job.speakers:
        return {}
    return {s: Reference.from_dict(values) for s, values in json.loads((parts / REFERENCES_FILE).read_text()).items()}


def _read_plan(parts: Path) -> Iterator[str]:
    with (parts / PLAN_FILE).open() as plan:
        for line in plan:
            yield json.loads(line)


def run_job(job: BatchJob, out: Path, executor: Executor, n_workers: int) -> Iterator[BatchProgress]:
    """Predicts the remaining files; a lazy iterator, which submits batches as it is consumed.

    A job with speakers needs enrol_speakers before.

    Args:
        executor: runs predict_files, at most 2 * n_workers batches at once.

    Yields:
        The counts of each batch, in any order; those of an earlier run too.

    Raises:
        WorkerDied: a process ended unexpectedly; call again, with a new executor.
        CheckpointError: a worker cannot use the checkpoint.
    """
    parts = parts_folder(out)
    references = _read_references(job, parts)
    speaker_of = speaker_function(job.speakers) if job.speakers else str

    def submit(files: Sequence[str]) -> Future:
        own = [references.get(speaker_of(file)) for file in files]
        return executor.submit(predict_files, job.folder, files, job.model, job.version, own)

    suspects, running = Suspects.load(parts), {}
    try:
        yield from _run_suspects(job, parts, submit, suspects)
        for number, files in _batches(job, parts):
            if number in suspects.batches:
                continue
            if (path := _part_path(parts, number)).is_file():
                yield _batch_progress(pq.read_table(path, columns=["error", "duration_s"]), from_earlier_run=True)
                continue
            running[submit(files)] = number
            if len(running) >= 2 * n_workers:
                yield from _collect_finished(running, parts)
        while running:
            yield from _collect_finished(running, parts)
    except WORKER_ERRORS:
        suspects.add(running.values())
        suspects.save(parts)
        raise WorkerDied(
            "A process ended in the middle of its work: out of memory, or a file that breaks the decoder. Finished "
            "batches are kept: start the same command again, with fewer --workers if it happens with many files."
        ) from None


def _run_suspects(
    job: BatchJob, parts: Path, submit: Callable[[Sequence[str]], Future], suspects: Suspects
) -> Iterator[BatchProgress]:
    """Predicts the batches in which a worker died, file by file."""
    for number, files in _batches(job, parts):
        if number not in suspects.batches:
            continue
        from_earlier_run = (path := _part_path(parts, number)).is_file()
        rows = pq.read_table(path) if from_earlier_run else predict_one_by_one(submit, files, suspects)
        if not from_earlier_run:
            _write_part(rows, path)
        yield _batch_progress(rows, from_earlier_run)


def _batches(job: BatchJob, parts: Path) -> Iterator[tuple[int, list[str]]]:
    with (parts / PLAN_FILE).open() as plan:
        for number in range(job.n_batches):
            yield number, [json.loads(line) for line in islice(plan, job.batch_size)]


def _collect_finished(running: dict[Future, int], parts: Path) -> Iterator[BatchProgress]:
    """Waits for at least one batch, and stores the finished ones."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        rows = future.result()
        _write_part(rows, _part_path(parts, running.pop(future)))
        yield _batch_progress(rows, from_earlier_run=False)


def _write_part(rows: pa.Table, path: Path) -> None:
    with paths.atomic_path(path) as temporary:
        pq.write_table(rows, temporary)


def _result(future: Future) -> Any:
    try:
        return future.result()
    except WORKER_ERRORS:
        raise BatchError(
            "A process ended in the middle of its work: out of memory, or a file that breaks the decoder. "
            "Finished batches are kept: start the same command again, with fewer --workers."
        ) from None


def _batch_progress(rows: pa.Table, from_earlier_run: bool) -> BatchProgress:
    n_bad = len(rows) - rows["error"].null_count
    return BatchProgress(len(rows), n_bad, pc.sum(rows["duration_s"]).as_py() or 0.0, from_earlier_run)


def finish_job(job: BatchJob, out: Path) -> int:
    """Merges all parts into the results, and deletes the parts.

    Returns:
        The number of unreadable files; they are listed in bad_files_path(out).

    Raises:
        BatchError: a part is missing.
    """
    parts = parts_folder(out)
    missing = [n for n in range(job.n_batches) if not _part_path(parts, n).is_file()]
    if missing:
        raise BatchError(f"{len(missing)} of {job.n_batches} batches are missing: start the same command again.")
    with paths.atomic_path(bad_files_path(out)) as path:
        n_bad = _write_bad_files(job, parts, path)
    with paths.atomic_path(out) as path:
        _write_predictions(job, parts, path)
    (parts / JOB_FILE).unlink()  # the job is done from here on, even if the folder remains
    shutil.rmtree(parts, ignore_errors=True)
    return n_bad


def _write_bad_files(job: BatchJob, parts: Path, path: Path) -> int:
    n_bad = 0
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "reason"])
        for rows in _read_parts(job, parts):
            bad = rows.filter(pc.is_valid(rows["error"]))
            names, reasons = (map(guard_formula, bad[column].to_pylist()) for column in ("file", "error"))
            table.writerows(zip(names, reasons, strict=True))
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

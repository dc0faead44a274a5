"""Predictions for thousands of recordings: a job is run batch by batch, and no batch is run twice.

suspects.json, beside the finished batches, lists those in which a worker died, which are read file by file.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_core import paths
from ser_core.inference.archive.batch_table import predict_files
from ser_core.inference.archive.job import (
    REFERENCES_FILE,
    BatchError,
    BatchJob,
    finished_batches,
    part_path,
    parts_folder,
)
from ser_core.inference.archive.plan import read_batches, read_plan
from ser_core.inference.archive.speakers import draw_clips, enrol_files, speaker_function
from ser_core.inference.archive.suspects import WORKER_ERRORS, Suspects, predict_one_by_one
from ser_core.inference.reference import TOGETHER, Reference, as_collection

WORKER_DIED_MESSAGE = (
    "A process ended in the middle of its work: out of memory, or a file that breaks the decoder. Finished batches are "
    "kept: start the same command again, with fewer --workers if it happens with many files."
)


class WorkerDied(BatchError):
    """A worker process ended unexpectedly. The job continues with a new executor, and finds the file that ended it."""


@dataclass(frozen=True)
class BatchProgress:
    """The counts of one finished batch, or the number of files that an earlier run finished."""

    n_files: int
    n_bad: int
    audio_s: float
    from_earlier_run: bool


def enrol_speakers(job: BatchJob, out: Path, executor: Executor) -> dict[str, Reference]:
    """Makes the references of all speakers, unless an earlier run did; returns them by speaker.

    Args:
        executor: runs enrol_files.

    Raises:
        BatchError: a process ended unexpectedly.
        CheckpointError: a worker cannot use the checkpoint.
        SpeakerTableError: the table of speakers cannot be used.
    """
    path = parts_folder(out) / REFERENCES_FILE
    if not path.is_file():
        clips = draw_clips(lambda: read_plan(parts_folder(out)), speaker_function(job.speakers, job.table_sha256))
        own = (job.model, job.version, job.reference_emotion)
        running = {s: executor.submit(enrol_files, job.folder, c, *own) for s, c in clips.items()}
        found = {speaker: _result(future) for speaker, future in running.items()}
        describe = as_collection if job.speakers == TOGETHER else lambda reference: reference
        values = {speaker: describe(reference).to_dict() for speaker, reference in found.items() if reference}
        paths.write_text(path, json.dumps(values))
    return _read_references(job, parts_folder(out))


def _read_references(job: BatchJob, parts: Path) -> dict[str, Reference]:
    """Speaker -> reference; empty without enrolment."""
    if not job.speakers:
        return {}
    return {s: Reference.from_dict(values) for s, values in json.loads((parts / REFERENCES_FILE).read_text()).items()}


def run_job(job: BatchJob, out: Path, executor: Executor, n_workers: int) -> Iterator[BatchProgress]:
    """Predicts the remaining files; a lazy iterator, which submits batches as it is consumed.

    A job with speakers needs enrol_speakers before.

    Args:
        executor: runs predict_files, at most 2 * n_workers batches at once.

    Yields:
        The number of files that an earlier run finished, from the names of its batches alone; then the counts of each
        batch, in any order.

    Raises:
        WorkerDied: a process ended unexpectedly; call again, with a new executor.
        CheckpointError: a worker cannot use the checkpoint.
    """
    parts = parts_folder(out)
    done, suspects = finished_batches(parts), Suspects.load(parts)
    if done:
        yield BatchProgress(sum(map(job.n_files_in, done)), 0, 0.0, from_earlier_run=True)
    apart, others = _remaining(job, done, suspects)
    submit = _submission(job, parts, executor)
    running: dict[Future, int] = {}
    try:
        for number, files in read_batches(parts, apart, job.batch_size):
            yield _store(predict_one_by_one(submit, files, suspects), part_path(parts, number))
        for number, files in read_batches(parts, others, job.batch_size):
            running[submit(files)] = number
            if len(running) >= 2 * n_workers:
                yield from _collect_finished(running, parts)
        while running:
            yield from _collect_finished(running, parts)
    except WORKER_ERRORS:
        suspects.add(running.values())
        suspects.save(parts)
        raise WorkerDied(WORKER_DIED_MESSAGE) from None


def _remaining(job: BatchJob, done: set[int], suspects: Suspects) -> tuple[list[int], list[int]]:
    """Numbers of the batches in which a worker died, and of the others that are not done."""
    apart = [number for number in suspects.batches if number not in done]
    return apart, [number for number in range(job.n_batches) if number not in done.union(apart)]


def _submission(job: BatchJob, parts: Path, executor: Executor) -> Callable[[Sequence[str]], Future]:
    """A function that submits files to the executor, each with the reference of its speaker."""
    emotions = job.emotions.split(",")
    references = _read_references(job, parts)
    speaker_of = speaker_function(job.speakers, job.table_sha256) if job.speakers else str

    def submit(files: Sequence[str]) -> Future:
        own = [references.get(speaker_of(file)) for file in files]
        return executor.submit(predict_files, job.folder, files, job.model, job.version, own, emotions)

    return submit


def _collect_finished(running: dict[Future, int], parts: Path) -> Iterator[BatchProgress]:
    """Waits for at least one batch, and stores the finished ones."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        rows = future.result()
        yield _store(rows, part_path(parts, running.pop(future)))


def _store(rows: pa.Table, path: Path) -> BatchProgress:
    with paths.atomic_path(path) as temporary:
        pq.write_table(rows, temporary)
    n_bad = len(rows) - rows["error"].null_count
    return BatchProgress(len(rows), n_bad, pc.sum(rows["duration_s"]).as_py() or 0.0, from_earlier_run=False)


def _result(future: Future) -> Any:
    try:
        return future.result()
    except WORKER_ERRORS:
        raise BatchError(WORKER_DIED_MESSAGE) from None

"""The results of a finished batch job: one table in the order of the plan, and the list of unreadable files."""

import csv
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_core import paths
from ser_core.inference.archive.batch_table import BATCH_TABLE_SCHEMA, PREDICTION_SCHEMA
from ser_core.inference.archive.job import (
    JOB_FILE,
    BatchError,
    BatchJob,
    bad_files_path,
    finished_batches,
    part_path,
    parts_folder,
)
from ser_core.inference.writers import guard_formula

ROWS_IN_MEMORY = 50_000  # written at once; a row group for each batch would make the table slow to open


def finish_job(job: BatchJob, out: Path) -> int:
    """Merges all parts into the results, and deletes the parts.

    Returns:
        The number of unreadable files; they are listed in bad_files_path(out).

    Raises:
        BatchError: a part is missing.
    """
    parts = parts_folder(out)
    if n_missing := job.n_batches - len(finished_batches(parts)):
        raise BatchError(f"{n_missing} of {job.n_batches} batches are missing: start the same command again.")
    with paths.atomic_path(bad_files_path(out)) as reasons, paths.atomic_path(out) as table:
        n_bad = _write_results(_read_rows(job, parts), table, reasons)
    (parts / JOB_FILE).unlink()  # the job is done from here on, even if the folder remains
    shutil.rmtree(parts, ignore_errors=True)
    return n_bad


def _write_results(all_rows: Iterable[pa.Table], table_path: Path, reasons_path: Path) -> int:
    n_bad = 0
    with pq.ParquetWriter(table_path, PREDICTION_SCHEMA) as table, reasons_path.open("w", newline="") as file:
        reasons = csv.writer(file, lineterminator="\n")
        reasons.writerow(["file", "reason"])
        for rows in all_rows:
            is_good = pc.is_null(rows["error"])
            table.write_table(rows.filter(is_good).select(PREDICTION_SCHEMA.names))
            n_bad += _write_reasons(rows.filter(pc.invert(is_good)), reasons)
    return n_bad


def _write_reasons(bad: pa.Table, table) -> int:
    names, reasons = (map(guard_formula, bad[column].to_pylist()) for column in ("file", "error"))
    table.writerows(zip(names, reasons, strict=True))
    return len(bad)


def _read_rows(job: BatchJob, parts: Path) -> Iterator[pa.Table]:
    """The rows of all batches in order, ROWS_IN_MEMORY or a few more at once."""
    batches_at_once = -(-ROWS_IN_MEMORY // job.batch_size)
    for first in range(0, job.n_batches, batches_at_once):
        numbers = range(first, min(first + batches_at_once, job.n_batches))
        yield pa.concat_tables(pq.read_table(part_path(parts, n), schema=BATCH_TABLE_SCHEMA) for n in numbers)

"""What an archive costs, by the number of its files, with the fast model and with none."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from scripts.bench.benchmark.speed import speech
from scripts.bench.scaling.costs import alone, measured, print_row, run_command
from ser_core.audio import encode_wav
from ser_core.inference import finish_job, open_job, predict_files, run_job
from ser_core.models import FAST_MODEL, load_model

FILES = (10, 100, 1_000, 10_000)
NAMES = (1_000, 10_000, 100_000, 1_000_000)
LINKS_OF_ONE = 10_000  # a file system allows some ten thousand
DONE = 0.99  # of the batches, when a job is interrupted


def make_files(folder: Path, n_files: int) -> Path:
    """A folder with so many files of 3 s, nearly all of them hard links."""
    folder.mkdir()
    for i in range(n_files):
        path = folder / f"{i:07d}.wav"
        if i % LINKS_OF_ONE == 0:
            path.write_bytes(encode_wav(speech(3.0)))
            copy = path
        else:
            os.link(copy, path)
    return folder


def file_costs() -> list[dict]:
    """A row for each number of files: `scripts.predict_archive` with two processes."""
    rows = []
    for n_files in FILES:
        with tempfile.TemporaryDirectory() as folder:
            files = make_files(Path(folder) / "files", n_files)
            options = ("--workers", "2", "--out", f"{folder}/results.parquet")
            all_s, all_mb = run_command(sys.executable, "-m", "scripts.predict_archive", str(files), *options)
            rows.append(print_row({"files": n_files, "all_s": all_s, "largest_process_mb": all_mb}))
    return rows


def name_costs(most: int) -> list[dict]:
    """A row for each number of files up to `most`."""
    return [alone(name_cost, n_files) for n_files in NAMES if n_files <= most]


class EmptyModel:
    """An executor whose answers are copies of one row; it stops after so many batches."""

    def __init__(self, row: pa.Table, n_batches: int):
        self.row, self.n_left = row, n_batches

    def submit(self, predict: Callable, folder: str, files: list[str], *_) -> Future:
        """The rows at once."""
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        future: Future = Future()
        future.set_result(self.row.take([0] * len(files)).set_column(0, "file", pa.array(files)))
        return future


def name_cost(n_files: int) -> dict:
    """The plan, an interrupted run, a restart up to its first batch, the rest, and the results."""
    row, model = {"files": n_files}, load_model(FAST_MODEL, "cpu")
    folder = Path(tempfile.mkdtemp())
    files, out = make_files(folder / "files", n_files), folder / "results.parquet"
    answer = predict_files(str(files), ["0000000.wav"], FAST_MODEL, model.version)
    with measured(row, "plan"):
        job = open_job(files, FAST_MODEL, model.version, out, 1)
    for name, n_batches in (("run", int(DONE * job.n_batches)), ("restart", 0), ("rest", job.n_batches)):
        with measured(row, name), suppress(KeyboardInterrupt):
            job = open_job(files, FAST_MODEL, model.version, out, 1)
            for _ in run_job(job, out, EmptyModel(answer, n_batches), 1):
                pass
    with measured(row, "results"):
        finish_job(job, out)
    shutil.rmtree(folder)
    return row

"""How many workers an archive can use: simulated from the times of tasks and of their coordination measured here."""

import heapq
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scripts.bench.scaling.archive import make_files, name_cost
from scripts.bench.scaling.costs import print_row
from ser_core.inference import dask_executor, predict_files
from ser_core.models import FAST_MODEL, load_model

WORKERS = (1, 2, 4, 8, 16, 32, 64)
BATCH, N_BATCHES = 64, 15_625  # files of a batch; batches of a million files
N_MEASURED, N_EMPTY, N_NAMES = 12, 100, 10_000
LINK_BYTES_PER_S = 1e9 / 8  # of the folder or store that all workers read
SLOW = 10  # times


@dataclass(frozen=True)
class Work:
    """What a batch of an archive costs, in seconds."""

    task_s: Sequence[float]  # measured; the batches take these in turn
    read_s: float  # of the network, which one worker uses at a time
    coordination_s: float  # of the process that submits and stores, one batch after the other
    n_batches: int = N_BATCHES


def worker_costs() -> list[dict]:
    """A row for each number of workers, for wav files of 3 s and for those of a tenth of the bytes."""
    work = measured_work()
    task_s = float(np.mean(work.task_s))
    full = {"workers that fill the network": 1 + task_s / work.read_s}
    print_row({"task_s": task_s, "read_s": work.read_s, "coordination_s": work.coordination_s} | full)
    small = replace(work, read_s=work.read_s / 10)
    return [print_row(worker_cost(n, work, small)) for n in WORKERS]


def worker_cost(n_workers: int, work: Work, small: Work) -> dict:
    """Speed-up over one worker, and how long the others wait at the end for one that is ten times slower."""
    return {
        "workers": n_workers,
        "wav_speedup": simulate(work, [1.0])[0] / simulate(work, [1.0] * n_workers)[0],
        "small_speedup": simulate(small, [1.0])[0] / simulate(small, [1.0] * n_workers)[0],
        "slow_batch_s": SLOW * max(work.task_s) + work.read_s,
        "idle_at_end_s": simulate(work, [SLOW, *[1.0] * (n_workers - 1)])[1],
    }


def simulate(work: Work, slowness: Sequence[float]) -> tuple[float, float]:
    """Seconds until all batches are stored, and from the first worker without work to the last one.

    Args:
        slowness: of each worker, times the measured seconds.
    """
    ready = deque([0.0] * min(2 * len(slowness), work.n_batches))  # batches are submitted at these seconds
    n_submitted, network_s, coordinator_s, ends = len(ready), 0.0, 0.0, []
    events = [(0.0, worker) for worker in range(len(slowness))]
    for n in range(work.n_batches + len(slowness)):
        now_s, worker = heapq.heappop(events)
        if n >= len(slowness):  # a batch is done: it is stored, and another one submitted
            coordinator_s = max(coordinator_s, now_s) + work.coordination_s
            if n_submitted < work.n_batches:
                ready.append(coordinator_s)
                n_submitted += 1
        if not ready:
            ends.append(now_s)
            continue
        network_s = max(network_s, now_s, ready.popleft()) + work.read_s
        task_s = slowness[worker] * work.task_s[n % len(work.task_s)]
        heapq.heappush(events, (network_s + task_s, worker))
    return max(coordinator_s, *ends), max(ends) - min(ends)


def measured_work() -> Work:
    """Processor time of batches by Dask workers, of their bookkeeping and of Dask's; bytes over the assumed network."""
    version = load_model(FAST_MODEL, "cpu").version
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder) / "files", BATCH)
        names, size = sorted(path.name for path in files.iterdir()), next(files.iterdir()).stat().st_size
        for n_workers in (1, 2):
            task_s, dask_s = _dask_times(n_workers, str(files), names, FAST_MODEL, version)
            print_row({"dask workers": n_workers, "task_s": statistics.median(task_s), "dask_s": dask_s})
    row = name_cost(N_NAMES)
    store_s = (row["run_s"] + row["rest_s"] + row["results_s"]) / (N_NAMES / BATCH)
    return Work(task_s, BATCH * size / LINK_BYTES_PER_S, store_s + dask_s)


def _dask_times(n_workers: int, folder: str, names: list[str], *model: str) -> tuple[list[float], float]:
    """Processor time of each of N_MEASURED batches, and that of scheduler and client for a task without work."""
    with dask_executor("local", n_workers) as (executor, _):

        def submit(n_tasks: int, n_files: int) -> list[float]:
            work = (_processor_s, predict_files, folder, names[:n_files], *model)
            return [future.result() for future in [executor.submit(*work) for _ in range(n_tasks)]]

        submit(4 * n_workers, 1)  # the models are loaded
        task_s = submit(N_MEASURED, BATCH)
        dask_s = _processor_s(lambda: [executor.submit(list, names).result() for _ in range(N_EMPTY)])
    return task_s, dask_s / N_EMPTY


def _processor_s(step: Callable, *arguments) -> float:
    started = time.process_time()
    step(*arguments)
    return time.process_time() - started

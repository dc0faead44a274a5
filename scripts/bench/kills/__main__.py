"""Kills at random moments: is anything lost that was finished?

python -m scripts.bench.kills [--kills 200] [--seed 18] [--json FILE]

Training, an archive, an export of embeddings and a download, all small and made here, are killed (SIGKILL) at random
moments and started again until they are done. Exit code 1: a start was refused, a result is not that of a run without
a kill, byte for byte, or a start had less finished work than the one before.
"""

import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from scripts.bench.kills.slow_server import served
from scripts.bench.kills.tasks import TASKS, Task, prepare, run
from scripts.common.bars import tqdm
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.metrics import round_floats

MAX_STARTS = 60  # of one run: then it makes no progress


def start(task: Task, base: Path, folder: Path) -> multiprocessing.Process:
    """A process that does the task, or goes on with it, in a folder."""
    folder.mkdir(exist_ok=True)
    process = CONTEXT.Process(target=run, args=(task.name, base, folder))
    process.start()
    return process


def run_killed(
    task: Task, base: Path, folder: Path, duration_s: float, rng: random.Random, most: int
) -> tuple[int, str]:
    """One run to its end.

    Args:
        duration_s: of a run without kills.
        most: kills.

    Returns:
        The number of kills, and the failure or "".
    """
    done = 0
    for n_kills in range(MAX_STARTS):
        process = start(task, base, folder)
        process.join(rng.uniform(0, duration_s) if n_kills < most else 20 * duration_s)
        if process.exitcode is not None:
            return n_kills, f"exit code {process.exitcode}" if process.exitcode else ""
        process.kill()
        process.join()
        before, done = done, task.progress(folder)
        if done < before:
            return n_kills + 1, f"finished work fell from {before} to {done}"
        if n_kills == most:
            return n_kills, "did not end"
    return MAX_STARTS, "never finished"


def kill_task(task: Task, base: Path, n_kills: int, rng: random.Random) -> dict:
    """The figures of one task."""
    began = time.perf_counter()
    process = start(task, base, base / f"{task.name}-intact")
    process.join()
    duration_s, intact = time.perf_counter() - began, task.result(base / f"{task.name}-intact")
    killed, runs, failures = 0, 0, Counter()
    with tqdm(total=n_kills, desc=task.name, unit="kill") as bar:
        while killed < n_kills:
            folder, began = base / f"{task.name}-{runs}", time.perf_counter()
            n, failure = run_killed(task, base, folder, duration_s, rng, n_kills - killed)
            if not failure and task.result(folder) != intact:
                failure = "another result"
            failures.update([failure] if failure else [])
            if not n:  # the machine was busier before
                duration_s = min(duration_s, time.perf_counter() - began)
            killed, runs = killed + n, runs + 1
            bar.update(n)
    return {"kills": killed, "finished_runs": runs, "seconds_without_kills": duration_s, "failures": dict(failures)}


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of all tasks together")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--only", choices=TASKS, action="append", help="these tasks")
    parser.add_argument("--keep", type=Path, help="an empty folder for the runs and their logs")
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    names, rng = options.only or list(TASKS), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        base = options.keep or Path(temporary)
        prepare(base)
        with served(base):
            figures = {name: kill_task(TASKS[name], base, -(-options.kills // len(names)), rng) for name in names}
    print(json.dumps(round_floats(figures), indent=1))
    if options.json:
        paths.write_json(options.json, round_floats(figures))
    return 1 if any(task["failures"] for task in figures.values()) else 0


CONTEXT = multiprocessing.get_context("forkserver")  # each start is a copy of a process that has imported everything
CONTEXT.set_forkserver_preload(["scripts.bench.kills.tasks"])

if __name__ == "__main__":
    sys.exit(main())

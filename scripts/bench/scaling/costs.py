"""Processor time and memory of a step, in a process that does nothing else."""

import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.server import peak_bytes, resident_bytes
from ser_core import paths


def print_row(row: dict) -> dict:
    """The row again, after printing it."""
    print(json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in row.items()}), flush=True)
    return row


def alone(step: Callable[..., dict], *arguments) -> dict:
    """What a function returns, from a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return print_row(pool.apply(step, arguments))


@contextmanager
def measured(row: dict, name: str) -> Iterator[None]:
    """Adds the seconds of the processor that a block takes, and the peak of memory above that before, to a row."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    before, started = resident_bytes(os.getpid()), time.process_time()
    yield
    row[f"{name}_s"] = time.process_time() - started
    row[f"{name}_mb"] = max(0, peak_bytes(os.getpid()) - before) / 1e6


def run_command(*command: str) -> tuple[float, float]:
    """Seconds of the processor that a command and its processes take, and the memory of the largest of these, in MB."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=paths.ROOT, **quiet)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6

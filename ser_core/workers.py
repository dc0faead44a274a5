"""Who does the work of an archive: processes of this machine, or a Dask cluster of several."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

LOCAL = "local"
TIMEOUT_S = 10.0  # for a scheduler to answer, and for it to have a worker
HOW_TO_INSTALL = "Dask is not installed. Install it with: pip install -r requirements-archive.txt"


class ClusterError(ValueError):
    """There is no cluster to work on; the message names the cause and the cure."""


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(n_workers: int) -> Iterator[Executor]:
    """Processes of this machine. What has not begun at the end is dropped."""
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    pool = ProcessPoolExecutor(n_workers, context, initializer=_serve)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _serve() -> None:
    """Ctrl-C is for the parent alone, and nobody works on for a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


@contextmanager
def dask(scheduler: str, n_workers: int, timeout_s: float = TIMEOUT_S) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask cluster; the work of one that is lost is done by the others.

    Args:
        scheduler: address such as tcp://host:8786; "local" starts a cluster of n_workers on this machine.
        timeout_s: for the scheduler to answer, in seconds.

    Yields:
        The executor, and how many tasks it can run at once.

    Raises:
        ClusterError: Dask is not installed, no scheduler answers at the address, or it has no worker.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError(HOW_TO_INSTALL) from None
    if scheduler == LOCAL:
        with (
            LocalCluster(n_workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield client.get_executor(pure=False), n_workers
        return
    try:
        client = Client(scheduler, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {scheduler} ({error!s:.120}). "
            "Start one there with `dask scheduler`, or check the address."
        ) from None
    with client:
        yield client.get_executor(pure=False), _n_threads(client, scheduler, timeout_s)


def _n_threads(client, scheduler: str, timeout_s: float) -> int:
    try:
        client.wait_for_workers(1, timeout=timeout_s)
    except TimeoutError:
        raise ClusterError(
            f"The scheduler at {scheduler} has no workers. Start some with `dask worker {scheduler}`, in the folder of "
            "this program and with its Python."
        ) from None
    return sum(client.nthreads().values())

"""Executors of a batch job: processes on this machine, or a Dask cluster of several machines."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import forkserver
from typing import Final, Literal

FORKSERVER: Final = "forkserver"
START_METHOD: Literal["forkserver", "spawn"] = FORKSERVER if sys.platform == "linux" else "spawn"
"""Of workers. What torch loads on macOS bears no fork, not even of a process that has computed nothing."""
WORKER_MODULE = "ser_core.inference.archive.batch_table"  # with torch: a second, once for all workers
ARROW_THREAD = ("JE_ARROW_MALLOC_CONF", "background_thread:false")  # of its allocator; a fork would copy its locks
LOCAL_CLUSTER = "local"
DASK_COMMAND = "python -m dask"  # with -m, workers import this program from the folder they are started in
CLUSTER_TIMEOUT_S = 10.0  # for a scheduler to respond, and for its first worker
DASK_INSTALL_HINT = "Dask is not installed. Install it with: pip install -r requirements-archive.txt"


class ClusterError(ValueError):
    """A cluster that cannot be used; the message names the cause and the cure."""


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_processes() -> None:
    """Imports what workers need in a process that they are forked from, while the caller does something else."""
    if START_METHOD == FORKSERVER:
        os.environ.setdefault(*ARROW_THREAD)  # before the process that is forked loads it
        forkserver.set_forkserver_preload([WORKER_MODULE])
        with _without_interrupts():
            forkserver.ensure_running()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started here ignore Ctrl-C from their first moment: it is for the parent."""
    if threading.current_thread() is not threading.main_thread():  # only that one can change it
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def process_executor(n_workers: int) -> Iterator[Executor]:
    """Processes on this machine. Tasks not started when the block ends are cancelled."""
    start_processes()
    context = multiprocessing.get_context(START_METHOD)  # no fork of this process, which would copy torch's locks
    if START_METHOD == FORKSERVER:  # wait for its imports: workers of a pool interrupted before would miss its locks
        multiprocessing.get_context(FORKSERVER).Process(target=_init_worker, daemon=True).start()
    pool = ProcessPoolExecutor(n_workers, context, initializer=_init_worker)
    with _without_interrupts():  # which processes that are not forked inherit
        pool.submit(os.getpid)  # starts them
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _init_worker() -> None:
    """Leaves Ctrl-C to the parent process, and ends the worker with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


@contextmanager
def dask_executor(
    scheduler: str, n_workers: int, timeout_s: float = CLUSTER_TIMEOUT_S
) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask cluster; tasks of a lost worker are run by the others.

    Args:
        scheduler: address such as tcp://host:8786, or tls:// with the certificates of Dask's configuration; "local"
            starts a cluster of n_workers on this machine.
        timeout_s: for the scheduler to respond, in seconds.

    Yields:
        The executor, and the number of tasks it can run at once.

    Raises:
        ClusterError: Dask is not installed, no scheduler responds at the address, or it has no worker.
    """
    try:
        from distributed import LocalCluster
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise ClusterError(DASK_INSTALL_HINT) from None
    with ExitStack() as stack:
        if scheduler == LOCAL_CLUSTER:
            cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
            scheduler = stack.enter_context(cluster).scheduler_address
        client = stack.enter_context(_connect_client(scheduler, timeout_s))
        n_tasks = _count_threads(client, scheduler, timeout_s)
        try:
            yield client.get_executor(pure=False), n_tasks
        except (KilledWorker, CommClosedError, FutureCancelledError, CancelledError) as error:
            raise ClusterError(
                f"The work was lost with the cluster ({_describe_error(error)}). Finished batches are kept: "
                "repair the cluster, then start the same command again."
            ) from None


def _connect_client(scheduler: str, timeout_s: float):
    from distributed import Client, Security
    from distributed.comm import connect

    async def greet():  # a Client would wait for ever for a server that accepts but never responds
        certificates = Security().get_connection_args("client")  # of Dask's configuration; none by default
        (await asyncio.wait_for(connect(scheduler, timeout=timeout_s, **certificates), 2 * timeout_s)).abort()

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its messages become ClusterError
    try:
        asyncio.run(greet())
        return Client(scheduler, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, ImportError, TypeError) as error:  # incompatible versions; TLS without certificates
        raise ClusterError(
            f"No Dask scheduler responds at {scheduler} ({_describe_error(error)}). "
            f"Start one with `{DASK_COMMAND} scheduler`, or check the address."
        ) from None


def _count_threads(client, scheduler: str, timeout_s: float) -> int:
    try:
        client.wait_for_workers(1, timeout=timeout_s)
    except TimeoutError:
        raise ClusterError(
            f"The scheduler at {scheduler} has no workers. Start some in the folder of this program, with "
            f"`{DASK_COMMAND} worker {scheduler} --nthreads 1`."
        ) from None
    return sum(client.nthreads().values())


def _describe_error(error: Exception) -> str:
    return f"{error!s:.120}" or type(error).__name__

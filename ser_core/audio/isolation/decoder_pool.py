"""Decoders in child processes with a limit of memory and a clock: a hostile file costs an error, not the program.

Parsers of containers allocate what a header asks for, 2.9 GB for a file of 1.6 kB, and libraries in C can crash. A
child is started at the first file and kept for the next ones, so that an ordinary file costs about a millisecond more.
Several children run at once as long as their limits of memory fit into one budget.
"""

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.isolation.child import CHECK_INTERVAL_S, DecoderJob, DecoderProcess

MAX_POOL_MEMORY_BYTES = 2_000_000_000  # of all children at once
MAX_IDLE = 2  # children that are kept for the next files


class DecoderPool:
    """Children, started when they are needed. Thread-safe; a fork begins with an empty pool."""

    def __init__(self, max_memory_bytes: int = MAX_POOL_MEMORY_BYTES):
        """max_memory_bytes: of all limits of running jobs; a job above it runs alone."""
        self._max_memory_bytes, self._max_idle = max_memory_bytes, MAX_IDLE
        self._idle: list[DecoderProcess] = []
        self._running: set[DecoderProcess] = set()
        self._n_jobs_at_least = 1
        self._n_jobs, self._memory_bytes, self._changed = 0, 0, threading.Condition()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    def decode(self, data: bytes, job: DecoderJob, check: Callable[[], None]) -> tuple[dict, np.ndarray]:
        """The reply of a child, and its samples, float32, shape = (n_samples,).

        Args:
            data: content of the file.
            job: with its limits.
            check: called often during the job; an exception from it ends the job.

        Raises:
            AudioError: the child crashed, reached a limit or cannot be started.
        """
        with self._memory(job.memory_bytes, check), self._child() as child:
            return child.run(data, job, check)

    @contextmanager
    def at_once(self, n_jobs: int) -> Iterator[None]:
        """Allows n_jobs at once whatever the sum of their limits: for recordings of one's own."""
        before = self._n_jobs_at_least, self._max_idle
        self._n_jobs_at_least = self._max_idle = n_jobs
        try:
            yield
        finally:
            self._n_jobs_at_least, self._max_idle = before

    @contextmanager
    def _memory(self, n_bytes: int, check: Callable[[], None]) -> Iterator[None]:
        with self._changed:
            while self._n_jobs >= self._n_jobs_at_least and self._memory_bytes + n_bytes > self._max_memory_bytes:
                self._changed.wait(CHECK_INTERVAL_S)
                check()
            self._n_jobs, self._memory_bytes = self._n_jobs + 1, self._memory_bytes + n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._n_jobs, self._memory_bytes = self._n_jobs - 1, self._memory_bytes - n_bytes
                self._changed.notify_all()

    @contextmanager
    def _child(self) -> Iterator[DecoderProcess]:
        """A usable child; kept afterwards unless its job failed."""
        child = self._take()
        try:
            yield child
        except BaseException:
            self._drop(child)
            raise
        with self._changed:
            self._running.discard(child)
            if keep := child.is_usable and len(self._idle) < self._max_idle:
                self._idle.append(child)
        if not keep:
            child.close()

    def _take(self) -> DecoderProcess:
        while True:
            with self._changed:
                child = self._idle.pop() if self._idle else None
            try:
                child = child or DecoderProcess()
            except OSError as error:
                raise AudioError(f"The decoder cannot be started: {error.strerror}. Try again later.") from None
            with self._changed:
                self._running.add(child)
            if child.is_usable:
                return child
            self._drop(child)

    def _drop(self, child: DecoderProcess) -> None:
        with self._changed:
            self._running.discard(child)
        child.close()

    def close(self) -> None:
        """Ends all children."""
        with self._changed:
            children = [*self._idle, *self._running]
            self._idle, self._running = [], set()
        for child in children:
            child.close()

    def _forget(self) -> None:
        for child in [*self._idle, *self._running]:
            child.release()
        self._idle, self._running = [], set()
        self._n_jobs, self._memory_bytes, self._changed = 0, 0, threading.Condition()


decoder_pool = DecoderPool()
"""The children of this process."""

"""The inference queue: one model runs at a time, first come, first served.

Simultaneous forward passes only slow each other down. A page takes a turn for each batch and always waits, so that a
long recording does not block the others. A request takes one `Ticket` for all its predictions, with which it lets the
others have a turn after each batch, and is refused if the queue is full. Nothing is decoded in a turn, which may take
long for a hostile file, and no model is loaded.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

MAX_WAITING_REQUESTS = 64
N_TIMED_TURNS = 50  # the latest turns, from which the wait is estimated

T = TypeVar("T")


class QueueFull(RuntimeError):
    """Too many requests wait already. The message names the cure."""

    def __init__(self, retry_after_s: int):
        super().__init__(f"Too many requests are waiting: the queue is full. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class ClientGone(RuntimeError):
    """The client disconnected before its turn."""


class InferenceQueue:
    """One turn at a time. Safe to use from any thread."""

    def __init__(self, max_waiting: int = MAX_WAITING_REQUESTS):
        self.max_waiting = max_waiting
        self._changed = threading.Condition()
        self._tickets: deque[Ticket] = deque()  # the first one has the turn
        self._durations_s: deque[float] = deque(maxlen=N_TIMED_TURNS)

    def __len__(self) -> int:
        """The length of the queue, including the one whose turn it is."""
        return len(self._tickets)

    def place(self) -> "Ticket":
        """A ticket at the end of the queue, for a client that can try again.

        Raises:
            QueueFull: `max_waiting` wait already.
        """
        with self._changed:
            if len(self._tickets) > self.max_waiting:
                raise QueueFull(self.wait_s())
            return self._append_ticket()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn, however long the queue; a thread whose turn it is continues at once."""
        with self._changed:
            has_it = bool(self._tickets) and self._tickets[0].thread == threading.get_ident()
            place = None if has_it else self._append_ticket()
        if place is None:
            yield
            return
        with place.turn():
            yield

    def wait_s(self, n_before: int = 0) -> int:
        """Estimated wait of a new ticket from the latest turns, in whole seconds, at least one.

        Args:
            n_before: requests that are first, without a ticket yet.
        """
        mean_s = sum(self._durations_s) / len(self._durations_s) if self._durations_s else 0.0
        return max(1, math.ceil(mean_s * (len(self._tickets) + n_before)))

    def _append_ticket(self) -> "Ticket":
        place = Ticket(self)
        self._tickets.append(place)
        return place


class Ticket:
    """A place in the queue, from `InferenceQueue.place`, released by `run`, `turn` or `cancel`."""

    def __init__(self, queue: InferenceQueue):
        self.cancelled = False  # a running job may check it and stop
        self.thread: int | None = None  # the one that has the turn
        self._queue = queue
        self._began_s = 0.0  # its turn

    def run(self, job: Callable[[], T]) -> T:
        """Runs a job when its turn comes.

        Raises:
            ClientGone: cancelled before.
        """
        with self.turn():
            return job()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for the turn and holds it.

        Raises:
            ClientGone: cancelled before it came.
        """
        queue = self._queue
        try:
            with queue._changed:
                self._wait()
            yield
            queue._durations_s.append(perf_counter() - self._began_s)
        finally:
            self.thread = None
            self.cancel()

    def let_others(self, share: float) -> None:
        """Goes back to the end of the queue and waits, between two batches; does nothing if nobody else waits.

        Args:
            share: of the batches that are done; after the last one there is nothing to wait for.

        Raises:
            ClientGone: cancelled while it waited.
        """
        if share >= 1:
            return
        queue = self._queue
        with queue._changed:
            queue._durations_s.append(perf_counter() - self._began_s)
            self.thread = None
            queue._tickets.rotate(-1)  # it was the first one
            queue._changed.notify_all()
            self._wait()

    def _wait(self) -> None:
        """Until its turn has come; the caller holds the lock."""
        self._queue._changed.wait_for(lambda: self.cancelled or self._queue._tickets[0] is self)
        if self.cancelled:
            raise ClientGone
        self.thread, self._began_s = threading.get_ident(), perf_counter()

    def cancel(self) -> None:
        """Gives the place up, from any thread. A running job keeps the turn until it ends."""
        queue = self._queue
        with queue._changed:
            self.cancelled = True
            if self.thread is None and self in queue._tickets:
                queue._tickets.remove(self)
                queue._changed.notify_all()


inference_queue = InferenceQueue()
"""The queue of this process."""

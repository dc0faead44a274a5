"""The one line before the models: whoever runs one waits here, in the order they came.

Two forward passes at once only slow each other down, so one has the turn and the others wait. A page takes a turn for
each batch and always waits: a long recording then keeps nobody waiting for its end. A request of another program takes
one `Ticket` for all its work, decoding included, and is refused when too many wait already.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

MAX_WAITING_REQUESTS = 64
N_TIMED_TURNS = 50  # the latest turns: an estimate of the wait follows what is asked now

T = TypeVar("T")


class QueueFull(RuntimeError):
    """Too many wait already. The message names the cure."""

    def __init__(self, retry_after_s: int):
        super().__init__(f"Too many are waiting for an answer. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class ClientGone(RuntimeError):
    """The one who asked went away before there was an answer."""


class InferenceQueue:
    """One turn at a time. Safe to use from any thread."""

    def __init__(self, max_waiting: int = MAX_WAITING_REQUESTS):
        self.max_waiting = max_waiting
        self._changed = threading.Condition()
        self._tickets: deque[Ticket] = deque()  # the first one has the turn
        self._durations_s: deque[float] = deque(maxlen=N_TIMED_TURNS)

    def __len__(self) -> int:
        """How many are in the line, the one that has the turn included."""
        return len(self._tickets)

    def place(self) -> "Ticket":
        """The last place, for somebody who can come again.

        Raises:
            QueueFull: `most_waiting` wait already.
        """
        with self._changed:
            if len(self._tickets) > self.max_waiting:
                raise QueueFull(self.wait_s())
            return self._append_ticket()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, however many are before; a thread that has it already goes on at once."""
        with self._changed:
            has_it = bool(self._tickets) and self._tickets[0].thread == threading.get_ident()
            place = None if has_it else self._append_ticket()
        if place is None:
            yield
            return
        with place.turn():
            yield

    def wait_s(self) -> int:
        """How long a new one would wait, in whole seconds of at least one, judged by the latest turns."""
        mean_s = sum(self._durations_s) / len(self._durations_s) if self._durations_s else 0.0
        return max(1, math.ceil(mean_s * len(self._tickets)))

    def _append_ticket(self) -> "Ticket":
        place = Ticket(self)
        self._tickets.append(place)
        return place


class Ticket:
    """A place in the line, made by `InferenceQueue.place`. It is free again after `run`, `turn` or `leave`."""

    def __init__(self, queue: InferenceQueue):
        self.cancelled = False  # a job that runs may look at it, and stop
        self.thread: int | None = None  # the one that has the turn
        self._queue = queue

    def run(self, job: Callable[[], T]) -> T:
        """The result of a job, when its turn has come.

        Raises:
            Left: `leave` was called before.
        """
        with self.turn():
            return job()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn and hold it.

        Raises:
            Left: `leave` was called before it came.
        """
        queue = self._queue
        try:
            with queue._changed:
                queue._changed.wait_for(lambda: self.cancelled or queue._tickets[0] is self)
                if self.cancelled:
                    raise ClientGone
                self.thread = threading.get_ident()
            started = perf_counter()
            yield
            queue._durations_s.append(perf_counter() - started)
        finally:
            self.thread = None
            self.cancel()

    def cancel(self) -> None:
        """Give the place up, from any thread. A job that runs keeps the turn until it ends."""
        queue = self._queue
        with queue._changed:
            self.cancelled = True
            if self.thread is None and self in queue._tickets:
                queue._tickets.remove(self)
                queue._changed.notify_all()


inference_queue = InferenceQueue()
"""The one of this process."""

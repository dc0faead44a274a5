"""Recordings on their way from one page to another, in the memory of this process only.

A recording waits under a random token that is good once and for a few minutes; nobody who does not know the token can
reach it, and nothing of it is ever written to disk.
"""

import secrets
import threading
import time
from collections.abc import Callable

from ser_core.audio import MAX_BYTES

LIFETIME_S = 300.0
MAX_WAITING_BYTES = 400_000_000  # of all recordings that wait at the same time: three of an hour


class HandoverError(ValueError):
    """A recording that cannot wait; the message names the cause and the cure."""


class Handover:
    """A place to leave a recording for another page. Safe to use from any thread."""

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        lifetime_s: float = LIFETIME_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        """
        Args:
            max_bytes: of one recording.
            max_waiting_bytes: of all that wait.
            lifetime_s: how long each waits before it is dropped.
            clock: seconds.
        """
        self._max_bytes, self._max_waiting_bytes = max_bytes, max_waiting_bytes
        self._lifetime_s, self._clock = lifetime_s, clock
        self._waiting: dict[str, tuple[float, bytes]] = {}  # token -> when it ends, content of the file
        self._lock, self._timed = threading.Lock(), False

    def __len__(self) -> int:
        """How many wait."""
        self._drop_old()
        return len(self._waiting)

    def put(self, content: bytes) -> str:
        """Leave the content of a sound file; returns the token.

        Raises:
            HandoverError: it is too large, or too much waits already.
        """
        if len(content) > self._max_bytes:
            raise HandoverError(
                f"This recording is larger than {self._max_bytes / 1e6:g} MB, the most that is handed over. "
                "Download it, and upload a part of it."
            )
        self._drop_old()
        token = secrets.token_urlsafe(32)
        with self._lock:
            if sum(len(waits) for _, waits in self._waiting.values()) + len(content) > self._max_waiting_bytes:
                raise HandoverError(
                    f"Too many recordings wait to be opened. Try again in {self._lifetime_s / 60:g} min, or download "
                    "this one and upload it."
                )
            self._waiting[token] = self._clock() + self._lifetime_s, content
            begin, self._timed = not self._timed, True
        if begin:
            self._look_after(self._lifetime_s)
        return token

    def take(self, token: str) -> bytes | None:
        """What was left under a token, once; None when it was taken already, is too old or never was here."""
        self._drop_old()
        with self._lock:
            return self._waiting.pop(token, (0.0, None))[1]

    def _drop_old(self) -> None:
        now = self._clock()
        with self._lock:
            self._waiting = {token: entry for token, entry in self._waiting.items() if entry[0] > now}

    def _look_after(self, seconds: float) -> None:
        """What is old is dropped also when nobody comes any more; one timer for all of it."""
        timer = threading.Timer(seconds, self._look)
        timer.daemon = True
        timer.start()

    def _look(self) -> None:
        self._drop_old()
        with self._lock:
            ends = [end for end, _ in self._waiting.values()]
            self._timed = bool(ends)
        if ends:
            self._look_after(max(0.0, min(ends) - self._clock()))


handover = Handover()
"""The one of this process: the live page leaves recordings here, and the page "Trajectory" takes them."""

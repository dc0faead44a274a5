"""Recordings on their way from one page to another, in the memory of this process only.

A recording waits under a random token that is good once and for a few minutes; nobody who does not know the token can
reach it, and nothing of it is ever written to disk.
"""

import secrets
import threading
import time
from collections.abc import Callable

from ser_core.audio import MAX_AUDIO_BYTES

RECORDING_LIFETIME_S = 300.0
MAX_STORED_BYTES = 400_000_000  # of all recordings that wait at the same time: three of an hour


class OneTimeStoreError(ValueError):
    """A recording that cannot wait; the message names the cause and the cure."""


class OneTimeStore:
    """A place to leave a recording for another page. Safe to use from any thread."""

    def __init__(
        self,
        max_bytes: int = MAX_AUDIO_BYTES,
        max_stored_bytes: int = MAX_STORED_BYTES,
        lifetime_s: float = RECORDING_LIFETIME_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        """
        Args:
            max_bytes: of one recording.
            max_waiting_bytes: of all that wait.
            lifetime_s: how long each waits before it is dropped.
            clock: seconds.
        """
        self._max_bytes, self._max_stored_bytes = max_bytes, max_stored_bytes
        self._lifetime_s, self._clock = lifetime_s, clock
        self._entries: dict[str, tuple[float, bytes]] = {}  # token -> when it ends, content of the file
        self._lock, self._timer_running = threading.Lock(), False

    def __len__(self) -> int:
        """How many wait."""
        self._drop_expired()
        return len(self._entries)

    def put(self, content: bytes) -> str:
        """Leave the content of a sound file; returns the token.

        Raises:
            HandoverError: it is too large, or too much waits already.
        """
        if len(content) > self._max_bytes:
            raise OneTimeStoreError(
                f"This recording is larger than {self._max_bytes / 1e6:g} MB, the most that is handed over. "
                "Download it, and upload a part of it."
            )
        self._drop_expired()
        token = secrets.token_urlsafe(32)
        with self._lock:
            if sum(len(waits) for _, waits in self._entries.values()) + len(content) > self._max_stored_bytes:
                raise OneTimeStoreError(
                    f"Too many recordings wait to be opened. Try again in {self._lifetime_s / 60:g} min, or download "
                    "this one and upload it."
                )
            self._entries[token] = self._clock() + self._lifetime_s, content
            begin, self._timer_running = not self._timer_running, True
        if begin:
            self._schedule_cleanup(self._lifetime_s)
        return token

    def take(self, token: str) -> bytes | None:
        """What was left under a token, once; None when it was taken already, is too old or never was here."""
        self._drop_expired()
        with self._lock:
            return self._entries.pop(token, (0.0, None))[1]

    def _drop_expired(self) -> None:
        now = self._clock()
        with self._lock:
            self._entries = {token: entry for token, entry in self._entries.items() if entry[0] > now}

    def _schedule_cleanup(self, seconds: float) -> None:
        """What is old is dropped also when nobody comes any more; one timer for all of it."""
        timer = threading.Timer(seconds, self._clean_up)
        timer.daemon = True
        timer.start()

    def _clean_up(self) -> None:
        self._drop_expired()
        with self._lock:
            ends = [end for end, _ in self._entries.values()]
            self._timer_running = bool(ends)
        if ends:
            self._schedule_cleanup(max(0.0, min(ends) - self._clock()))


recording_store = OneTimeStore()
"""The one of this process: the live page leaves recordings here, and the page "Trajectory" takes them."""

"""One-time in-memory store that passes recordings from one page to another within this process.

A recording is stored under a random token, which is valid once and for a few minutes; it cannot be read without the
token and is never written to disk.
"""

import math
import secrets
import threading
import time
from collections.abc import Callable

from ser_core.audio import MAX_AUDIO_BYTES

RECORDING_LIFETIME_S = 300.0
MAX_STORED_BYTES = 250_000_000  # of all stored recordings: two of an hour each


class OneTimeStoreError(ValueError):
    """Recording that cannot be stored; the message names the cause and the cure."""


def run_later(after_s: float, function: Callable[[], None]) -> None:
    """Runs a function in a thread of its own, which keeps no process alive."""
    timer = threading.Timer(after_s, function)
    timer.daemon = True
    timer.start()


class OneTimeStore:
    """Store of recordings by token, each read at most once. Thread-safe."""

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
            max_stored_bytes: of all stored recordings.
            lifetime_s: seconds until a recording is deleted.
            clock: time in seconds.
        """
        self._max_bytes, self._max_stored_bytes = max_bytes, max_stored_bytes
        self._lifetime_s, self._clock = lifetime_s, clock
        self._entries: dict[str, tuple[float, bytes]] = {}  # token -> expiry time, content of the file
        self._lock, self._timer_running = threading.Lock(), False

    def __len__(self) -> int:
        """Number of stored recordings."""
        self._drop_expired()
        return len(self._entries)

    def __contains__(self, token: str) -> bool:
        """Whether the recording of a token waits to be taken."""
        self._drop_expired()
        return token in self._entries

    def put(self, content: bytes) -> str:
        """Store the content of an audio file; returns its token.

        Raises:
            OneTimeStoreError: it is too large, or the store is full.
        """
        if len(content) > self._max_bytes:
            raise OneTimeStoreError(
                f"This recording is larger than {self._max_bytes / 1e6:g} MB, the limit. "
                "Download it, and upload a part of it."
            )
        self._drop_expired()
        token = secrets.token_urlsafe(32)
        with self._lock:
            if sum(len(stored) for _, stored in self._entries.values()) + len(content) > self._max_stored_bytes:
                raise OneTimeStoreError(
                    f"Too many recordings are stored. Try again in {self._lifetime_s / 60:g} min, or download "
                    "this one and upload it."
                )
            self._entries[token] = self._clock() + self._lifetime_s, content
            needs_timer, self._timer_running = not self._timer_running, True
        if needs_timer:
            run_later(self._lifetime_s, self._clean_up)
        return token

    def wait_s(self) -> int:
        """Seconds until the oldest recording is deleted, and its room is free."""
        with self._lock:
            return max(1, math.ceil(min((expiry for expiry, _ in self._entries.values()), default=0) - self._clock()))

    def take(self, token: str) -> bytes | None:
        """Recording of a token, once; None if it was taken already, has expired or never existed."""
        self._drop_expired()
        with self._lock:
            return self._entries.pop(token, (0.0, None))[1]

    def _drop_expired(self) -> None:
        now = self._clock()
        with self._lock:
            self._entries = {token: entry for token, entry in self._entries.items() if entry[0] > now}

    def _clean_up(self) -> None:
        """Deletes expired recordings without further calls, by one timer for all of them."""
        self._drop_expired()
        with self._lock:
            expiry_times = [expiry for expiry, _ in self._entries.values()]
            self._timer_running = bool(expiry_times)
        if expiry_times:
            run_later(max(0.0, min(expiry_times) - self._clock()), self._clean_up)


recording_store = OneTimeStore()
"""Store of this process: written by the live page, read by the page "Clip"."""

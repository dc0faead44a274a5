"""How much one client may ask of the server, and all together."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of requests that bring a recording."""

    body_bytes: int = 25_000_000  # of one body: ten minutes of 16-bit mono WAV at 16 kHz are 19 MB
    all_bodies_bytes: int = 500_000_000  # of those that are in memory at the same time
    duration_s: float = 600.0  # decoding stops here, and a note says so
    silence_s: float = 10.0  # a client that sends nothing for so long has gone
    body_s: float = 60.0  # for a whole body
    requests_per_s: float = 20.0  # of one address
    burst: int = 100  # of them at once


class RateLimit:
    """A bucket of tokens for each address: full at first, and filled again at a steady rate. For one thread."""

    MOST_ADDRESSES = 10_000

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic):
        self._limits, self._clock = limits, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address -> tokens, and when they were counted

    def wait_s(self, address: str) -> float:
        """0 for a request that may go on, which takes a token; else the seconds until there is one."""
        now = self._clock()
        tokens = self._tokens(address, now)
        if tokens < 1:
            return (1 - tokens) / self._limits.requests_per_s
        if len(self._buckets) >= self.MOST_ADDRESSES:
            self._forget_full(now)
        self._buckets[address] = tokens - 1, now
        return 0.0

    def _tokens(self, address: str, now: float) -> float:
        tokens, counted = self._buckets.get(address, (self._limits.burst, now))
        return min(self._limits.burst, tokens + (now - counted) * self._limits.requests_per_s)

    def _forget_full(self, now: float) -> None:
        """A full bucket is as good as none; where none is full, the oldest ones go."""
        full = [address for address in self._buckets if self._tokens(address, now) >= self._limits.burst]
        for address in full or list(self._buckets)[: self.MOST_ADDRESSES // 10]:
            del self._buckets[address]

"""One-time store: each recording once, with its token, for a limited time and size."""

import pytest

from ser_core.serving import one_time_store as module
from ser_core.serving.one_time_store import OneTimeStore, OneTimeStoreError


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def timers(monkeypatch) -> list:
    """(seconds, callback) of every timer; none of them runs."""
    started = []

    class Timer:
        def __init__(self, seconds, function):
            started.append((seconds, function))

        def start(self):
            assert self.daemon, "a recording that waits must not keep the program from ending"

    monkeypatch.setattr(module.threading, "Timer", Timer)
    return started


def test_a_recording_is_taken_once(timers):
    place = OneTimeStore()
    token = place.put(b"sound")
    assert place.take(token) == b"sound" and place.take(token) is None and len(place) == 0


def test_only_the_token_gives_access(timers):
    place = OneTimeStore()
    tokens = {place.put(b"sound") for _ in range(3)}
    assert len(tokens) == 3 and all(len(token) >= 43 for token in tokens)  # 256 bits
    assert place.take("") is None and place.take(next(iter(tokens))[:-1]) is None and len(place) == 3


def test_unused_recordings_expire(timers):
    clock = Clock()
    place = OneTimeStore(lifetime_s=60, clock=clock)
    token = place.put(b"sound")
    clock.now_s = 59.9
    assert len(place) == 1
    clock.now_s = 60.0
    assert place.take(token) is None and len(place) == 0


def test_expired_recordings_are_dropped_without_further_calls(timers):
    clock = Clock()
    place = OneTimeStore(lifetime_s=60, clock=clock)
    place.put(b"sound")
    ((seconds, drop),) = timers
    clock.now_s = seconds
    drop()
    assert seconds == 60 and not place._entries


def test_one_timer_serves_all_recordings(timers):
    clock = Clock()
    place = OneTimeStore(lifetime_s=60, clock=clock)
    for clock.now_s in (0.0, 10.0, 20.0):
        place.put(b"sound")
    (first,) = timers
    clock.now_s = 60.0
    first[1]()
    assert timers[1][0] == 10 and len(place._entries) == 2
    clock.now_s = 80.0
    timers[1][1]()
    assert len(timers) == 2 and not place._entries
    place.put(b"sound")
    assert len(timers) == 3


def test_the_size_is_limited_per_recording_and_in_total(timers):
    place = OneTimeStore(max_bytes=10, max_stored_bytes=15)
    with pytest.raises(OneTimeStoreError, match="larger than"):
        place.put(bytes(11))
    token = place.put(bytes(10))
    with pytest.raises(OneTimeStoreError, match="Too many"):
        place.put(bytes(6))
    place.take(token)
    assert len(place.take(place.put(bytes(6)))) == 6

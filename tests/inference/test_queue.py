"""The one line before the models: one at a time, in the order they came, and no more than fit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ser_core.inference import queue as module
from ser_core.inference.queue import ClientGone, InferenceQueue, QueueFull

PATIENCE_S = 30


@pytest.fixture
def queue() -> InferenceQueue:
    return InferenceQueue(max_waiting=3)


def wait_until(happened) -> None:
    waited = threading.Event()
    for _ in range(10 * PATIENCE_S):
        if happened():
            return
        waited.wait(0.1)
    pytest.fail("it never happened")


def test_jobs_run_one_at_a_time_in_the_order_they_came(queue):
    running, most, order = 0, 0, []

    def job(i):
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(i)
        running -= 1

    with ThreadPoolExecutor(4) as pool:
        with queue.turn():
            places = [queue.place() for _ in range(3)]
            jobs = [pool.submit(place.run, lambda i=i: job(i)) for i, place in reversed(list(enumerate(places)))]
            assert not any(found.done() for found in jobs)
        for found in jobs:
            found.result(PATIENCE_S)
    assert (order, most, len(queue)) == ([0, 1, 2], 1, 0)


def test_a_long_job_lets_the_others_have_a_turn_between_its_batches(queue):
    order, long, short = [], queue.place(), []

    def batches():
        for i in range(3):
            order.append(f"batch {i}")
            if i == 0:
                short.extend(queue.place() for _ in range(2))
                short.append(pool.submit(short[0].run, lambda: order.append("first")))
                short.append(pool.submit(short[1].run, lambda: order.append("second")))
            long.let_others((i + 1) / 3)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(long.run, batches).result(PATIENCE_S)
        assert all(job.result(PATIENCE_S) is None for job in short[2:])
    assert order == ["batch 0", "first", "second", "batch 1", "batch 2"] and len(queue) == 0


def test_a_job_that_has_run_its_last_batch_waits_for_nobody(queue):
    order, short = [], queue.place()

    def batch():
        waiting = pool.submit(queue.place().run, lambda: order.append("long"))
        short.let_others(1.0)
        order.append("short")
        return waiting

    with ThreadPoolExecutor(2) as pool:
        pool.submit(short.run, batch).result(PATIENCE_S).result(PATIENCE_S)
    assert order == ["short", "long"]


def test_a_long_job_that_waits_can_be_cancelled(queue):
    long = queue.place()
    with ThreadPoolExecutor(1) as pool, queue_held_after_a_batch(queue, long, pool) as job:
        wait_until(lambda: long.thread is None)
        long.cancel()
        with pytest.raises(ClientGone):
            job.result(PATIENCE_S)
    assert len(queue) == 0


@contextmanager
def queue_held_after_a_batch(queue, long, pool):
    """The long job has run one batch and waits, as long as this thread has the turn."""
    begun = threading.Event()

    def batches():
        begun.set()
        wait_until(lambda: len(queue) == 2)
        long.let_others(0.5)
        pytest.fail("it went on")

    job = pool.submit(long.run, batches)
    assert begun.wait(PATIENCE_S)
    with queue.turn():
        yield job


def test_a_job_counts_by_its_batches_in_the_wait(queue, monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(module, "perf_counter", lambda: next(now))  # a second passes at each look
    long = queue.place()
    long.run(lambda: [long.let_others(i / 10) for i in range(9)])
    assert queue.wait_s(n_before=1) == 1  # not ten


def test_many_threads_never_have_the_turn_together(queue):
    counter = 0

    def count(_):
        nonlocal counter
        for _ in range(50):
            with queue.turn():
                seen = counter
                threading.Event().wait(0)
                counter = seen + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert counter == 400 and len(queue) == 0


def test_a_full_line_says_when_to_come_again_but_a_page_may_always_wait(queue):
    def page() -> str:
        with queue.turn():
            return "drawn"

    with ThreadPoolExecutor(1) as pool:
        with queue.turn():
            places = [queue.place() for _ in range(3)]
            with pytest.raises(QueueFull, match=r"Try again in \d+ s") as refused:
                queue.place()
            assert refused.value.retry_after_s >= 1
            drawn = pool.submit(page)
            wait_until(lambda: len(queue) == 5)
            for place in places:
                place.cancel()
            assert not drawn.done()
        assert drawn.result(PATIENCE_S) == "drawn"
    assert len(queue) == 0


def test_the_estimate_is_turns_times_those_who_wait(queue, monkeypatch):
    seconds = iter([0.0, 4.0, 10.0, 18.0])  # turns of 4 and 8 s
    monkeypatch.setattr("ser_core.inference.queue.perf_counter", lambda: next(seconds))
    for _ in range(2):
        queue.place().run(lambda: None)
    assert queue.wait_s() == 1
    places = [queue.place() for _ in range(3)]
    assert len(places) == len(queue) and queue.wait_s() == 18


def test_who_has_the_turn_need_not_wait_for_it_again(queue):
    def job() -> int:
        with queue.turn(), queue.turn():
            return len(queue)

    assert (queue.place().run(job), len(queue)) == (1, 0)


def test_who_leaves_frees_the_place_and_wakes_up(queue):
    with ThreadPoolExecutor(1) as pool, queue.turn():
        place = queue.place()
        waiting = pool.submit(place.run, pytest.fail)
        assert len(queue) == 2
        place.cancel()
        assert len(queue) == 1
        with pytest.raises(ClientGone):
            waiting.result(PATIENCE_S)
    with pytest.raises(ClientGone):
        place.run(pytest.fail)
    assert len(queue) == 0


def test_who_leaves_in_the_middle_keeps_the_turn_until_the_job_sees_it(queue):
    place = queue.place()

    def job():
        place.cancel()
        assert len(queue) == 1 and place.cancelled
        raise ClientGone

    with pytest.raises(ClientGone):
        place.run(job)
    assert len(queue) == 0


def test_a_job_that_fails_frees_its_place(queue):
    with pytest.raises(ZeroDivisionError):
        queue.place().run(lambda: 1 / 0)
    assert len(queue) == 0 and queue.place().run(lambda: "next") == "next"

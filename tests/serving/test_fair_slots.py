"""Slots of requests: shared between addresses, given up by clients that leave, bounded."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ser_core.inference.queue import ClientGone, InferenceQueue, QueueFull
from ser_core.serving.protection import fair_slots
from ser_core.serving.protection.fair_slots import FairSlots, client_address


class Client:
    """Requests of one address, each in a task that holds its slot until it is released."""

    def __init__(self, slots: FairSlots, address: str):
        self.slots, self.address = slots, address
        self.gone, self.release = asyncio.Event(), asyncio.Event()
        self.in_progress, self.tasks = 0, []

    async def ask(self, n: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._request()) for _ in range(n)]
        await settle()

    async def _request(self) -> None:
        async with self.slots.slot(self.address, self.gone):
            self.in_progress += 1
            await self.release.wait()
            self.in_progress -= 1

    async def end(self) -> list:
        self.release.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def clients(*addresses: str, **limits: int):
    slots = FairSlots(**{"n_slots": 4, "n_per_address": 3, "max_requests": 10} | limits)
    made = [Client(slots, address) for address in addresses]
    yield slots, *made
    for client in made:
        await client.end()
    assert len(slots) == 0 and not slots._waiting and not slots._held


def test_one_address_leaves_room_for_another():
    async def run():
        async with clients("a", "b") as (slots, greedy, other):
            await greedy.ask(10)
            assert (greedy.in_progress, slots.n_waiting) == (3, 7)
            await other.ask()
            assert other.in_progress == 1

    asyncio.run(run())


def test_a_free_slot_goes_to_the_address_with_the_fewest():
    async def run():
        async with clients("a", "b", "c", n_slots=2, n_per_address=2) as (_, greedy, other, third):
            await greedy.ask(5)
            await other.ask()
            await third.ask()
            greedy.tasks[0].cancel()
            await settle()
            assert (other.in_progress, third.in_progress) == (1, 0)
            await other.end()
            assert third.in_progress == 1

    asyncio.run(run())


def test_addresses_with_as_many_take_turns():
    order = []

    async def request(slots: FairSlots, address: str) -> None:
        async with slots.slot(address, asyncio.Event()):
            order.append(address)
            await asyncio.sleep(0)

    async def run():
        slots = FairSlots(n_slots=1)
        await asyncio.gather(*(request(slots, address) for address in "xaaabbc"))

    asyncio.run(run())
    assert "".join(order) == "xabcaba"


def test_a_full_queue_drops_the_last_of_the_address_with_the_most():
    async def run():
        async with clients("a", "b") as (slots, greedy, other):
            await greedy.ask(12)
            refused = [task for task in greedy.tasks if task.done()]
            assert len(refused) == 2 and all(isinstance(task.exception(), QueueFull) for task in refused)
            await other.ask(2)
            assert len(slots) == 10
            assert other.in_progress == 1 and not any(task.done() for task in other.tasks)
            assert [i for i, task in enumerate(greedy.tasks) if task.done()] == [8, 9, 10, 11]
            assert sum(isinstance(result, QueueFull) for result in await greedy.end()) == 4
            await other.end()

    asyncio.run(run())


def test_a_full_queue_drops_no_request_of_an_address_that_would_have_fewer_then():
    async def run():
        async with clients("a", "b", n_slots=1, max_requests=3) as (_, first, other):
            await first.ask(2)
            await other.ask(2)
            assert not any(task.done() for task in first.tasks)
            assert [task.done() for task in other.tasks] == [False, True]
            await first.end()
            await other.end()

    asyncio.run(run())


def test_the_wait_counts_requests_that_have_no_slot_yet(monkeypatch):
    queue = InferenceQueue()
    queue._durations_s.append(2.0)
    monkeypatch.setattr(fair_slots, "inference_queue", queue)

    async def run():
        async with clients("a") as (_, greedy):
            await greedy.ask(11)
            (refused,) = [task.exception() for task in greedy.tasks if task.done()]
            assert refused.retry_after_s == 7 * 2

    asyncio.run(run())


def test_a_client_that_leaves_gives_up_its_place():
    async def run():
        async with clients("a", "b", n_slots=1) as (slots, first, leaving):
            await first.ask()
            await leaving.ask(3)
            leaving.gone.set()
            await settle()
            assert slots.n_waiting == 0
            assert all(isinstance(result, ClientGone) for result in await leaving.end())

    asyncio.run(run())


def test_a_slot_given_to_a_request_that_is_just_cancelled_is_free_again():
    async def run():
        async with clients("a", "b", n_slots=1) as (slots, first, cancelled):
            await first.ask()
            await cancelled.ask()
            first.release.set()
            await asyncio.sleep(0)  # the first request gives the slot on, the second has not run since
            assert slots.n_waiting == 0 and not cancelled.in_progress
            cancelled.tasks[0].cancel()
            await settle()
            assert len(slots) == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_clients_within_one_ipv6_network_are_one_address(host, address):
    assert client_address({"client": (host, 1)}) == address
    assert client_address({"client": None}) == ""

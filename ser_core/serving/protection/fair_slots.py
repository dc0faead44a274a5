"""Slots for requests in progress, shared fairly between addresses: one client cannot keep the others waiting.

A slot is held from decoding to the response, so that few decoded recordings are in memory. A free slot goes to the
address that holds the fewest, and of those to the one that was served longest ago.
"""

import asyncio
import ipaddress
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ser_core.inference import MAX_WAITING_REQUESTS, ClientGone, QueueFull, inference_queue

N_SLOTS, N_SLOTS_PER_ADDRESS = 4, 3
IPV6_NETWORK_BITS = 64  # a client chooses its address within such a network


def client_address(scope: Mapping[str, Any]) -> str:
    """The address that limits count by: of IPv6 the network of the client; "" if unknown."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    n_host_bits = 128 - IPV6_NETWORK_BITS
    return str(ipaddress.ip_network((int(address) >> n_host_bits << n_host_bits, IPV6_NETWORK_BITS)))


class FairSlots:
    """Slots of the requests in progress, and the requests that wait for one. For one event loop."""

    def __init__(
        self,
        n_slots: int = N_SLOTS,
        n_per_address: int = N_SLOTS_PER_ADDRESS,
        max_requests: int = MAX_WAITING_REQUESTS,
    ):
        """
        Args:
            n_slots: requests in progress.
            n_per_address: of one address.
            max_requests: in progress and waiting together.
        """
        self._n_slots, self._n_per_address, self._max_requests = n_slots, n_per_address, max_requests
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # served longest ago first

    def __len__(self) -> int:
        """Number of requests in progress and waiting."""
        return self._held.total() + self.n_waiting

    @property
    def n_waiting(self) -> int:
        """Number of requests that wait for a slot."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, address: str, gone: asyncio.Event) -> AsyncIterator[None]:
        """Waits for a slot and holds it.

        Args:
            address: of the client.
            gone: set when the client closes the connection.

        Raises:
            QueueFull: too many requests; while other addresses have fewer, that of an address with the most gives way.
            ClientGone: while waiting.
        """
        await self._wait(address, gone)
        try:
            yield
        finally:
            self._release(address)

    def _release(self, address: str) -> None:
        self._held[address] -= 1
        self._give_slots()

    async def _wait(self, address: str, gone: asyncio.Event) -> None:
        if len(self) >= self._max_requests:
            self._make_room(address)
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(place)
        self._give_slots()
        left = asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait([place, left], return_when=asyncio.FIRST_COMPLETED)
            if not place.done():
                raise ClientGone
            place.result()
        except asyncio.CancelledError:
            if place.done() and not place.exception():  # the slot was given in the same moment
                self._release(address)
            raise
        finally:
            left.cancel()
            self._withdraw(address, place)

    def _withdraw(self, address: str, place: "asyncio.Future[None]") -> None:
        if place in self._waiting.get(address, ()):
            self._waiting[address].remove(place)

    def _make_room(self, address: str) -> None:
        """Refuses the last request of the address with the most, or the new one if that is its own."""
        most = max(self._waiting, key=self._n_requests, default=address)
        if self._n_requests(most) <= self._n_requests(address) + 1 or not self._waiting[most]:
            raise QueueFull(inference_queue.wait_s(self.n_waiting))
        self._waiting[most].pop().set_exception(QueueFull(inference_queue.wait_s(self.n_waiting)))

    def _n_requests(self, address: str) -> int:
        return self._held[address] + len(self._waiting.get(address, ()))

    def _give_slots(self) -> None:
        while self._held.total() < self._n_slots:
            ready = [a for a, places in self._waiting.items() if places and self._held[a] < self._n_per_address]
            if not ready:
                break
            address = min(ready, key=lambda a: self._held[a])
            places = self._waiting.pop(address)
            places.popleft().set_result(None)
            self._waiting[address] = places  # at the end: served last
            self._held[address] += 1
        self._waiting = {a: places for a, places in self._waiting.items() if places or self._held[a]}
        self._held += Counter()  # drops zeros

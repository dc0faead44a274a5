"""A time limit on the head of a request: uvicorn waits for ever for one that does not end."""

import asyncio

import h11
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 20.0  # from the first byte, or from the connection, to the end of the headers


class LimitedHeadProtocol(H11Protocol):
    """HTTP/1.1 by uvicorn; a connection whose request head is not complete in time is closed."""

    _head_clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_clock = self.loop.call_later(HEAD_TIMEOUT_S, transport.close)

    def data_received(self, data: bytes) -> None:
        if self._head_clock is None and self.conn.their_state is h11.IDLE:  # the next request of the connection
            self._head_clock = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None


def limit_request_heads() -> None:
    """Servers that uvicorn starts afterwards limit heads; Streamlit, which starts ours, has no option for it."""
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{LimitedHeadProtocol.__name__}"

"""Around every request: an id, its rate, a line in the log, and JSON whatever goes wrong.

The log holds no audio, no file name and no address.
"""

import asyncio
import logging
import math
import re
import time
import uuid
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser_core.queue import Left
from ser_core.serving.faults import fault
from ser_core.serving.limits import RateLimit

ID = "X-Request-ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # what cannot forge a line of the log
HEAR_OUT_S, PAUSE_S = 5.0, 0.5
CLIENT_LEFT = 499  # as web servers log it; nobody is there to read it

log = logging.getLogger(__name__)


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, rate: RateLimit):
        self._app, self._rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        visit = _Visit(scope, receive, send)
        try:
            await self._answer(visit)
        finally:
            visit.log()

    async def _answer(self, visit: "_Visit") -> None:
        scope = visit.scope
        address = scope["client"][0] if scope["client"] else ""
        wait_s = self._rate.wait_s(address) if scope["method"] == "POST" else 0.0
        if wait_s:
            message = f"Too many requests from this address. Try again in {math.ceil(wait_s)} s."
            return await fault(429, message, wait_s)(scope, visit.receive, visit.send)
        try:
            await self._app(scope, visit.receive, visit.send)
        except (Left, ClientDisconnect):
            visit.status = CLIENT_LEFT
        except Exception:
            log.exception("request_id=%s failed", visit.id)
            if not visit.status:
                message = f"The server failed at this request. Its log says more about {visit.id}."
                await fault(500, message)(scope, visit.receive, visit.send)


class Bounded:
    """ASGI middleware: of no request is more taken than so many bytes."""

    def __init__(self, app: ASGIApp, most_bytes: int):
        self._app, self._most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        n_bytes = 0

        async def bounded() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._most_bytes:
                raise HTTPException(413, f"This request is larger than {self._most_bytes / 1e6:g} MB.")
            return message

        await self._app(scope, bounded, send)


class _Visit:
    """What is known of one request, and the way in and out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        given = Headers(scope=scope).get(ID, "")
        self.id = given if VALID_ID.fullmatch(given) else uuid.uuid4().hex
        self.scope, self._receive, self._send = scope, receive, send
        self.status, self.n_bytes, self.started = 0, 0, time.perf_counter()
        self._more = True  # of the body is to come

    async def receive(self) -> Message:
        message = await self._receive()
        self.n_bytes += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        return message

    async def _hear_out(self) -> None:
        """Drop what a refused client goes on to send: many programs look for an answer only when they are through."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAR_OUT_S):
                while self._more:
                    await asyncio.wait_for(self.receive(), PAUSE_S)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                await self._hear_out()
            headers = MutableHeaders(scope=message)
            headers[ID] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"  # what a voice said is nobody else's
        await self._send(message)

    def log(self) -> None:
        seconds = time.perf_counter() - self.started
        log.info("request_id=%s status=%d seconds=%.3f bytes=%d", self.id, self.status, seconds, self.n_bytes)

"""Middleware: rate limits, origin check, request ids, access log, JSON errors."""

import asyncio
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser_core.inference import ClientGone
from ser_core.serving.errors import error_response

REQUEST_ID_HEADER = "X-Request-ID"
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # what cannot forge a line of the log
DRAIN_TIMEOUT_S, DRAIN_PAUSE_S = 5.0, 0.5
CLIENT_CLOSED_REQUEST = 499  # as web servers log it; nobody is there to read it

log = logging.getLogger(__name__)


LOCALHOST_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class RequestLimits:
    """Of requests that bring a recording."""

    max_body_bytes: int = 25_000_000  # of one body: ten minutes of 16-bit mono WAV at 16 kHz are 19 MB
    max_total_body_bytes: int = 500_000_000  # of those that are in memory at the same time
    duration_s: float = 600.0  # decoding stops here, and a note says so
    chunk_timeout_s: float = 10.0  # a client that sends nothing for so long has gone
    body_timeout_s: float = 60.0  # for a whole body
    requests_per_s: float = 20.0  # of one address
    burst: int = 100  # of them at once


class RateLimit:
    """A bucket of tokens for each address: full at first, and filled again at a steady rate. For one thread."""

    MAX_ADDRESSES = 10_000

    def __init__(self, limits: RequestLimits, clock: Callable[[], float] = time.monotonic):
        self._limits, self._clock = limits, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address -> tokens, and when they were counted

    def wait_s(self, address: str) -> float:
        """0 for a request that may go on, which takes a token; else the seconds until there is one."""
        now = self._clock()
        tokens = self._tokens(address, now)
        if tokens < 1:
            return (1 - tokens) / self._limits.requests_per_s
        if len(self._buckets) >= self.MAX_ADDRESSES:
            self._drop_full_buckets(now)
        self._buckets[address] = tokens - 1, now
        return 0.0

    def _tokens(self, address: str, now: float) -> float:
        tokens, counted = self._buckets.get(address, (self._limits.burst, now))
        return min(self._limits.burst, tokens + (now - counted) * self._limits.requests_per_s)

    def _drop_full_buckets(self, now: float) -> None:
        """A full bucket is as good as none; where none is full, the oldest ones go."""
        full = [address for address in self._buckets if self._tokens(address, now) >= self._limits.burst]
        for address in full or list(self._buckets)[: self.MAX_ADDRESSES // 10]:
            del self._buckets[address]


class RequestMiddleware:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, rate: RateLimit):
        self._app, self._rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        visit = _RequestState(scope, receive, send)
        try:
            await self._handle(visit)
        finally:
            visit.log()

    async def _handle(self, visit: "_RequestState") -> None:
        scope = visit.scope
        address = scope["client"][0] if scope["client"] else ""
        wait_s = self._rate.wait_s(address) if scope["method"] == "POST" else 0.0
        if wait_s:
            message = f"Too many requests from this address. Try again in {math.ceil(wait_s)} s."
            return await error_response(429, message, wait_s)(scope, visit.receive, visit.send)
        try:
            await self._app(scope, visit.receive, visit.send)
        except (ClientGone, ClientDisconnect):
            visit.status = CLIENT_CLOSED_REQUEST
        except Exception:
            log.exception("request_id=%s failed", visit.id)
            if not visit.status:
                message = f"The server failed at this request. Its log says more about {visit.id}."
                await error_response(500, message)(scope, visit.receive, visit.send)


class BodyLimit:
    """ASGI middleware: of no request is more taken than so many bytes."""

    def __init__(self, app: ASGIApp, max_bytes: int):
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        n_bytes = 0

        async def bounded() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                raise HTTPException(413, f"This request is larger than {self._max_bytes / 1e6:g} MB.")
            return message

        await self._app(scope, bounded, send)


class _RequestState:
    """What is known of one request, and the way in and out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        self.id = given if VALID_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.scope, self._receive, self._send = scope, receive, send
        self.status, self.n_bytes, self.started = 0, 0, time.perf_counter()
        self._more_body = True  # of the body is to come

    async def receive(self) -> Message:
        message = await self._receive()
        self.n_bytes += len(message.get("body", b""))
        self._more_body = message.get("more_body", False)
        return message

    async def _drain(self) -> None:
        """Drop what a refused client goes on to send: many programs look for an answer only when they are through."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while self._more_body:
                    await asyncio.wait_for(self.receive(), DRAIN_PAUSE_S)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                await self._drain()
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"  # what a voice said is nobody else's
        await self._send(message)

    def log(self) -> None:
        seconds = time.perf_counter() - self.started
        log.info("request_id=%s status=%d seconds=%.3f bytes=%d", self.id, self.status, seconds, self.n_bytes)


class OriginCheck:
    """ASGI middleware. Browsers say in `Origin` whose page asks, and in `Host` whom it means to ask; programs send no
    `Origin`. A name of another site that leads here (DNS rebinding) makes both agree, so names are known where only
    this machine can ask.
    """

    def __init__(self, app: ASGIApp, host_names: Collection[str], public_host: str):
        """
        Args:
            names: of this server; empty where they are not known.
            public_name: another one, which people see behind a proxy.
        """
        self._app, self._host_names, self._public_host = app, host_names, public_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._app
        if scope["type"] in ("http", "websocket") and (problem := self._problem(Headers(scope=scope))):
            answer = JSONResponse({"error": problem}, 403)
        await answer(scope, receive, send)

    def _problem(self, headers: Headers) -> str | None:
        asked = _hostname(f"//{headers.get('host', '')}")
        if self._host_names and asked not in (*self._host_names, self._public_host):
            return (
                f"Only this machine may ask this server, as {self._host_names[0]}. "
                "Behind a proxy, name the address that people see: STREAMLIT_BROWSER_SERVER_ADDRESS."
            )
        if "origin" in headers and _hostname(headers["origin"]) not in (asked, self._public_host):
            return "A page of another site may not ask this server."
        return None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # no address at all
        return None

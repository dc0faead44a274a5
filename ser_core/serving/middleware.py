"""Middleware of the server: request limits, origin check, body limit, request id, access log, JSON errors.

- `OriginCheck` around all routes: Origin and Host check against CSRF and DNS rebinding. Allowed are programs, which
  send no `Origin`, and the pages of this server; a page of another site must not send requests in the user's name.
- `RequestMiddleware` around the REST API and uploads: a rate limit for each address, a request id, a line in the access
  log, and {"error": ...} as JSON for every failure. The log contains no audio, no file name and no address.
- `RequestLimits` and `RateLimit`: the limits for one client and for all together.
"""

import asyncio
import ipaddress
import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser_core.inference import ClientGone
from ser_core.serving.error_response import error_response
from ser_core.serving.protection.fair_slots import client_address

LOCALHOST_NAMES = ("localhost", "127.0.0.1", "::1")
REQUEST_ID_HEADER = "X-Request-ID"
DEFAULT_PORTS = {"http": 80, "https": 443}
FOREIGN_SITES = ("cross-site", "same-site")  # the second: another port of this machine
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # cannot forge a line of the log
DRAIN_TIMEOUT_S, DRAIN_PAUSE_S = 5.0, 0.5
CLIENT_CLOSED_REQUEST = 499  # as web servers log it; the client does not receive it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestLimits:
    """Limits for requests with a recording."""

    max_body_bytes: int = 25_000_000  # ten minutes of 16-bit mono WAV at 16 kHz are 19 MB
    max_total_body_bytes: int = 250_000_000  # of all bodies in memory
    duration_s: float = 600.0  # decoding stops here, and a note is added
    chunk_timeout_s: float = 10.0  # without a byte from the client
    body_timeout_s: float = 60.0  # for a complete body
    requests_per_s: float = 20.0  # per address
    burst: int = 100  # requests per address at once


class RateLimit:
    """Token bucket for each address: full at first, refilled at a constant rate. Not thread-safe."""

    MAX_ADDRESSES = 10_000

    def __init__(self, limits: RequestLimits, clock: Callable[[], float] = time.monotonic):
        self._limits, self._clock = limits, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address -> tokens, time of the count

    def wait_s(self, address: str) -> float:
        """0 if a request is allowed, which takes a token; else the seconds until the next token."""
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
        """Drop full buckets, which are equal to new ones; if none is full, the oldest tenth."""
        full = [address for address in self._buckets if self._tokens(address, now) >= self._limits.burst]
        for address in full or list(self._buckets)[: self.MAX_ADDRESSES // 10]:
            del self._buckets[address]


class RequestMiddleware:
    """ASGI middleware: rate limit of POST requests, request id, access log, JSON errors."""

    def __init__(self, app: ASGIApp, rate: RateLimit):
        self._app, self._rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state = _RequestState(scope, receive, send)
        try:
            await self._handle(state)
        finally:
            state.log()

    async def _handle(self, state: "_RequestState") -> None:
        scope = state.scope
        wait_s = self._rate.wait_s(client_address(scope)) if scope["method"] == "POST" else 0.0
        if wait_s:
            message = f"Too many requests from this address. Try again in {math.ceil(wait_s)} s."
            return await error_response(429, message, wait_s)(scope, state.receive, state.send)
        try:
            await self._app(scope, state.receive, state.send)
        except (ClientGone, ClientDisconnect):
            state.status = CLIENT_CLOSED_REQUEST
        except Exception:
            log.exception("request_id=%s failed", state.id)
            if not state.status:
                message = f"The server failed to process this request. See {state.id} in its log."
                await error_response(500, message)(scope, state.receive, state.send)


class _RequestState:
    """State of one request, and its channels: counts received bytes, completes the headers of the response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        client_id = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        self.id = client_id if VALID_REQUEST_ID.fullmatch(client_id) else uuid.uuid4().hex
        self.scope, self._receive, self._send = scope, receive, send
        self.status, self.n_bytes, self.started = 0, 0, time.perf_counter()
        self._more_body = True

    async def receive(self) -> Message:
        message = await self._receive()
        self.n_bytes += len(message.get("body", b""))
        self._more_body = message.get("more_body", False)
        return message

    async def _drain(self) -> None:
        """Drain the body of a refused request: many clients read the response only after sending everything."""
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
            headers["Cache-Control"] = "no-store"  # predictions are personal data
        await self._send(message)

    def log(self) -> None:
        seconds = time.perf_counter() - self.started
        log.info("request_id=%s status=%d seconds=%.3f bytes=%d", self.id, self.status, seconds, self.n_bytes)


class OriginCheck:
    """ASGI middleware: only this server's own pages, and programs, may ask; against CSRF and DNS rebinding.

    Browsers name the site of the requesting page in `Origin` and the requested site in `Host`, both with the port;
    programs send no `Origin`. With DNS rebinding both agree, so `Host` must be a name of this server; an IP address
    cannot be rebound. Requests without `Origin`, as for images, have `Sec-Fetch-Site`.
    """

    def __init__(self, app: ASGIApp, host_names: Sequence[str], public_host: str = "", is_local: bool = True):
        """
        Args:
            app: the application behind the check.
            host_names: allowed in `Host`.
            public_host: additional host name, for a server behind a proxy.
            is_local: the server is for this machine only: of IP addresses only those in `host_names` are allowed.
        """
        self._app, self._is_local = app, is_local
        self._public_host = "" if public_host in LOCALHOST_NAMES else public_host
        self._host_names = {*host_names, self._public_host} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not (problem := self._problem(Headers(scope=scope))):
            return await self._app(scope, receive, send)
        refusal = error_response(403, problem)
        if scope["type"] == "websocket":
            return await refusal(scope, receive, send)
        state = _RequestState(scope, receive, send)
        try:
            await refusal(scope, state.receive, state.send)
        finally:
            state.log()

    def _problem(self, headers: Headers) -> str | None:
        """Reason for refusing a request, or None."""
        origin = headers.get("origin")
        scheme = origin.partition(":")[0] if origin else "http"
        requested = _host_and_port(f"{scheme}://{headers.get('host', '')}")
        if not requested or not self._is_own(requested[0]):
            return (
                f"This server does not answer under this name, but as {', '.join(sorted(self._host_names))}. "
                "Behind a proxy, set STREAMLIT_BROWSER_SERVER_ADDRESS to the public name."
            )
        if origin is not None and not self._is_own_page(_host_and_port(origin), requested):
            return (
                "Requests from pages of other sites are refused. Send them from the server of that page, without the "
                "header Origin."
            )
        if headers.get("sec-fetch-site") in FOREIGN_SITES and headers.get("sec-fetch-dest") != "document":
            return "Pages of other sites may link to this one, but not load or frame parts of it."
        return None

    def _is_own(self, host: str) -> bool:
        return host in self._host_names or (not self._is_local and _is_ip_address(host))

    def _is_own_page(self, page: "tuple[str, int] | None", requested: tuple[str, int]) -> bool:
        return page == requested or page in [(self._public_host, port) for port in DEFAULT_PORTS.values()]


def _host_and_port(url: str) -> tuple[str, int] | None:
    """Host name and port of an address; None if it is invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname and not parts.username else None


def _is_ip_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False

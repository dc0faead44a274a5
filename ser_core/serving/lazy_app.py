"""Lazily built ASGI application: its imports do not delay the start of the server."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

IDLE_WINDOW_S, IDLE_CPU_SHARE = 1.0, 0.3  # of one core during the window: no page is being served

log = logging.getLogger(__name__)
_build_lock = threading.Lock()  # concurrent builds import the same modules and slow each other down


class LazyApp:
    """ASGI application, built once in a thread at the first request; requests wait for it. For one event loop."""

    def __init__(self, build: Callable[[], Starlette]):
        self._build = build
        self._requested, self._end = asyncio.Event(), asyncio.Event()
        self._built: asyncio.Future[Starlette]  # created by `lifespan`

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._requested.set()
        app = await asyncio.shield(self._built)
        await app(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, after_s: float) -> AsyncIterator[None]:
        """Lifespan of the server, which includes that of the application.

        Args:
            after_s: seconds until it is built without a request, once the process is idle.
        """
        self._built = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(after_s))
        try:
            yield
        finally:
            self._end.set()
            if not self._built.done():
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, build_after_s: float) -> None:
        await self._wait_for_request_or_idle(build_after_s)
        try:
            app = await asyncio.to_thread(self._build_locked)
            async with app.router.lifespan_context(app):
                self._built.set_result(app)
                await self._end.wait()
        except Exception as error:  # the other applications continue
            log.exception("an application of the server failed to start")
            if not self._built.done():
                self._built.set_exception(error)

    async def _wait_for_request_or_idle(self, build_after_s: float) -> None:
        await self._wait_for_request(build_after_s)
        while not self._requested.is_set():
            before_s = time.process_time()
            await self._wait_for_request(IDLE_WINDOW_S)
            if time.process_time() - before_s < IDLE_CPU_SHARE * IDLE_WINDOW_S:
                return

    async def _wait_for_request(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._requested.wait(), seconds)

    def _build_locked(self) -> Starlette:
        with _build_lock:
            return self._build()

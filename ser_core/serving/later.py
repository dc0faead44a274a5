"""An application that is built while the server runs already, so that nothing else waits for what it imports."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

QUIET_S, QUIET_SHARE = 1.0, 0.3  # of one core in so much time: nobody waits for a page

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # builds get in each other's way, as both import much of the same


class Later:
    """ASGI. Built once, in a thread, when it is first asked for; requests wait for it. For one event loop."""

    def __init__(self, build: Callable[[], Starlette]):
        self._build = build
        self._wanted, self._end = asyncio.Event(), asyncio.Event()
        self._built: asyncio.Future[Starlette]  # made by `running`

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted.set()
        app = await asyncio.shield(self._built)
        await app(scope, receive, send)

    @asynccontextmanager
    async def running(self, after_s: float) -> AsyncIterator[None]:
        """The lifespan around that of the application.

        Args:
            after_s: seconds until it is built also unasked, as soon as this process has little else to do.
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

    async def _run(self, after_s: float) -> None:
        await self._until_wanted_or_quiet(after_s)
        try:
            app = await asyncio.to_thread(self._built_alone)
            async with app.router.lifespan_context(app):
                self._built.set_result(app)
                await self._end.wait()
        except Exception as error:  # the rest of the server goes on
            log.exception("a part of the server does not run")
            if not self._built.done():
                self._built.set_exception(error)

    async def _until_wanted_or_quiet(self, after_s: float) -> None:
        await self._wanted_within(after_s)
        while not self._wanted.is_set():
            before_s = time.process_time()
            await self._wanted_within(QUIET_S)
            if time.process_time() - before_s < QUIET_SHARE * QUIET_S:
                return

    async def _wanted_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)

    def _built_alone(self) -> Starlette:
        with _one_at_a_time:
            return self._build()

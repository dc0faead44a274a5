"""The end of the server: connections of open pages are closed."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import gradio as gr
from fastapi import FastAPI

from ser_core.serving.routes import live_is_up


def stop_with_server(app: FastAPI, live: gr.routes.App) -> None:
    """Close the connections of open pages at shutdown: the server would wait for them."""
    original = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        if threading.current_thread() is threading.main_thread():  # signals are delivered there only
            for number in (signal.SIGINT, signal.SIGTERM):
                _set_on_signal(live.stop_event, number)
        async with original(app) as state:
            live_is_up.set()
            yield state
            live_is_up.clear()

    app.router.lifespan_context = lifespan  # type: ignore[assignment]  # with or without a state, as the original


def _set_on_signal(event: asyncio.Event, number: signal.Signals) -> None:
    """Set an event on a signal, then call the previous handler."""
    loop, previous = asyncio.get_running_loop(), signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        if callable(previous):
            previous(number, frame)

    signal.signal(number, handle)

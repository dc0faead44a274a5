"""Calls of Gradio's functions: their bodies are read here, within limits, before Gradio keeps anything of them."""

import json

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser_core.inference import QueueFull
from ser_core.serving.error_response import error_response
from ser_core.serving.gradio_uploads import ANY_CONTENT_TYPE
from ser_core.serving.middleware import RequestLimits
from ser_core.serving.request_body import BodyReader

MAX_CALL_BYTES = 100_000  # without audio: the name of an upload and of a model
MAX_SESSION_CHARACTERS = 64  # Gradio keeps the names of thousands of sessions, as long as they are
AUDIO_ROUTE = "/component_server"  # of the live page


class GradioCalls:
    """ASGI middleware: bounds the body of each call, all of them in memory, their time, and the names of sessions."""

    def __init__(self, app: ASGIApp, limits: RequestLimits):
        self._app, self._body_reader = app, BodyReader(limits, content_types=ANY_CONTENT_TYPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        try:
            async with self._body_reader.recording(Request(scope, receive)) as (body, _):
                if len(body) > MAX_CALL_BYTES and not scope["path"].rstrip("/").endswith(AUDIO_ROUTE):
                    raise HTTPException(413, f"A call without audio has at most {MAX_CALL_BYTES / 1e6:g} MB.")
                if len(_session_name(body)) > MAX_SESSION_CHARACTERS:
                    raise HTTPException(400, f"A session_hash has at most {MAX_SESSION_CHARACTERS} characters.")
                await self._app(scope, _received(body, receive), send)
        except HTTPException as error:
            await error_response(error.status_code, error.detail)(scope, receive, send)
        except QueueFull as error:
            await error_response(503, str(error), error.retry_after_s)(scope, receive, send)
        except ClientDisconnect:
            pass


def _session_name(body: bytes) -> str:
    """The session that a call names; "" without one, also of a body that Gradio refuses."""
    try:
        return str(json.loads(body)["session_hash"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _received(body: bytes, receive: Receive) -> Receive:
    """A channel that begins with a body that was received already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again

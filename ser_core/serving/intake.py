"""The recording in a request: its type checked, its size and time bounded while it comes in, kept in memory only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ser_core.queue import QueueFull, inference_queue
from ser_core.serving.limits import Limits

FIELD = "file"  # of a form
FORM = "multipart/form-data"
SOUND = ("audio/", "video/", "application/ogg", "application/octet-stream")  # video: browsers record sound as such
FORM_BYTES = 10_000  # of boundaries and headers around the recording
HOW_TO_SEND = (
    "Send it as the body, with a Content-Type such as audio/wav, audio/mpeg or application/octet-stream, "
    f"or as the part {FIELD!r} of a form ({FORM})."
)

_BINARY = {"type": "string", "format": "binary"}
BODY = {  # in the terms of OpenAPI
    "required": True,
    "description": f"A recording in any format. {HOW_TO_SEND}",
    "content": {
        "audio/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        FORM: {"schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _BINARY}}},
    },
}


class Intake:
    """Takes in the bodies of requests. For one event loop."""

    def __init__(self, limits: Limits, field: str = FIELD, kinds: tuple[str, ...] = SOUND):
        """
        Args:
            field: of a form, the one with the recording.
            kinds: how the type of a recording may begin.
        """
        self.limits, self.field, self.kinds = limits, field, kinds
        self.held_bytes = 0  # of all bodies that are in memory

    @asynccontextmanager
    async def recording(self, request: Request) -> AsyncIterator[tuple[bytes, str]]:
        """The content of the recording, and what its owner calls it, or "": a text, never a path.

        Raises:
            HTTPException: what is sent is no recording, is too large or comes too slowly.
            QueueFull: the bodies that are in memory leave no room.
            ClientDisconnect: the client went away.
        """
        body = _Body(request, self)
        try:
            yield await body.in_time()
        finally:
            self.held_bytes -= body.n_bytes


class _Body:
    def __init__(self, request: Request, intake: Intake):
        self.n_bytes = 0
        self._request, self._intake = request, intake

    async def in_time(self) -> tuple[bytes, str]:
        try:
            async with asyncio.timeout(self._intake.limits.body_s):
                return await self._read()
        except TimeoutError:
            raise HTTPException(408, "The recording came too slowly. Send it again, or in a smaller format.") from None

    async def _read(self) -> tuple[bytes, str]:
        kind = self._request.headers.get("content-type", "").partition(";")[0].strip().lower()
        declared = self._request.headers.get("content-length", "")
        if kind != FORM:
            self._check_kind(kind)
        self._check_size(int(declared) if declared.isdecimal() else 0)
        if kind == FORM:
            return await self._form()
        return b"".join([chunk async for chunk in self._chunks()]), ""

    async def _form(self) -> tuple[bytes, str]:
        try:
            form = await _InMemory(self._request.headers, self._chunks()).parse()
        except MultiPartException as error:
            raise HTTPException(400, f"This form cannot be read: {error.message} {HOW_TO_SEND}") from None
        file = form.get(self._intake.field)
        if not isinstance(file, UploadFile):
            raise HTTPException(400, f"This form holds no recording. {HOW_TO_SEND}")
        self._check_kind(file.content_type or "application/octet-stream")
        return await file.read(), file.filename or ""

    def _check_kind(self, kind: str) -> None:
        if not kind.lower().startswith(self._intake.kinds):
            named = f"{kind[:80]!r} is no type of sound" if kind else "The type of the recording is missing"
            raise HTTPException(415, f"{named}. {HOW_TO_SEND}")

    async def _chunks(self) -> AsyncIterator[bytes]:
        stream = self._request.stream()
        while True:
            async with asyncio.timeout(self._intake.limits.silence_s):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            self._check_size(self.n_bytes + len(chunk))
            self.n_bytes += len(chunk)
            self._intake.held_bytes += len(chunk)
            yield chunk

    def _check_size(self, n_bytes: int) -> None:
        limits = self._intake.limits
        if n_bytes > limits.body_bytes + FORM_BYTES:
            raise HTTPException(
                413,
                f"This recording is larger than {limits.body_bytes / 1e6:g} MB, the most that is taken. "
                "Cut it, or save it in a smaller format such as opus or mp3.",
            )
        if self._intake.held_bytes - self.n_bytes + n_bytes > limits.all_bodies_bytes:
            raise QueueFull(inference_queue.wait_s())


class _InMemory(MultiPartParser):
    """A form with one file, none of which goes to disk."""

    spool_max_size = 0  # 0: never

    def __init__(self, headers: Headers, stream: AsyncIterator[bytes]):
        super().__init__(headers, stream, max_files=1, max_fields=4, max_part_size=FORM_BYTES)

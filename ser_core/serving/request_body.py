"""The recording in a request: its type checked, its size and time bounded while it comes in, kept in memory only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ser_core.inference import QueueFull, inference_queue
from ser_core.serving.middleware import RequestLimits

FORM_FIELD = "file"  # of a form
FORM_CONTENT_TYPE = "multipart/form-data"
AUDIO_CONTENT_TYPES = (
    "audio/",
    "video/",
    "application/ogg",
    "application/octet-stream",
)  # video: browsers record sound as such
FORM_OVERHEAD_BYTES = 10_000  # of boundaries and headers around the recording
UPLOAD_USAGE = (
    "Send it as the body, with a Content-Type such as audio/wav, audio/mpeg or application/octet-stream, "
    f"or as the part {FORM_FIELD!r} of a form ({FORM_CONTENT_TYPE})."
)

_BINARY = {"type": "string", "format": "binary"}
REQUEST_BODY_SCHEMA = {  # in the terms of OpenAPI
    "required": True,
    "description": f"A recording in any format. {UPLOAD_USAGE}",
    "content": {
        "audio/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        FORM_CONTENT_TYPE: {
            "schema": {"type": "object", "required": [FORM_FIELD], "properties": {FORM_FIELD: _BINARY}}
        },
    },
}


class BodyReader:
    """Takes in the bodies of requests. For one event loop."""

    def __init__(
        self, limits: RequestLimits, field: str = FORM_FIELD, content_types: tuple[str, ...] = AUDIO_CONTENT_TYPES
    ):
        """
        Args:
            field: of a form, the one with the recording.
            kinds: how the type of a recording may begin.
        """
        self.limits, self.field, self.content_types = limits, field, content_types
        self.bytes_in_memory = 0  # of all bodies that are in memory

    @asynccontextmanager
    async def recording(self, request: Request) -> AsyncIterator[tuple[bytes, str]]:
        """The content of the recording, and what its owner calls it, or "": a text, never a path.

        Raises:
            HTTPException: what is sent is no recording, is too large or comes too slowly.
            QueueFull: the bodies that are in memory leave no room.
            ClientDisconnect: the client went away.
        """
        body = _RequestBody(request, self)
        try:
            yield await body.read_within_timeout()
        finally:
            self.bytes_in_memory -= body.n_bytes


class _RequestBody:
    def __init__(self, request: Request, intake: BodyReader):
        self.n_bytes = 0
        self._request, self._reader = request, intake

    async def read_within_timeout(self) -> tuple[bytes, str]:
        try:
            async with asyncio.timeout(self._reader.limits.body_timeout_s):
                return await self._read()
        except TimeoutError:
            raise HTTPException(408, "The recording came too slowly. Send it again, or in a smaller format.") from None

    async def _read(self) -> tuple[bytes, str]:
        kind = self._request.headers.get("content-type", "").partition(";")[0].strip().lower()
        declared = self._request.headers.get("content-length", "")
        if kind != FORM_CONTENT_TYPE:
            self._check_content_type(kind)
        self._check_size(int(declared) if declared.isdecimal() else 0)
        if kind == FORM_CONTENT_TYPE:
            return await self._form()
        return b"".join([chunk async for chunk in self._chunks()]), ""

    async def _form(self) -> tuple[bytes, str]:
        try:
            form = await _InMemoryParser(self._request.headers, self._chunks()).parse()
        except MultiPartException as error:
            raise HTTPException(400, f"This form cannot be read: {error.message} {UPLOAD_USAGE}") from None
        file = form.get(self._reader.field)
        if not isinstance(file, UploadFile):
            raise HTTPException(400, f"This form holds no recording. {UPLOAD_USAGE}")
        self._check_content_type(file.content_type or "application/octet-stream")
        return await file.read(), file.filename or ""

    def _check_content_type(self, kind: str) -> None:
        if not kind.lower().startswith(self._reader.content_types):
            named = f"{kind[:80]!r} is no type of sound" if kind else "The type of the recording is missing"
            raise HTTPException(415, f"{named}. {UPLOAD_USAGE}")

    async def _chunks(self) -> AsyncIterator[bytes]:
        stream = self._request.stream()
        while True:
            async with asyncio.timeout(self._reader.limits.chunk_timeout_s):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            self._check_size(self.n_bytes + len(chunk))
            self.n_bytes += len(chunk)
            self._reader.bytes_in_memory += len(chunk)
            yield chunk

    def _check_size(self, n_bytes: int) -> None:
        limits = self._reader.limits
        if n_bytes > limits.max_body_bytes + FORM_OVERHEAD_BYTES:
            raise HTTPException(
                413,
                f"This recording is larger than {limits.max_body_bytes / 1e6:g} MB, the most that is taken. "
                "Cut it, or save it in a smaller format such as opus or mp3.",
            )
        if self._reader.bytes_in_memory - self.n_bytes + n_bytes > limits.max_total_body_bytes:
            raise QueueFull(inference_queue.wait_s())


class _InMemoryParser(MultiPartParser):
    """A form with one file, none of which goes to disk."""

    spool_max_size = 0  # 0: never

    def __init__(self, headers: Headers, stream: AsyncIterator[bytes]):
        super().__init__(headers, stream, max_files=1, max_fields=4, max_part_size=FORM_OVERHEAD_BYTES)

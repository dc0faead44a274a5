"""Reader of the recordings in a request body: checks type, size and time limits, keeps them in memory only."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ser_core.inference import MAX_REFERENCE_CLIPS, QueueFull, inference_queue
from ser_core.serving.middleware import RequestLimits

FORM_FIELD, REFERENCE_FIELD = "file", "reference"  # of a form
MAX_REFERENCE_BYTES = 200_000  # of the JSON of a reference
FORM_CONTENT_TYPE = "multipart/form-data"
# video/: the type of audio recordings of some browsers
AUDIO_CONTENT_TYPES = ("audio/", "video/", "application/ogg", "application/octet-stream")
FORM_OVERHEAD_BYTES = 10_000  # boundaries and headers around the recording
UPLOAD_USAGE = (
    "Send it as the body, with a Content-Type such as audio/wav, audio/mpeg or application/octet-stream, "
    f"or as the part {FORM_FIELD!r}, with a file name, of a form ({FORM_CONTENT_TYPE})."
)

_BINARY = {"type": "string", "format": "binary"}
REQUEST_BODY_SCHEMA = {  # OpenAPI
    "required": True,
    "description": f"A recording in any format. {UPLOAD_USAGE}",
    "content": {
        "audio/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        FORM_CONTENT_TYPE: {
            "schema": {
                "type": "object",
                "required": [FORM_FIELD],
                "properties": {
                    FORM_FIELD: _BINARY,
                    REFERENCE_FIELD: {
                        "type": "string",
                        "description": "JSON from /reference, or: recording (itself the reference, if long)",
                    },
                },
            }
        },
    },
}
REFERENCE_BODY_SCHEMA = {  # OpenAPI
    "required": True,
    "description": f"Clips of one speaker: the parts {FORM_FIELD!r} of a form, or a single one as the body.",
    "content": {
        FORM_CONTENT_TYPE: {
            "schema": {
                "type": "object",
                "required": [FORM_FIELD],
                "properties": {FORM_FIELD: {"type": "array", "items": _BINARY, "maxItems": MAX_REFERENCE_CLIPS}},
            }
        },
        "audio/*": {"schema": _BINARY},
    },
}


@dataclass(frozen=True)
class RequestContent:
    """What a request contains."""

    files: tuple[tuple[bytes, str], ...]  # (content, file name or "") of each; a name is never used as a path
    reference: str = ""  # a field of the form


class BodyReader:
    """Reader of request bodies, which bounds their total size in memory. For one event loop."""

    def __init__(
        self, limits: RequestLimits, field: str = FORM_FIELD, content_types: tuple[str, ...] = AUDIO_CONTENT_TYPES
    ):
        """
        Args:
            limits: of size and time.
            field: of a form, contains the recording.
            content_types: allowed prefixes of the content type.
        """
        self.limits, self.field, self.content_types = limits, field, content_types
        self.bytes_in_memory = 0  # of all bodies

    @asynccontextmanager
    async def recording(self, request: Request) -> AsyncIterator[tuple[bytes, str]]:
        """Content of the recording and its file name or "", which is never used as a path. Errors as `content`."""
        async with self.content(request) as content:
            if content.reference:  # it would be left out of the answer
                raise HTTPException(400, f"Leave out {REFERENCE_FIELD!r}: /predict and /windows of REST take one.")
            yield content.files[0]

    @asynccontextmanager
    async def content(self, request: Request, max_files: int = 1) -> AsyncIterator[RequestContent]:
        """Content of the recordings, at least one, and of the field for a reference.

        Raises:
            HTTPException: the body is not a recording, too large or too slow.
            QueueFull: the bodies in memory reach the total limit.
            ClientDisconnect: the client closed the connection.
        """
        body = _RequestBody(request, self, max_files)
        try:
            yield await body.read_within_timeout()
        finally:
            self.bytes_in_memory -= body.n_bytes


class _RequestBody:
    def __init__(self, request: Request, reader: BodyReader, max_files: int):
        self.n_bytes, self._max_files = 0, max_files
        self._request, self._reader = request, reader

    async def read_within_timeout(self) -> RequestContent:
        try:
            async with asyncio.timeout(self._reader.limits.body_timeout_s):
                return await self._read()
        except TimeoutError:
            raise HTTPException(408, "The upload was too slow. Send it again, or in a smaller format.") from None

    async def _read(self) -> RequestContent:
        content_type = self._request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._check_encoding(self._request.headers.get("content-encoding", ""))
        declared = self._request.headers.get("content-length", "")
        if content_type != FORM_CONTENT_TYPE:
            self._check_content_type(content_type)
        self._check_size(int(declared) if declared.isdecimal() else 0)
        if content_type == FORM_CONTENT_TYPE:
            return await self._form()
        return RequestContent(((b"".join([chunk async for chunk in self._chunks()]), ""),))

    async def _form(self) -> RequestContent:
        try:
            form = await _InMemoryParser(self._request.headers, self._chunks()).parse()
        except MultiPartException as error:
            raise HTTPException(400, f"This form cannot be read: {error.message} {UPLOAD_USAGE}") from None
        self._check_parts([name for name, _ in form.multi_items()])
        found = form.getlist(self._reader.field)
        files = [file for file in found if isinstance(file, UploadFile)]
        if len(files) < len(found):
            raise HTTPException(400, f"A part {self._reader.field!r} of this form is text, not a file. {UPLOAD_USAGE}")
        if not files:
            raise HTTPException(400, f"This form contains no recording. {UPLOAD_USAGE}")
        if len(files) > self._max_files:
            raise HTTPException(
                400, f"This form has {len(files)} parts {self._reader.field!r}. Send no more than {self._max_files}."
            )
        for file in files:
            self._check_content_type(file.content_type or "application/octet-stream")
        contents = tuple([(await file.read(), file.filename or "") for file in files])
        return RequestContent(contents, self._reference(form.get(REFERENCE_FIELD)))

    def _reference(self, part: UploadFile | str | None) -> str:
        if isinstance(part, UploadFile):
            raise HTTPException(
                400,
                f"The part {REFERENCE_FIELD!r} of this form is a file. Send its content as text, without a file name; "
                f"curl does so with -F '{REFERENCE_FIELD}=<voice.json'.",
            )
        return part or ""

    def _check_parts(self, names: Sequence[str]) -> None:
        """Parts of other names would be left out of the answer."""
        if unknown := sorted({*names} - {self._reader.field, REFERENCE_FIELD}):
            raise HTTPException(
                400,
                f"This form has a part {unknown[0][:80]!r}. A recording is the part {self._reader.field!r}, "
                f"a reference the part {REFERENCE_FIELD!r}.",
            )
        if names.count(REFERENCE_FIELD) > 1:
            raise HTTPException(400, f"This form has several parts {REFERENCE_FIELD!r}. Send one.")

    def _check_encoding(self, encoding: str) -> None:
        if encoding.strip().lower() not in ("", "identity"):
            raise HTTPException(
                415, f"Content-Encoding {encoding[:80]!r}: compressed bodies are not accepted. {UPLOAD_USAGE}"
            )

    def _check_content_type(self, content_type: str) -> None:
        if not content_type.lower().startswith(self._reader.content_types):
            problem = f"Content-Type {content_type[:80]!r} is not audio" if content_type else "Content-Type is missing"
            raise HTTPException(415, f"{problem}. {UPLOAD_USAGE}")

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
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
            what, it = ("This recording is", "it") if self._max_files == 1 else ("All recordings together are", "them")
            raise HTTPException(
                413,
                f"{what} larger than {limits.max_body_bytes / 1e6:g} MB, the limit. "
                f"Cut {it}, or save {it} in a smaller format such as opus or mp3.",
            )
        if self._reader.bytes_in_memory - self.n_bytes + n_bytes > limits.max_total_body_bytes:
            raise QueueFull(inference_queue.wait_s())


class _InMemoryParser(MultiPartParser):
    """Parser of a form that is complete, and whose files are not written to disk."""

    spool_max_size = 0  # never to disk

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None]):
        super().__init__(headers, stream, max_fields=4, max_part_size=MAX_REFERENCE_BYTES)
        self._has_ended = False

    def on_end(self) -> None:
        self._has_ended = True

    async def parse(self) -> FormData:
        """The parts of the form.

        Raises:
            MultiPartException: it cannot be read, or is cut off: its last part would be left out.
        """
        form = await super().parse()
        if not self._has_ended:
            raise MultiPartException("it ends without its closing boundary, so that a part is incomplete.")
        return form

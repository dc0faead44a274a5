"""Uploads of `gradio_client` for `predict`: in memory, under a random name, for one prediction.

Gradio would write them to disk, under the file name given by the client.
"""

from fastapi import FastAPI, Request
from gradio.utils import get_upload_folder
from starlette.routing import Route

from ser_core.inference import QueueFull
from ser_core.serving.errors import add_error_handlers
from ser_core.serving.middleware import RateLimit, RequestLimits, RequestMiddleware
from ser_core.serving.one_time_store import OneTimeStore, OneTimeStoreError
from ser_core.serving.request_body import BodyReader

GRADIO_FORM_FIELD = "files"  # of the form, as sent by Gradio's clients
ANY_CONTENT_TYPE = ("",)  # of files it is guessed by the client, of calls it is checked by Gradio


class GradioUploads:
    """Uploaded recordings until their prediction, by the name returned to the client."""

    def __init__(self, limits: RequestLimits):
        self._limits, self._body_reader = limits, BodyReader(limits, GRADIO_FORM_FIELD, ANY_CONTENT_TYPE)
        # The size of one recording is bounded by the body reader.
        self._store = OneTimeStore(limits.max_total_body_bytes, limits.max_total_body_bytes)

    def take(self, name: str) -> bytes | None:
        """Content of an upload, once; None if it was taken already, has expired or never existed."""
        return self._store.take(name.rpartition("/")[2])

    def route(self, path: str) -> Route:
        """Upload route that replaces that of Gradio."""
        app = FastAPI(openapi_url=None)
        app.add_middleware(RequestMiddleware, rate=RateLimit(self._limits))
        add_error_handlers(app)

        @app.post(path)
        async def upload(request: Request) -> list[str]:
            async with self._body_reader.recording(request) as (content, _):
                return [f"{get_upload_folder()}/{self._put(content)}"]  # the only folder that Gradio accepts

        return Route(path, app, methods=["POST"])

    def _put(self, content: bytes) -> str:
        try:
            return self._store.put(content)
        except OneTimeStoreError:
            raise QueueFull(self._store.wait_s()) from None

"""What `gradio_client` uploads for `predict`: in memory, under a random name, for one answer.

Gradio itself would write it to disk, under the name that the client gives.
"""

from fastapi import FastAPI, Request
from gradio.utils import get_upload_folder
from starlette.routing import Route

from ser_core.inference import QueueFull, inference_queue
from ser_core.serving.errors import add_error_handlers
from ser_core.serving.middleware import RateLimit, RequestLimits, RequestMiddleware
from ser_core.serving.one_time_store import OneTimeStore, OneTimeStoreError
from ser_core.serving.request_body import BodyReader

GRADIO_FORM_FIELD = "files"  # of the form, as Gradio's clients fill it in
ANY_CONTENT_TYPE = ("",)  # they guess it from the name; `predict` says what is no sound


class GradioUploads:
    """Recordings that wait for their answer, by the name that was given out for them."""

    def __init__(self, limits: RequestLimits):
        self._limits, self._body_reader = limits, BodyReader(limits, GRADIO_FORM_FIELD, ANY_CONTENT_TYPE)
        self._store = OneTimeStore(
            limits.max_total_body_bytes, limits.max_total_body_bytes
        )  # of one the intake knows the most

    def take(self, name: str) -> bytes | None:
        """The content, once; None when it was taken already, is too old or never was here."""
        return self._store.take(name.rpartition("/")[2])

    def route(self, path: str) -> Route:
        """In place of Gradio's own."""
        app = FastAPI(openapi_url=None)
        app.add_middleware(RequestMiddleware, rate=RateLimit(self._limits))
        add_error_handlers(app)

        @app.post(path)
        async def upload(request: Request) -> list[str]:
            async with self._body_reader.recording(request) as (content, _):
                return [f"{get_upload_folder()}/{self._put(content)}"]  # the only place where Gradio allows one

        return Route(path, app, methods=["POST"])

    def _put(self, content: bytes) -> str:
        try:
            return self._store.put(content)
        except OneTimeStoreError:
            raise QueueFull(inference_queue.wait_s()) from None
